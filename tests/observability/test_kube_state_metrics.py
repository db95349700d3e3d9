"""The configuration of kube-state-metrics speaks of fields that there are, and lists the words that they can hold."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from novita_operator.model.crd import crd
from novita_operator.model.reasons import State
from novita_operator.model.resource import GROUP, PLURAL, PowerState
from observability.expressions import ROOT

FOLDER = ROOT / "manifests" / "kube-state-metrics"
(RESOURCE,) = yaml.safe_load((FOLDER / "config.yaml").read_text())["spec"]["resources"]
METRICS = {metric["name"]: metric["each"] for metric in RESOURCE["metrics"]}
(VERSION,) = crd()["spec"]["versions"]
METADATA = {"namespace", "name", "uid", "creationTimestamp", "deletionTimestamp", "generation"}


def details(name: str) -> dict[str, Any]:
    """The one member of the metric's union that its type names."""
    each = METRICS[name]
    (member,) = {*each} - {"type"}
    assert member == each["type"][0].lower() + each["type"][1:]
    found: dict[str, Any] = each[member]
    return found


def paths(name: str) -> Iterator[list[str]]:
    """Every path from the root that the metric reads."""
    said = details(name)
    root = said.get("path", [])
    yield from ([*root, *path] for path in [said.get("valueFrom", []), *said.get("labelsFromPath", {}).values()])


def is_there(path: list[str]) -> bool:
    schema = VERSION["schema"]["openAPIV3Schema"]
    if path and path[0] == "metadata":
        return len(path) == 2 and path[1] in METADATA
    for name in path:
        schema = schema.get("items", schema)
        if name not in schema.get("properties", {}):
            return False
        schema = schema["properties"][name]
    return True


def test_it_is_about_our_resource():
    names = crd()["spec"]
    assert RESOURCE["groupVersionKind"] == {
        "group": GROUP,
        "version": VERSION["name"],
        "kind": names["names"]["kind"],
    }


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_reads_fields_that_there_are(name: str):
    assert [path for path in paths(name) if not is_there(path)] == []


def test_state_sets_list_every_word():
    assert details("gpuinstance_status_state")["list"] == [*State]
    assert details("gpuinstance_spec_power_state")["list"] == [*PowerState]
    condition = VERSION["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]["items"]
    assert details("gpuinstance_status_condition")["list"] == condition["properties"]["status"]["enum"]


def test_its_rights_are_to_read_and_no_more():
    role, _ = yaml.safe_load_all((FOLDER / "rbac.yaml").read_text())
    granted = {(*rule["apiGroups"], *rule["resources"]): rule["verbs"] for rule in role["rules"]}
    assert granted == {
        (GROUP, PLURAL): ["list", "watch"],
        ("apiextensions.k8s.io", "customresourcedefinitions"): ["list", "watch"],
    }
