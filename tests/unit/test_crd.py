"""The CRD as a text: what can be seen without an API server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from novita_operator.model.crd import crd, crd_yaml
from novita_operator.model.resource import LAUNCH_ONLY

CHECKED_IN = Path(__file__).parents[2] / "crds" / "gpu.novita.ai_gpuinstances.yaml"
APPLY_ANNOTATION_LIMIT = 262_144


def test_the_checked_in_crd_is_what_the_models_print():
    assert CHECKED_IN.read_text() == crd_yaml(), "run: make generate"


def test_every_property_is_described():
    undescribed = [path for path, node in properties(root()) if not node.get("description")]
    assert undescribed == [".metadata"], "Kubernetes describes metadata itself, and refuses our word on it"


def test_every_string_and_list_in_the_spec_is_bounded():
    unbounded = [path for path, node in properties(root()["properties"]["spec"]) if not is_bounded(node)]
    assert unbounded == []


def test_nothing_that_kubernetes_refuses_is_printed():
    refused = {"title", "anyOf", "$ref", "$defs", "additionalProperties", "nullable"}
    assert [path for path, node in properties(root()) if refused & node.keys()] == []


def test_every_field_that_only_a_launch_reads_is_in_the_spec():
    assert set(LAUNCH_ONLY) <= root()["properties"]["spec"]["properties"].keys()


def test_client_side_apply_can_carry_the_crd():
    assert len(crd_yaml()) < APPLY_ANNOTATION_LIMIT / 4


def root() -> dict[str, Any]:
    schema: dict[str, Any] = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property below `schema`, with its path."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from properties(child, f"{path}.{name}")
    if "items" in schema:
        yield from properties(schema["items"], f"{path}[]")


def is_bounded(node: dict[str, Any]) -> bool:
    match node["type"]:
        case "string":
            return "maxLength" in node or "enum" in node or node.get("format") == "date-time"
        case "array":
            return "maxItems" in node and is_bounded(node["items"])
        case "integer":
            return {"minimum", "maximum"} <= node.keys()
        case _:
            return True
