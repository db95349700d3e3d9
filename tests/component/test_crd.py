"""The CRD on a real API server: what is taken, what is refused, and whether the refusal says what to do."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.plane import ControlPlane
from novita_operator.model.resource import LAUNCH_ONLY

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("crd")]

SAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "samples").glob("*.yaml"))
Apply = Callable[[dict[str, Any]], str]

REFUSED = [
    ("nothing says what to run", {"image": None}, "set templateId or image"),
    ("nothing says on what", {"productName": None}, "set either productName or productId"),
    ("two machine types", {"productId": "4090.16c62g"}, "set either productName or productId"),
    ("an unknown power state", {"powerState": "Paused"}, 'supported values: "Running", "Stopped"'),
    ("no GPU", {"gpuCount": 0}, "greater than or equal to 1"),
    ("nine GPUs", {"gpuCount": 9}, "less than or equal to 8"),
    ("a part of a GPU", {"gpuCount": 0.5}, "must be of type integer"),
    ("a tiny disk", {"rootDiskSizeGB": 5}, "greater than or equal to 10"),
    ("a huge disk", {"rootDiskSizeGB": 5000}, "less than or equal to 1000"),
    ("Novita's own port", {"ports": [{"port": 2222}]}, "used by Novita itself: choose another port"),
    ("a port twice", {"ports": [{"port": 80}, {"port": 80}]}, "duplicate entries for key [port=80]"),
    ("port zero", {"ports": [{"port": 0}]}, "greater than or equal to 1"),
    ("UDP", {"ports": [{"port": 53, "protocol": "UDP"}]}, 'supported values: "HTTP", "TCP"'),
    ("sixteen ports", {"ports": [{"port": p} for p in range(1, 17)]}, "must have at most 15 items"),
    ("a variable of ours", {"env": [{"name": "NOVITA_OPERATOR_OWNER"}]}, "reserved for the operator: choose another"),
    ("a variable twice", {"env": [{"name": "A"}, {"name": "A"}]}, 'duplicate entries for key [name="A"]'),
    ("a variable with a blank", {"env": [{"name": "MY VAR"}]}, "spec.env[0].name"),
    ("a price of nothing", {"billing": {"maxPricePerHour": "0"}}, "must be a quantity above zero"),
    ("a price in words", {"billing": {"maxPricePerHour": "cheap"}}, "spec.billing.maxPricePerHour"),
    ("a number for a price", {"billing": {"maxPricePerHour": 0.35}}, "maxPricePerHour: expected string"),
    ("a fallback from on demand", {"billing": {"mode": "OnDemand", "spotFallback": "OnDemand"}}, "set mode to Spot"),
    ("monthly billing", {"billing": {"mode": "Monthly"}}, 'supported values: "Spot", "OnDemand"'),
    ("a region twice", {"regions": ["US-CA-06", "US-CA-06"]}, "name each once"),
    ("an impatient startup", {"startup": {"timeoutSeconds": 1}}, "greater than or equal to 30"),
    ("a CUDA version in words", {"minCudaVersion": "newest"}, "spec.minCudaVersion"),
    ("an image with a blank", {"image": "docker.io/a b"}, "spec.image"),
    ("an unknown deletion policy", {"deletionPolicy": "Keep"}, 'supported values: "Delete", "Retain"'),
]

CHANGES: dict[str, Any] = {
    "templateId": "106",
    "image": "docker.io/acme/worker:2",
    "imageAuthId": "other",
    "command": "sleep 1",
    "entrypoint": "/bin/sh",
    "env": [{"name": "A", "value": "2"}],
    "ports": [{"port": 81}],
    "productName": "H100 SXM 80GB",
    "productId": "4090.16c62g",
    "gpuCount": 2,
    "rootDiskSizeGB": 200,
    "minCudaVersion": "12.8",
    "regions": ["US-CA-06"],
    "regionPolicy": "Cheapest",
    "billing": {"mode": "OnDemand"},
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_taken_and_no_field_of_it_is_dropped(plane: ControlPlane, namespace: str, sample: Path):
    taken = plane.kubectl("create", "-n", namespace, "--validate=strict", "-o", "json", "-f", str(sample))
    written = yaml.safe_load(sample.read_text())["spec"]
    assert {
        key: value for key, value in json.loads(taken.stdout)["spec"].items() if key in written
    }.keys() == written.keys()


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_bad_manifest_is_refused_with_what_to_do(apply: Apply, change: dict[str, Any], message: str):
    assert message in apply(manifest(**change))


def test_what_a_refusal_names_is_refused_by_nothing_else(apply: Apply):
    assert apply(manifest()) == ""


def test_every_field_that_only_a_launch_reads_is_tried():
    assert set(CHANGES) == set(LAUNCH_ONLY)


@pytest.mark.parametrize("field", LAUNCH_ONLY)
def test_a_field_that_only_a_launch_reads_is_fixed_while_a_machine_exists(apply: Apply, launched: str, field: str):
    refusal = apply(manifest(launched, **{field: CHANGES[field]}))
    assert "spec: Forbidden: what only a launch reads cannot change while a machine exists" in refusal
    assert f"set back spec.{field}, or delete this GpuInstance and create it anew" in refusal


def test_a_field_that_only_a_launch_reads_cannot_be_taken_away_either(apply: Apply, launched: str):
    assert "set back spec.ports, or delete" in apply(manifest(launched, ports=None))


def test_a_refusal_names_all_that_would_have_to_be_set_back(apply: Apply, launched: str):
    refusal = apply(manifest(launched, powerState="Stopped", image="docker.io/acme/worker:2", gpuCount=2))
    assert "set back spec.image, spec.gpuCount, or delete" in refusal


def test_it_may_change_until_a_machine_exists(apply: Apply):
    apply(manifest("unlaunched"))
    assert apply(manifest("unlaunched", gpuCount=4, ports=None)) == ""


def test_what_is_not_read_at_the_launch_may_change_while_a_machine_exists(apply: Apply, launched: str):
    assert apply(manifest(launched, powerState="Stopped", deletionPolicy="Retain")) == ""


def test_the_order_of_ports_is_no_change(apply: Apply, launched: str):
    assert apply(manifest(launched, ports=[{"port": 443}, {"port": 80, "protocol": "HTTP"}])) == ""


def test_what_is_left_out_gets_its_default(apply: Apply, plane: ControlPlane, namespace: str):
    apply(manifest("plain"))
    found = read(plane, namespace, "plain")
    assert found["spec"]["powerState"] == "Running"
    assert found["spec"]["gpuCount"] == 1
    assert found["spec"]["regionPolicy"] == "Ordered"
    assert found["spec"]["deletionPolicy"] == "Delete"
    assert found["spec"]["billing"] == {"mode": "Spot", "spotFallback": "Never"}
    assert found["spec"]["ports"][0]["protocol"] == "HTTP"


def test_a_new_resource_has_not_been_looked_at(apply: Apply, plane: ControlPlane, namespace: str):
    apply(manifest("fresh"))
    assert read(plane, namespace, "fresh")["status"] == {"observedGeneration": -1}


def test_wanted_power_can_be_selected(apply: Apply, plane: ControlPlane, namespace: str):
    apply(manifest("on"))
    apply(manifest("off", powerState="Stopped"))
    found = plane.kubectl("get", "gpui", "-n", namespace, "--field-selector=spec.powerState=Stopped", "-o", "name")
    assert found.stdout.split() == ["gpuinstance.gpu.novita.ai/off"]


def test_a_list_shows_what_people_ask_first(plane: ControlPlane, namespace: str, launched: str):
    narrow, row = plane.kubectl("get", "gpui", "-n", namespace).stdout.splitlines()
    assert narrow.split() == ["NAME", "STATE", "READY", "PRODUCT", "REGION", "$/H", "AGE"]
    assert row.split()[:2] == [launched, "Running"]
    wide = plane.kubectl("get", "novita", "-n", namespace, "-o", "wide").stdout.splitlines()[0]
    assert wide.split()[-3:] == ["ID", "MACHINE", "REASON"]


def test_explain_is_the_manual(plane: ControlPlane):
    text = plane.kubectl("explain", "gpui.spec.billing").stdout
    assert "How the machine is paid" in text
    assert "Most that the whole machine may cost per hour in USD" in text
    assert "enum: Spot, OnDemand" in text


@pytest.fixture
def apply(plane: ControlPlane, namespace: str) -> Apply:
    """Apply a manifest from the server's side; returns the refusal, or nothing."""

    def run(body: dict[str, Any]) -> str:
        command = ("apply", "--server-side", "-n", namespace, "-f", "-")
        return plane.kubectl(*command, input=json.dumps(body), check=False).stderr

    return run


@pytest.fixture
def launched(plane: ControlPlane, namespace: str, apply: Apply) -> str:
    """A resource whose machine exists."""
    name = "launched"
    assert apply(manifest(name)) == ""
    status = json.dumps({"status": {"instanceId": "4be1a90c77d2e655", "state": "Running"}})
    plane.kubectl("patch", "gpui", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", status)
    return name


def manifest(name: str = "", **spec: Any) -> dict[str, Any]:
    """A good manifest, changed; None takes a field away."""
    whole = {
        "image": "docker.io/acme/worker:1",
        "productName": "RTX 4090 24GB",
        "ports": [{"port": 80}, {"port": 443}],
        **spec,
    }
    return {
        "apiVersion": "gpu.novita.ai/v1alpha1",
        "kind": "GpuInstance",
        "metadata": {"name": name or f"i-{secrets.token_hex(4)}"},
        "spec": {key: value for key, value in whole.items() if value is not None},
    }


def read(plane: ControlPlane, namespace: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plane.kubectl("get", "gpui", name, "-n", namespace, "-o", "json").stdout)
    return found
