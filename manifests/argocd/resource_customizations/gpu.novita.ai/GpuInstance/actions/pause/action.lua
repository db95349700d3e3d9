obj.metadata = obj.metadata or {}
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["gpu.novita.ai/paused"] = "true"
return obj
