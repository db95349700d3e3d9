-- A GpuInstance's status follows kstatus: observedGeneration, Reconciling and Stalled. Ready says that what is observed is
-- what is wanted, so a machine that is stopped on purpose is Ready, too.
-- https://github.com/novita-gpu-operator/novita-gpu-operator/blob/main/docs/gitops.md#health

local metadata = obj.metadata or {}
local status = obj.status or {}

local function condition(kind)
  for _, each in ipairs(status.conditions or {}) do
    if each.type == kind then
      return each
    end
  end
  return {}
end

local function health(word, told)
  if told.message == nil or told.message == "" then
    return { status = word, message = told.reason }
  end
  return { status = word, message = told.message }
end

local ready, stalled, reclaim = condition("Ready"), condition("Stalled"), condition("SpotReclaim")

if status.observedGeneration ~= metadata.generation or ready.status == nil then
  return { status = "Progressing", message = "The operator has not yet looked at this version of the spec." }
end
if stalled.status == "True" then
  return health("Degraded", stalled)
end
if ready.reason == "Paused" or ready.reason == "Stopped" then
  return health("Suspended", ready)
end
if ready.status == "True" and reclaim.status == "True" then
  return health("Healthy", reclaim)
end
if ready.status == "True" then
  return health("Healthy", ready)
end
return health("Progressing", ready)
