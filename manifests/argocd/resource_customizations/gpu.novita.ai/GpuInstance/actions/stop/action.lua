obj.spec = obj.spec or {}
obj.spec.powerState = "Stopped"
return obj
