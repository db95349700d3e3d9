"""From pydantic's JSON schema to the structural schema that a CRD may hold.

Kubernetes refuses what pydantic likes: `$ref`, null unions, `title`. Absent is our only null.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]


def structural(model: type[BaseModel]) -> Schema:
    """The structural OpenAPI schema of `model`, by alias, with everything inlined.

    Raises:
        TypeError: the model holds a union that Kubernetes cannot express.
    """
    printed = model.model_json_schema(by_alias=True)
    return _node(printed, printed.get("$defs", {}))


def _node(node: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    plain = _without_null(_inlined(node, definitions), definitions)
    schema = {key: value for key, value in plain.items() if key not in {"title", "$defs"} and not _is_empty(key, value)}
    if "properties" in schema:
        schema["properties"] = {name: _property(child, definitions) for name, child in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            schema[key] = _node(schema[key], definitions)
    return schema


def _inlined(node: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """The node with its definition under it: what stands at the field goes first."""
    reference = node.get("$ref")
    if reference is None:
        return dict(node)
    definition = definitions[reference.removeprefix("#/$defs/")]
    return {**definition, **{key: value for key, value in node.items() if key != "$ref"}}


def _without_null(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if "anyOf" not in node:
        return node
    options = [option for option in node["anyOf"] if option.get("type") != "null"]
    if len(options) != 1:
        raise TypeError(f"a field of the resource has one type, not {len(options)}: {node.get('description')}")
    field = {key: value for key, value in node.items() if key != "anyOf"}
    return {**_inlined(options[0], definitions), **field}


def _is_empty(key: str, value: object) -> bool:
    return key == "default" and value in (None, [])


def _property(node: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """A field; an object whose fields have defaults gets them too, since an absent one would hide them.

    They are written out, since the API server checks a default by the object's rules before it fills in the fields'.
    """
    schema = _node(node, definitions)
    fields = schema.get("properties", {})
    defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    if defaults and not schema.get("required"):
        schema.setdefault("default", defaults)
    return schema
