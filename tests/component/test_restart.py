"""Whatever is lost, one machine: the process at any moment, its answer, the record, the claim, the finalizer."""

import json
from typing import Any

import pytest

from component.operator_fixtures import StartOperator
from controlplane.plane import ControlPlane
from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER
from novita_simulator.client import Simulator
from stage import Cluster, OperatorProcess, eventually

pytestmark = pytest.mark.server


def machines(novita: Simulator) -> list[str]:
    """Names of the machines that were created through the API and are there."""
    return [
        m.name for m in novita.machines() if m.group and m.status != "removed" and not m.name.startswith("trainer-3")
    ]


def test_killed_between_claim_and_answer_ends_with_one_machine(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    """Both ways: the call was received but not applied, and then never is."""
    first = start_operator()
    held = novita.fault("hold_before", "create")
    cluster.apply("trainer")
    novita.wait_reached(held)
    first.kill()
    novita.release(held, drop=True)
    start_operator()
    cluster.wait("trainer", "Ready")
    assert machines(novita) == [cluster.status("trainer")["machineName"]]
    assert cluster.status("trainer")["launches"] == 2


def test_killed_after_the_call_was_applied_adopts_that_machine(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    first = start_operator()
    held = novita.fault("hold_after", "create")
    cluster.apply("trainer")
    novita.wait_reached(held)
    first.kill()
    novita.clear()
    start_operator()
    cluster.wait("trainer", "Ready")
    assert machines(novita) == [cluster.status("trainer")["machineName"]]
    assert len(novita.journal("create")) == 1


def test_killed_between_answer_and_record_adopts_that_machine(
    plane: ControlPlane, cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    """The API server is away when the answer comes, so that the record cannot be written before the kill."""
    first = start_operator(NOVITA_OPERATOR_CLAIM_WINDOW="30s")
    held = novita.fault("hold_after", "create")
    cluster.apply("trainer")
    novita.wait_reached(held)
    plane.stop_api()
    try:
        novita.release(held)
        eventually(lambda: "launched" in first.lines, "the operator has the answer")
        first.kill()
    finally:
        plane.start_api()
    assert "instanceId" not in cluster.status("trainer")
    start_operator()
    cluster.wait("trainer", "Ready")
    assert len(novita.journal("create")) == 1


def test_a_lost_answer_is_looked_up_and_never_repeated(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    novita.fault("lost_after", "create")
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    assert len(novita.journal("create")) == 1
    assert running_operator.metric("novita_gpu_instance_launches_total", outcome="uncertain") == 1


def test_a_call_that_was_lost_before_it_was_applied_is_made_anew_after_the_window(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    novita.fault("lost_before", "create")
    cluster.apply("trainer")
    cluster.wait_reason("trainer", "LaunchUncertain")
    cluster.wait("trainer", "Ready")
    assert [asked.is_applied for asked in novita.journal("create")] == [False, True]
    assert running_operator.metric("novita_gpu_instance_launches_total", outcome="created") == 1


LOSSES: dict[str, dict[str, Any]] = {
    "status": {"status": True},
    "finalizer and claim": {"metadata": True},
    "status, finalizer and claim": {"status": True, "metadata": True},
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("when", ["while the operator runs", "while it is down"])
def test_loss_of_what_the_object_keeps_never_launches_a_second_machine(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator, loss: str, when: str
) -> None:
    operator = start_operator()
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    before = cluster.status("trainer")
    if when == "while it is down":
        operator.kill()
    if "metadata" in LOSSES[loss]:
        replace(cluster, "trainer")
    if "status" in LOSSES[loss]:
        wipe_status(cluster, "trainer")
    if when == "while it is down":
        start_operator()

    def is_whole() -> bool:
        found = cluster.get("trainer")
        whole = found["metadata"].get("finalizers") == [FINALIZER]
        same = found["status"].get("instanceId") == before["instanceId"]
        return whole and same and CLAIM_ANNOTATION in found["metadata"].get("annotations", {})

    eventually(is_whole, "claim, finalizer and record are back")
    cluster.wait("trainer", "Ready")
    assert len(novita.journal("create")) == 1
    if when == "while the operator runs" or len(LOSSES[loss]) == 1:
        assert cluster.status("trainer")["hourlyPrice"] == before["hourlyPrice"]


def test_a_copied_manifest_with_anothers_claim_launches_its_own_machine(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    original = cluster.get("trainer")
    claim = original["metadata"]["annotations"][CLAIM_ANNOTATION]
    cluster.apply("copy", annotations={CLAIM_ANNOTATION: claim})
    cluster.wait("copy", "Ready")
    assert cluster.status("copy")["instanceId"] != original["status"]["instanceId"]
    cluster.delete("copy")
    assert machines(novita) == [original["status"]["machineName"]]
    assert running_operator.metric("novita_gpu_instance_duplicates_deleted_total") == 0


def test_deleted_while_the_launch_is_uncertain_leaves_nothing_behind(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    held = novita.fault("hold_after", "create")
    cluster.apply("trainer")
    novita.wait_reached(held)
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    novita.release(held, drop=True)
    cluster.kubectl("wait", "gpui/trainer", "--for=delete", "--timeout=30s")
    assert machines(novita) == []
    assert running_operator.metric("novita_gpu_instance_launches_total", outcome="uncertain") == 1


def test_a_restart_writes_nothing(cluster: Cluster, novita: Simulator, start_operator: StartOperator) -> None:
    first = start_operator()
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    version = cluster.get("trainer")["metadata"]["resourceVersion"]
    assert first.stop() == 0
    second = start_operator()
    polls = len(novita.journal("list"))
    eventually(lambda: len(novita.journal("list")) >= polls + 2, "two more polls")
    assert cluster.get("trainer")["metadata"]["resourceVersion"] == version
    assert second.metric("novita_operator_kubernetes_writes_total") == 0


def replace(cluster: Cluster, name: str) -> None:
    """`kubectl replace` with the manifest as somebody keeps it: no finalizer, no claim."""
    found = cluster.get(name)
    metadata = {key: found["metadata"][key] for key in ("name", "namespace")}
    body = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata, "spec": found["spec"]}
    cluster.kubectl("replace", "-f", "-", input=json.dumps(body))


def wipe_status(cluster: Cluster, name: str) -> None:
    """All of status is gone."""
    fields = dict.fromkeys(cluster.status(name))
    cluster.patch(name, {"status": fields}, "--subresource=status")
