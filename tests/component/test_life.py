"""A resource lives and dies: the machine follows, and status tells the truth on the way."""

import json

import pytest

from component.operator_fixtures import SECRET, WRITES
from controlplane.plane import ControlPlane
from novita_simulator.client import Simulator
from stage import Cluster, OperatorProcess, eventually

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("running_operator")]


def machine_of(novita: Simulator, cluster: Cluster, name: str) -> str:
    """State of the machine that the resource's status names."""
    return novita.machine(cluster.status(name)["machineName"]).status


def test_created_becomes_ready_with_id_product_region_price_and_endpoints(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer", ports=[{"port": 8000}, {"port": 22, "protocol": "TCP"}])
    cluster.wait("trainer", "Ready")
    status = cluster.status("trainer")
    machine = novita.machine(status["machineName"])
    assert (status["instanceId"], status["state"], machine.status) == (machine.id, "Running", "running")
    assert (status["productId"], status["region"], status["hourlyPrice"]) == ("4090.16c62g", "US-CA-06", "0.18")
    assert [endpoint["port"] for endpoint in status["endpoints"]] == [22, 8000]
    assert all(endpoint["address"] for endpoint in status["endpoints"])
    assert [event["reason"] for event in cluster.events("trainer")] == ["Launched", "Running"]


def test_a_wanted_stop_is_ready_and_a_start_runs_the_same_machine(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    machine_id = cluster.status("trainer")["instanceId"]
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    cluster.wait("trainer", "Ready=true")
    assert cluster.condition("trainer")["reason"] == "Stopped"
    assert machine_of(novita, cluster, "trainer") == "exited"
    cluster.wait("trainer", "Running=false")
    cluster.patch("trainer", {"spec": {"powerState": "Running"}})
    cluster.wait("trainer", "Running")
    cluster.wait("trainer", "Ready")
    assert cluster.status("trainer")["instanceId"] == machine_id


def test_deleted_is_gone_at_novita_before_the_finalizer_goes(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    name = cluster.status("trainer")["machineName"]
    cluster.delete("trainer")
    left = [machine.status for machine in novita.machines() if machine.name == name]
    assert left in ([], ["removed"])
    assert cluster.names() == []


def test_created_as_stopped_launches_nothing_and_is_ready(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer", powerState="Stopped")
    cluster.wait("trainer", "Ready")
    assert cluster.condition("trainer")["reason"] == "Stopped"
    assert novita.journal("create") == []
    cluster.delete("trainer")


def test_a_launch_takes_three_writes_and_polls_that_change_nothing_take_none(
    cluster: Cluster, running_operator: OperatorProcess, novita: Simulator
) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")

    def writes() -> dict[str, float]:
        kinds = ("claim", "status", "release")
        return {
            kind: running_operator.metric("novita_operator_kubernetes_writes_total", write=kind, result="ok")
            for kind in kinds
        }

    assert writes() == {"claim": 1, "status": 2, "release": 0}
    version = cluster.get("trainer")["metadata"]["resourceVersion"]
    polls = len(novita.journal("list"))
    eventually(lambda: len(novita.journal("list")) >= polls + 3, "three more polls")
    assert cluster.get("trainer")["metadata"]["resourceVersion"] == version
    assert writes() == {"claim": 1, "status": 2, "release": 0}
    cluster.delete("trainer")
    eventually(lambda: writes()["release"], "the release is counted")
    assert writes() == {"claim": 1, "status": 2, "release": 1}


def test_a_template_gives_defaults_and_its_reserved_variables_are_dropped(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer", templateId="901", env=[{"name": "MODE", "value": SECRET}])
    cluster.wait("trainer", "Ready")
    machine = novita.machine(cluster.status("trainer")["machineName"])
    environment = dict(machine.envs)
    uid = cluster.get("trainer")["metadata"]["uid"]
    assert environment["NOVITA_OPERATOR_OWNER"].endswith(f"/{cluster.namespace}/trainer/{uid}")
    assert environment["MODE"] == SECRET
    assert machine.image == "docker.io/acme/worker:1.9"


def test_retain_leaves_the_machine_and_writes_its_id_down(
    plane: ControlPlane, cluster: Cluster, home: str, novita: Simulator
) -> None:
    cluster.apply("trainer", deletionPolicy="Retain")
    cluster.wait("trainer", "Ready")
    machine_id = cluster.status("trainer")["instanceId"]
    cluster.delete("trainer")
    kept = json.loads(plane.kubectl("-n", home, "get", "configmap", "novita-operator-retained", "-o", "json").stdout)
    assert kept["data"] == {machine_id: f"{cluster.namespace}/trainer"}
    assert next(machine.status for machine in novita.machines() if machine.id == machine_id) == "running"
    eventually(lambda: [e for e in cluster.events("trainer") if e["reason"] == "Retained"], "the Event says so")


def test_paused_freezes_the_resource_and_resumed_goes_on(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer", annotations={"gpu.novita.ai/paused": "true"})
    cluster.wait_reason("trainer", "Paused")
    polls = len(novita.journal("list"))
    eventually(lambda: len(novita.journal("list")) >= polls + 2, "two more polls")
    assert novita.journal("create") == []
    cluster.patch("trainer", {"metadata": {"annotations": {"gpu.novita.ai/paused": None}}})
    cluster.wait("trainer", "Ready")


def test_a_namespace_with_instances_is_deleted_clean(plane: ControlPlane, cluster: Cluster, novita: Simulator) -> None:
    """A namespace in deletion takes no Events, which must hold nothing up."""
    names = [f"trainer-{number}" for number in range(3)]
    for name in names:
        cluster.apply(name)
    for name in names:
        cluster.wait(name, "Ready")
    machines = {cluster.status(name)["machineName"] for name in names}
    plane.kubectl("delete", "namespace", cluster.namespace, "--timeout=60s")
    assert not {machine.name for machine in novita.machines() if machine.status != "removed"} & machines


def test_foreign_machines_are_neither_touched_nor_shown(cluster: Cluster, novita: Simulator) -> None:
    mark = f"another-cluster/{cluster.namespace}/trainer/0b9c0c0e-1111-4222-8333-444455556666"
    look_alike = novita.plant(
        f"{cluster.namespace}-trainer-3f9a1c2b7d11-abcdefgh", envs={"NOVITA_OPERATOR_OWNER": mark}
    )
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("trainer", "Stopped")
    cluster.delete("trainer")
    own = {asked.name for asked in novita.journal() if asked.operation in WRITES and asked.name}
    assert len(own) == 1
    assert next(m.status for m in novita.machines() if m.id == look_alike[0].id) == "running"
