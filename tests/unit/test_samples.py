from pathlib import Path
from typing import Any

import yaml

from novita_operator.model.crd import crd

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"


def test_every_field_of_the_spec_stands_in_a_sample():
    [version] = crd()["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    samples = [yaml.safe_load(path.read_text())["spec"] for path in SAMPLES.glob("*.yaml")]
    assert fields(spec) - set().union(*map(said, samples)) == set()


def fields(schema: dict[str, Any], path: str = "spec") -> set[str]:
    """The paths of a schema's fields, those of lists without an index."""
    inside = schema.get("items", schema).get("properties", {})
    return {path}.union(*(fields(child, f"{path}.{name}") for name, child in inside.items()))


def said(value: Any, path: str = "spec") -> set[str]:  # noqa: ANN401  YAML
    """The paths that a sample gives a value to."""
    if isinstance(value, list):
        return {path}.union(*(said(item, path) for item in value))
    named = value.items() if isinstance(value, dict) else ()
    return {path}.union(*(said(child, f"{path}.{name}") for name, child in named))
