"""What of an object may be shown to a stranger: a list of what may, so that a new field is hidden until it is named."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from novita_operator.model.machine import Fleet, Machine
from novita_operator.model.resource import GROUP

HIDDEN = "[redacted]"
_SHORTEST_SECRET = 4
"""What is shorter would cut words to pieces."""
_SHOWN_METADATA = (
    "namespace",
    "name",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
)
_SHOWN_SPEC = (
    "powerState",
    "templateId",
    "image",
    "ports",
    "productName",
    "productId",
    "gpuCount",
    "rootDiskSizeGB",
    "minCudaVersion",
    "regions",
    "regionPolicy",
    "billing",
    "deletionPolicy",
)

Json = Mapping[str, Any]  # Any: whatever JSON holds


def resource(body: Json) -> dict[str, Any]:
    """A `GpuInstance`: of the spec what only chooses, of the annotations ours, and status, which holds no secret."""
    metadata = body["metadata"]
    annotations = {
        name: text if name.startswith(f"{GROUP}/") else HIDDEN
        for name, text in (metadata.get("annotations") or {}).items()
    }
    shown = {name: metadata[name] for name in _SHOWN_METADATA if name in metadata}
    spec = {name: value if name in _SHOWN_SPEC else hidden(value) for name, value in body["spec"].items()}
    return {"metadata": {**shown, "annotations": annotations}, "spec": spec, "status": body.get("status")}


def hidden(value: Any) -> Any:  # noqa: ANN401  whatever JSON holds
    """The same shape without its texts; numbers stay, and the names of environment variables."""
    if isinstance(value, Mapping):
        return {key: item if key == "name" else hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item) for item in value]
    return HIDDEN if isinstance(value, str) else value


def event(body: Json) -> dict[str, Any]:
    shown = ("regarding", "type", "reason", "action", "note", "eventTime", "series", "reportingInstance")
    return {name: body[name] for name in shown if name in body}


def machines(fleet: Fleet) -> list[dict[str, Any]]:
    """Ours as the list shows them; of other people's only id and state."""
    ours = {machine.id for group in fleet.ours.values() for machine in group}
    return [_machine(machine) if machine.id in ours else _foreign(machine) for machine in fleet.machines.values()]


def _machine(machine: Machine) -> dict[str, Any]:
    """Without Novita's own words on what went wrong: they may repeat anything."""
    times = {name: str(getattr(machine, name) or "") for name in ("created", "started", "stopped", "reclaim_at")}
    facts = {name: getattr(machine, name) for name in ("product_id", "region_id", "billing", "spot")}
    return {**_foreign(machine), "name": machine.name, "mark": str(machine.mark), **facts, **times}


def _foreign(machine: Machine) -> dict[str, Any]:
    return {"id": machine.id, "state": machine.state}


def secrets_of(bodies: Iterable[Json]) -> set[str]:
    """Values of the environments: no other file may repeat them."""
    variables = (variable for body in bodies for variable in body["spec"].get("env") or ())
    return {value for variable in variables if len(value := variable.get("value") or "") >= _SHORTEST_SECRET}


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text without any of the secrets, be it inside of JSON; the longest first, for one may be part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        for spelling in (secret, json.dumps(secret)[1:-1]):
            text = text.replace(spelling, HIDDEN)
    return text
