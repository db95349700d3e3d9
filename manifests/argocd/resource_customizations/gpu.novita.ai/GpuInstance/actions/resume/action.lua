if obj.metadata and obj.metadata.annotations then
  obj.metadata.annotations["gpu.novita.ai/paused"] = nil
end
return obj
