"""What of an object may be shown to a stranger: a list of what may, so that a new field is hidden until it is named."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from novita_operator.cluster.recorder import CONTROLLER
from novita_operator.model.claim import CLAIM_ANNOTATION, PAUSED_ANNOTATION
from novita_operator.model.machine import Fleet, Machine

HIDDEN = "[redacted]"
_SHORTEST_SECRET = 4
"""What is shorter would cut words to pieces."""
_SHORTEST_WORD = 8
"""Of a secret of several words or lines."""
_JSON_STRING = re.compile(r'("(?:[^"\\]|\\.)*")')
_SHOWN_ANNOTATIONS = frozenset({CLAIM_ANNOTATION, PAUSED_ANNOTATION})
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
    metadata, spec = body["metadata"], body.get("spec") or {}
    annotations = {
        name: text if name in _SHOWN_ANNOTATIONS else HIDDEN
        for name, text in (metadata.get("annotations") or {}).items()
    }
    shown = {name: metadata[name] for name in _SHOWN_METADATA if name in metadata}
    chosen = {name: value if name in _SHOWN_SPEC else hidden(value) for name, value in spec.items()}
    return {"metadata": {**shown, "annotations": annotations}, "spec": chosen, "status": body.get("status")}


def hidden(value: Any) -> Any:  # noqa: ANN401  whatever JSON holds
    """The same shape without its texts; numbers stay, and the names of environment variables."""
    if isinstance(value, Mapping):
        return {key: item if key == "name" else hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item) for item in value]
    return HIDDEN if isinstance(value, str) else value


def event(body: Json) -> dict[str, Any]:
    """An Event about a resource; what others than we say in it may quote the spec, also one that is no more."""
    shown = ("regarding", "type", "reason", "action", "note", "eventTime", "series", "reportingInstance")
    found = {name: body[name] for name in shown if name in body}
    return found if body.get("reportingController") == CONTROLLER else {**found, "note": HIDDEN}


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
    """What `resource` hides of the specs, whole and word by word: no other file may repeat it."""
    texts = [text for body in bodies for text in _hidden_texts(body.get("spec") or {})]
    words = {word for text in texts for word in text.split() if len(word) >= _SHORTEST_WORD}
    return words | {text for text in texts if len(text.strip()) >= _SHORTEST_SECRET}


def _hidden_texts(spec: Json) -> Iterator[str]:
    for name, value in spec.items():
        if name not in _SHOWN_SPEC:
            yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401  whatever JSON holds
    """Every text that `hidden` takes out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (text for item in value for text in _texts(item))
    elif isinstance(value, Mapping):
        yield from (text for key, item in value.items() if key != "name" for text in _texts(item))


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text without any of the secrets, be it inside of JSON; the longest first, for one may be part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        for spelling in (secret, json.dumps(secret)[1:-1]):
            text = text.replace(spelling, HIDDEN)
    return text


def scrubbed_json(text: str, secrets: Iterable[str]) -> str:
    """The same in the strings of a JSON document alone: one of the values may be `true`, or the number of a port."""
    parts = _JSON_STRING.split(text)
    if len(parts) == 1:
        return text
    strings = "\0".join(json.loads(part).replace("\0", "") for part in parts[1::2])
    parts[1::2] = map(json.dumps, scrubbed(strings, secrets).split("\0"))
    return "".join(parts)
