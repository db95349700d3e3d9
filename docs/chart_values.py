"""The chart's values, told from the comments in its values.yaml: the table of its README and its JSON schema.

The comment above a key is its manual; a line of it that begins with `@schema` adds to what its default says.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import EnumType
from typing import Any

import yaml

from novita_operator.model.environ import describe
from novita_operator.settings import Settings
from tables import table

Schema = dict[str, Any]

BEGIN, END = "<!-- values: printed from values.yaml by `make generate` -->", "<!-- end of values -->"

_TYPES = {"str": "string", "int": "integer", "bool": "boolean", "seq": "array", "map": "object"}
_DURATION = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)?$"
_OF_THE_CHART = {
    "NOVITA_API_KEY",
    "NOVITA_API_KEY_FILE",
    "NOVITA_OPERATOR_NAMESPACE",
    "NOVITA_OPERATOR_WATCH_NAMESPACES",
    "NOVITA_OPERATOR_CLUSTER_ID",
}
"""Settings that the chart makes from other values."""

_OF_A_PARENT = {
    "global": {"description": "Values of a chart that this one is a part of.", "type": "object"},
    "enabled": {"description": "Condition of a chart that this one is a part of.", "type": "boolean"},
}


class UndocumentedError(Exception):
    """A value has no comment."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that may be set: its path, what is said of it, its default and its schema."""

    path: tuple[str, ...]
    description: str
    default: Any
    schema: Schema


def readme(page: str, values_yaml: str) -> str:
    """The chart's README, with the table of values anew between its marks."""
    rows = [(f"`{'.'.join(value.path)}`", _print(value.default), value.description) for value in values(values_yaml)]
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(('value', 'default', 'meaning'), rows)}\n\n{END}{after}"


def schema_json(values_yaml: str, first_release: str, alerts: Sequence[str]) -> str:
    """The values' JSON schema: nothing unknown, nothing of a wrong type, nothing missing but what may be.

    A list or mapping may be taken away (by null). So may all that the values of the first release did not have: with
    `helm upgrade --reuse-values` it is not there.
    """
    root = _group()
    for value in values(values_yaml):
        place, had = root, yaml.safe_load(first_release)
        for name in value.path[:-1]:
            _require(place, name, had)
            place, had = place["properties"].setdefault(name, _group()), had.get(name, {})
        if not isinstance(value.default, dict | list):
            _require(place, value.path[-1], had)
        place["properties"][value.path[-1]] = {"description": value.description, **value.schema}
    root["properties"] |= _OF_A_PARENT
    definitions = {"settings": _settings(), "alert": {"enum": alerts}}
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": definitions}
    return json.dumps({**head, **root}, indent=2) + "\n"


def values(values_yaml: str) -> Iterator[Value]:
    """Every value, in the order of the file.

    Raises:
        UndocumentedError: one has no comment.
    """
    root = yaml.compose(values_yaml)
    assert isinstance(root, yaml.MappingNode)
    return _values(root, (), values_yaml.splitlines())


def _values(group: yaml.MappingNode, above: tuple[str, ...], lines: Sequence[str]) -> Iterator[Value]:
    for key, node in group.value:
        path = (*above, key.value)
        description, schema = _comment(lines, key.start_mark.line)
        if isinstance(node, yaml.MappingNode) and node.value and not schema:
            yield from _values(node, path, lines)
            continue
        if not description:
            raise UndocumentedError(f"{'.'.join(path)} in values.yaml has no comment")
        kind = {} if "$ref" in schema else {"type": _TYPES[node.tag.rpartition(":")[2]]}
        yield Value(path, description, _load(node), {**kind, **schema})


def _comment(lines: Sequence[str], key: int) -> tuple[str, Schema]:
    """What stands in the comment right above the line of a key."""
    begin = key
    while begin and lines[begin - 1].lstrip().startswith("#"):
        begin -= 1
    said = [line.strip().removeprefix("#").strip() for line in lines[begin:key]]
    schema = [line.removeprefix("@schema") for line in said if line.startswith("@schema")]
    manual = " ".join(line for line in said if not line.startswith("@schema"))
    return manual, yaml.safe_load("\n".join(schema)) or {}


def _load(node: yaml.Node) -> Any:  # noqa: ANN401  whatever a value is
    return yaml.safe_load(yaml.serialize(node))


def _group() -> Schema:
    return {"type": "object", "additionalProperties": False, "required": [], "properties": {}}


def _require(group: Schema, name: str, had: Collection[str]) -> None:
    if name in had and name not in group["required"]:
        group["required"].append(name)


def _settings() -> Schema:
    """The operator's settings: each is an environment variable, so a number may be written as text."""
    group = _group()
    for name, default, description in describe(Settings):
        if name not in _OF_THE_CHART:
            told = f"{description} Default: {default}." if default else description
            group["properties"][name] = {"description": told, **_setting(name)}
    return group


def _setting(name: str) -> Schema:
    if name == "NOVITA_OPERATOR_HTTP_ADDRESS":
        return {"type": "string", "pattern": ":8080$"}  # the port that the pod, its probes and its Service name
    field = next(field for field in Settings.model_fields.values() if field.alias == name)
    if isinstance(field.annotation, EnumType):
        return {"enum": [str(choice) for choice in field.annotation]}
    if field.annotation is float:
        return {"type": ["string", "number"], "pattern": _DURATION}
    if field.annotation is int:
        return {"type": ["string", "integer"], "pattern": "^[0-9]+$"}
    return {"type": "string"}


def _print(default: object) -> str:
    return f"`{default if isinstance(default, str) else json.dumps(default)}`" if default != "" else ""
