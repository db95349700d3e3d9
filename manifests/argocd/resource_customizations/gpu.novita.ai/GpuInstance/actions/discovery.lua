local metadata = obj.metadata or {}
local is_stopped = (obj.spec or {}).powerState == "Stopped"
local is_paused = (metadata.annotations or {})["gpu.novita.ai/paused"] == "true"
local is_deleting = metadata.deletionTimestamp ~= nil

return {
  start = {
    displayName = "Start the machine",
    iconClass = "fa fa-fw fa-play",
    disabled = is_deleting or not is_stopped,
  },
  stop = {
    displayName = "Stop the machine",
    iconClass = "fa fa-fw fa-stop",
    disabled = is_deleting or is_stopped,
  },
  pause = {
    displayName = "Pause: the operator does nothing, not even delete",
    iconClass = "fa fa-fw fa-pause-circle",
    disabled = is_paused,
  },
  resume = {
    displayName = "Resume: the operator goes on",
    iconClass = "fa fa-fw fa-play-circle",
    disabled = not is_paused,
  },
}
