-- An Application is as healthy as what it deploys, so that the waves of an app of apps wait for each other.
local health = (obj.status or {}).health or {}
return { status = health.status or "Progressing", message = health.message }
