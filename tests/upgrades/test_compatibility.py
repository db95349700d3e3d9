"""A new CRD takes nothing away: compared with every release; and the comparison finds whatever is planted."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from novita_operator.model.crd import crd, fixed_after_launch
from novita_operator.model.resource import LAUNCH_ONLY
from upgrades.compatibility import breaks

RELEASED = sorted((Path(__file__).parents[2] / "crds" / "released").glob("v*.yaml"))
Node = dict[str, Any]
Plant = Callable[[Node], object]


def root(definition: Node) -> Node:
    schema: Node = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def field(definition: Node, *path: str) -> Node:
    """A field by its path; `[]` steps into a list."""
    node = root(definition)
    for name in path:
        node = node["items"] if name == "[]" else node["properties"][name]
    return node


def spec(definition: Node) -> Node:
    return field(definition, "spec")


def rule(text: str, **more: str) -> Node:
    return {"rule": text, "message": "so it is", **more}


def version(definition: Node) -> Node:
    found: Node = definition["spec"]["versions"][0]
    return found


UNSAFE: list[tuple[str, Plant, str]] = [
    ("another group", lambda d: d["spec"].update(group="novita.ai"), "group: gpu.novita.ai became novita.ai"),
    ("another scope", lambda d: d["spec"].update(scope="Cluster"), "scope: Namespaced became Cluster"),
    ("another kind", lambda d: d["spec"]["names"].update(kind="Gpu"), "names.kind: GpuInstance became Gpu"),
    ("no short name", lambda d: d["spec"]["names"]["shortNames"].clear(), "names.shortNames: gpui was removed"),
    ("no version", lambda d: d["spec"]["versions"].clear(), "v1alpha1: the version is no longer served"),
    ("not served", lambda d: version(d).update(served=False), "v1alpha1: the version is no longer served"),
    (
        "no status",
        lambda d: version(d)["subresources"].clear(),
        "v1alpha1: the subresource status was removed or changed",
    ),
    (
        "nothing to select by",
        lambda d: version(d)["selectableFields"].pop(),
        "v1alpha1.status.region: can no longer be selected by",
    ),
    ("a field less", lambda d: spec(d)["properties"].pop("image"), "v1alpha1.spec.image: the field was removed"),
    (
        "a status field less",
        lambda d: field(d, "status")["properties"].pop("endpoints"),
        "v1alpha1.status.endpoints: the field was removed",
    ),
    (
        "a field of an item less",
        lambda d: field(d, "spec", "ports", "[]")["properties"].pop("protocol"),
        "v1alpha1.spec.ports[].protocol: the field was removed",
    ),
    (
        "another type",
        lambda d: field(d, "spec", "gpuCount").update(type="string"),
        "v1alpha1.spec.gpuCount: type: integer became string",
    ),
    (
        "another default",
        lambda d: field(d, "spec", "powerState").update(default="Stopped"),
        "v1alpha1.spec.powerState: default Running became Stopped",
    ),
    (
        "no default",
        lambda d: field(d, "spec", "powerState").pop("default"),
        "v1alpha1.spec.powerState: default Running became None",
    ),
    (
        "no default of an object",
        lambda d: field(d, "spec", "billing").pop("default"),
        "v1alpha1.spec.billing: default {'mode': 'Spot', 'spotFallback': 'Never'} became None",
    ),
    (
        "another pattern",
        lambda d: field(d, "spec", "image").update(pattern="^docker"),
        r"v1alpha1.spec.image: pattern: ^[^\s]+$ became ^docker",
    ),
    (
        "a new pattern",
        lambda d: field(d, "spec", "productName").update(pattern="^R"),
        "v1alpha1.spec.productName: pattern: None became ^R",
    ),
    (
        "another kind of list",
        lambda d: field(d, "spec", "env").update({"x-kubernetes-list-type": "atomic"}),
        "v1alpha1.spec.env: x-kubernetes-list-type: map became atomic",
    ),
    (
        "a lower most",
        lambda d: field(d, "spec", "gpuCount").update(maximum=4),
        "v1alpha1.spec.gpuCount: maximum 8 became 4",
    ),
    (
        "a higher least",
        lambda d: field(d, "spec", "gpuCount").update(minimum=2),
        "v1alpha1.spec.gpuCount: minimum 1 became 2",
    ),
    (
        "a shorter text",
        lambda d: field(d, "spec", "image").update(maxLength=99),
        "v1alpha1.spec.image: maxLength 500 became 99",
    ),
    (
        "a shorter list",
        lambda d: field(d, "spec", "ports").update(maxItems=3),
        "v1alpha1.spec.ports: maxItems 15 became 3",
    ),
    (
        "a new bound",
        lambda d: field(d, "spec", "ports").update(minItems=1),
        "v1alpha1.spec.ports: minItems None became 1",
    ),
    (
        "a word less",
        lambda d: field(d, "spec", "billing", "mode")["enum"].remove("Spot"),
        "v1alpha1.spec.billing.mode: Spot is no longer taken",
    ),
    (
        "a closed set where there was none",
        lambda d: field(d, "spec", "productName").update(enum=["RTX 4090 24GB"]),
        "v1alpha1.spec.productName: only RTX 4090 24GB is taken now",
    ),
    (
        "a field that must be there",
        lambda d: spec(d).setdefault("required", []).append("image"),
        "v1alpha1.spec: image became required",
    ),
    (
        "a new field that must be there",
        lambda d: (spec(d)["properties"].update(team={"type": "string"}), spec(d).update(required=["team"])),
        "v1alpha1.spec: team became required",
    ),
    (
        "a new rule",
        lambda d: spec(d)["x-kubernetes-validations"].append(rule("self.gpuCount < 3")),
        "v1alpha1.spec: new rule: so it is",
    ),
    (
        "another rule",
        lambda d: spec(d)["x-kubernetes-validations"][0].update(rule("has(self.image)")),
        "v1alpha1.spec: new rule: so it is",
    ),
    (
        "a new rule that narrows an old field in the name of a new one",
        lambda d: root(d)["x-kubernetes-validations"].append(rule("self.spec.gpuCount < 3", fieldPath=".spec.team")),
        "v1alpha1: new rule: so it is",
    ),
    (
        "a new rule that asks for a new field",
        lambda d: root(d)["x-kubernetes-validations"].append(rule("has(self.spec.team)", fieldPath=".spec.team")),
        "v1alpha1: new rule: so it is",
    ),
    (
        "an old field that is fixed now",
        lambda d: root(d)["x-kubernetes-validations"][0].update(
            fixed_after_launch((*LAUNCH_ONLY, "powerState")) | {"message": "no"}
        ),
        "v1alpha1: new rule: no",
    ),
    (
        "the rule of the launch, where it sees no status",
        lambda d: spec(d)["x-kubernetes-validations"].append(fixed_after_launch(("team",)) | {"message": "no"}),
        "v1alpha1.spec: new rule: no",
    ),
    (
        "a rule for changes that looks at new objects too",
        lambda d: root(d)["x-kubernetes-validations"][0].update(optionalOldSelf=True, message="no"),
        "v1alpha1: new rule: no",
    ),
    (
        "a bound that is itself no longer taken",
        lambda d: field(d, "spec", "gpuCount").update(exclusiveMaximum=True),
        "v1alpha1.spec.gpuCount: exclusiveMaximum: None became True",
    ),
    (
        "what must hold as well",
        lambda d: field(d, "spec", "image").update(allOf=[{"minLength": 9}]),
        "v1alpha1.spec.image: allOf: None became [{'minLength': 9}]",
    ),
    (
        "what must not hold",
        lambda d: field(d, "spec", "image").update({"not": {"maxLength": 9}}),
        "v1alpha1.spec.image: not: None became {'maxLength': 9}",
    ),
    (
        "a null that is taken",
        lambda d: field(d, "spec", "image").update(nullable=True),
        "v1alpha1.spec.image: nullable: None became True",
    ),
    (
        "a list of nothing",
        lambda d: field(d, "spec", "ports").pop("items"),
        "v1alpha1.spec.ports: items changed as a whole",
    ),
    (
        "a map of anything",
        lambda d: field(d, "spec", "startup").update(additionalProperties=True),
        "v1alpha1.spec.startup: additionalProperties changed as a whole",
    ),
    (
        "another conversion",
        lambda d: d["spec"].update(conversion={"strategy": "None"}),
        "conversion: None became {'strategy': 'None'}",
    ),
    (
        "no longer stored",
        lambda d: version(d).update(storage=False),
        "v1alpha1: storage: True became False",
    ),
    (
        "a subresource by other paths",
        lambda d: version(d)["subresources"].update(status={"path": ".state"}),
        "v1alpha1: the subresource status was removed or changed",
    ),
]
SAFE: list[tuple[str, Plant]] = [
    ("another description", lambda d: field(d, "spec", "image").update(description="What runs.")),
    ("another column", lambda d: version(d)["additionalPrinterColumns"].pop()),
    ("a new field", lambda d: spec(d)["properties"].update(team={"type": "string", "maxLength": 9})),
    ("a new field with a default", lambda d: field(d, "spec", "billing")["default"].update(cycle="Hour")),
    ("a default of a new field alone", lambda d: field(d, "spec", "startup").update(default={"probes": 1})),
    ("a new status field", lambda d: field(d, "status")["properties"].update(load={"type": "string"})),
    ("a higher most", lambda d: field(d, "spec", "gpuCount").update(maximum=16)),
    ("a lower least", lambda d: field(d, "spec", "rootDiskSizeGB").update(minimum=1)),
    ("a bound less", lambda d: field(d, "spec", "image").pop("maxLength")),
    ("a pattern less", lambda d: field(d, "spec", "image").pop("pattern")),
    ("a word more", lambda d: field(d, "spec", "billing", "mode")["enum"].append("Monthly")),
    ("a closed set opened", lambda d: field(d, "spec", "billing", "mode").pop("enum")),
    ("a field that need not be there", lambda d: root(d)["required"].remove("spec")),
    ("a rule less", lambda d: spec(d)["x-kubernetes-validations"].pop()),
    ("the same rule in other words for people", lambda d: spec(d)["x-kubernetes-validations"][0].update(message="No.")),
    (
        "a new field that is fixed after the launch",
        lambda d: root(d)["x-kubernetes-validations"][0].update(fixed_after_launch((*LAUNCH_ONLY, "team"))),
    ),
    (
        "a field that is no longer fixed after the launch",
        lambda d: root(d)["x-kubernetes-validations"][0].update(fixed_after_launch(LAUNCH_ONLY[1:])),
    ),
    (
        "a new version beside the old",
        lambda d: d["spec"]["versions"].append({**version(d), "name": "v1beta1", "storage": False}),
    ),
]


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_the_crd_takes_nothing_away_from_users_of_a_release(released: Path):
    assert list(breaks(yaml.safe_load(released.read_text()), crd())) == []


def test_there_is_a_release_to_compare_with():
    assert RELEASED


@pytest.mark.parametrize(("plant", "sentence"), [row[1:] for row in UNSAFE], ids=[row[0] for row in UNSAFE])
def test_what_takes_something_away_is_named(plant: Plant, sentence: str):
    assert list(breaks(crd(), planted(plant))) == [sentence]


@pytest.mark.parametrize("plant", [row[1] for row in SAFE], ids=[row[0] for row in SAFE])
def test_what_only_gives_is_safe(plant: Plant):
    assert list(breaks(crd(), planted(plant))) == []


def planted(plant: Plant) -> Node:
    """Our CRD, changed."""
    changed = copy.deepcopy(crd())
    plant(changed)
    assert changed != crd(), "nothing was planted"
    return changed
