"""kubeconform, with the schemas that the API server itself publishes."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from controlplane.plane import ControlPlane
from toolbox.tools import tool

_PLACE = "{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"  # the core group is v1, by kubeconform's count

Schema = dict[str, Any]


def write_schemas(plane: ControlPlane, api_versions: Iterable[str], folder: Path) -> None:
    """A schema for each kind of these API versions, as kubeconform looks for it; no field but those that are known."""
    for api_version in api_versions:
        group, _, version = api_version.rpartition("/")
        path = f"apis/{api_version}" if group else f"api/{version}"
        published = json.loads(plane.kubectl("get", "--raw", f"/openapi/v3/{path}").stdout)["components"]["schemas"]
        shared = f"{group or version}_{version}.json"
        (folder / shared).write_text(json.dumps({"definitions": _strict(published)}))
        for name, kind in _kinds(published, group):
            file = folder / f"{group or version}_{version}_{kind.lower()}.json"
            file.write_text(json.dumps({"$ref": f"{shared}#/definitions/{name}"}))


def conform(text: str, folder: Path) -> list[str]:
    """What `kubeconform -strict` finds wrong with the objects; a kind without a schema is wrong too."""
    command = [str(tool("kubeconform")), "-strict", "-output", "json", "-schema-location", f"{folder}/{_PLACE}"]
    said = subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout
    return [f"{found['kind']} {found['name']}: {found['msg']}" for found in json.loads(said)["resources"]]


def _kinds(published: Schema, group: str) -> Iterator[tuple[str, str]]:
    for name, schema in published.items():
        for served in schema.get("x-kubernetes-group-version-kind", ()):
            if served["group"] == group:
                yield name, served["kind"]


def _strict(schema: Any) -> Any:  # noqa: ANN401  JSON
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    if isinstance(reference := found.get("$ref"), str):
        found["$ref"] = reference.replace("#/components/schemas/", "#/definitions/")
    if isinstance(found.get("properties"), dict) and not found.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found
