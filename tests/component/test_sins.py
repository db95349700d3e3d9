"""The four old sins of such operators, each a test that would catch it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from component.operator_fixtures import FOREIGN, WRITES, StartOperator
from component.test_restart import replace as lose_finalizer_and_claim
from component.test_restart import wipe_status
from controlplane.plane import ControlPlane
from novita_operator.model.naming import MARK_ENV, Mark, machine_name
from novita_simulator.client import Simulator
from novita_simulator.journal import Asked
from novita_simulator.running import running
from stage import QUICK, Cluster, OperatorProcess, eventually

pytestmark = pytest.mark.server

DEAD_UID = "0b9c0c0e-1111-4222-8333-444455556666"
TOKEN = "abcdefgh"


@pytest.fixture
def novita() -> Iterator[Simulator]:
    """As everywhere, but that machines with marks of ours may be planted: of what was created, one for an object."""
    with running(speed=1, durations=QUICK) as simulator:
        yield simulator
        created = {asked.machine_id for asked in simulator.journal("create") if asked.is_applied}
        owners = Counter(entry.group for entry in simulator.ledger().entries if entry.id in created)
        assert max(owners.values(), default=0) <= 1, "a second machine was created for an object"
        touched = {asked.name for asked in simulator.journal() if asked.operation in WRITES}
        assert not touched & FOREIGN, "a foreign machine was touched"


def writes(novita: Simulator) -> list[Asked]:
    """Every call that would have changed something, applied or not."""
    return [asked for asked in novita.journal() if asked.operation in WRITES]


def wait_for_lists(operator: OperatorProcess, count: int) -> None:
    """So many complete polls more."""

    def polls() -> float:
        return operator.metric("novita_fleet_polls_total", result="ok")

    before = polls()
    eventually(lambda: polls() >= before + count, f"{count} more polls")


def kube_system(plane: ControlPlane) -> str:
    """Its UID, which is the cluster id of every mark."""
    return plane.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").stdout


LOST: dict[str, dict[str, Any]] = {
    "cut": {"kind": "lost_after"},
    "hung": {"kind": "hang_after"},
    "erred": {"kind": "status_after", "status": 500},
    "gatewayed": {"kind": "status_after", "status": 504},
}
"""Resource: how the answer to its create is lost after Novita has applied it."""


def test_sin_a_create_repeated_after_a_lost_answer(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    for name, fault in LOST.items():
        novita.fault(**fault, operation="create", name=f"-{name}-")
    for name in LOST:
        cluster.apply(name)
    for name in LOST:
        cluster.wait(name, "Ready")
    novita.clear()
    creates = eventually(
        lambda: len(made := novita.journal("create")) >= len(LOST) and made, "the hung call is told of"
    )
    wait_for_lists(running_operator, 3)
    assert novita.journal("create") == creates
    assert all(asked.faults and asked.is_applied for asked in creates), "each answer was lost after it was applied"
    assert sorted(asked.name for asked in creates) == sorted(cluster.status(name)["machineName"] for name in LOST)
    assert {cluster.status(name)["launches"] for name in LOST} == {1}


def test_sin_every_stopped_machine_migrated_or_started(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    """Stopped by its owner, crashed, taken back by Novita: foreign ones are nobody's business, ours is as wanted."""
    foreign = novita.plant("stopped-by-a-colleague", count=3, billing_mode="spot")
    for machine in foreign[:2]:
        novita.crash(machine.id)
    novita.reclaim(foreign[2].id)
    first = start_operator()
    for name in ("resting", "taken"):
        cluster.apply(name)
    for name in ("resting", "taken"):
        cluster.wait(name, "Ready")
        cluster.patch(name, {"spec": {"powerState": "Stopped"}})
    for name in ("resting", "taken"):
        cluster.wait_reason(name, "Stopped")
    novita.reclaim(cluster.status("taken")["instanceId"])
    before = writes(novita)
    wait_for_lists(first, 4)
    first.kill()
    wait_for_lists(start_operator(), 3)
    assert writes(novita) == before
    ours = {cluster.status(name)["instanceId"] for name in ("resting", "taken")}
    left = {machine.id: machine.status for machine in novita.machines()}
    assert {left[machine_id] for machine_id in ours | {machine.id for machine in foreign}} == {"exited"}


@pytest.mark.parametrize("policy", ["Report", "Delete"])
def test_sin_a_hand_laid_on_a_foreign_machine(
    plane: ControlPlane, cluster: Cluster, novita: Simulator, start_operator: StartOperator, policy: str
) -> None:
    """Each look-alike lacks one thing of ours; a true orphan among them shows that the sweep is at work."""
    operator = start_operator(NOVITA_OPERATOR_ORPHAN_POLICY=policy)
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    own = cluster.status("trainer")["instanceId"]
    uid = cluster.get("trainer")["metadata"]["uid"]
    living = Mark(kube_system(plane), cluster.namespace, "trainer", uid)
    dead = replace(living, uid=DEAD_UID)
    foreign = {machine.id for machine in novita.machines()} - {own}
    foreign |= look_alikes(novita, living) | look_alikes(novita, dead)
    (orphan,) = novita.plant(machine_name(dead, TOKEN), envs={MARK_ENV: str(dead)})
    eventually(lambda: operator.metric("novita_operator_orphans") == 1, "the sweep has seen them all, and one orphan")
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("trainer", "Stopped")
    cluster.patch("trainer", {"spec": {"powerState": "Running"}})
    cluster.wait("trainer", "Running")
    cluster.delete("trainer")
    if policy == "Delete":
        eventually(lambda: operator.metric("novita_operator_orphans_deleted_total") >= 1, "the orphan is deleted")
    wait_for_lists(operator, 3)
    touched = {asked.machine_id for asked in writes(novita)}
    assert touched == ({own, orphan.id} if policy == "Delete" else {own})
    assert {m.status for m in novita.machines() if m.id in foreign} == {"running"}
    assert operator.metric("novita_gpu_instance_duplicates_deleted_total") == 0


def look_alikes(novita: Simulator, ours: Mark) -> set[str]:
    """Ids of running machines, each of which differs from one of ours in name, mark or cluster."""
    name, elsewhere = machine_name(ours, TOKEN), replace(ours, cluster_id="another-cluster")
    others_name = machine_name(replace(ours, uid="another-uid"), TOKEN)
    shapes = {
        "our name without a mark": (name, {}),
        "our name with the mark of another cluster": (name, {MARK_ENV: str(elsewhere)}),
        "our mark with a name that people give": (f"{ours.name}-notebook", {MARK_ENV: f"{ours}"}),
        "our mark with the name of another UID": (others_name, {MARK_ENV: str(ours)}),
        "our mark with a token that is too long": (f"{name}x", {MARK_ENV: str(ours)}),
        "our mark, cut short": (name, {MARK_ENV: str(ours).rpartition("/")[0]}),
        "our mark, and more": (name, {MARK_ENV: f"{ours}/more"}),
        "our mark in another variable": (name, {f"{MARK_ENV}_OF_ANOTHER": str(ours)}),
        "our mark in another case": (name, {MARK_ENV: str(ours).upper()}),
    }
    return {novita.plant(called, envs=envs)[0].id for called, envs in shapes.values()}


@pytest.mark.parametrize("first_page", [0, 1])
def test_sin_only_the_first_page_read(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator, first_page: int
) -> None:
    novita.quirks(first_page=first_page)
    novita.plant("machine-of-a-colleague", count=250)
    first = start_operator()
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    own = cluster.status("trainer")["instanceId"]
    assert [machine.id for machine in novita.machines()].index(own) >= 200, "ours is on the last page only"
    first.kill()
    lose_finalizer_and_claim(cluster, "trainer")
    wipe_status(cluster, "trainer")
    second = start_operator()
    eventually(lambda: cluster.status("trainer").get("instanceId") == own, "the machine is adopted")
    cluster.wait("trainer", "Ready")
    wait_for_lists(second, 3)
    assert len(novita.journal("create")) == 1
    cluster.delete("trainer")
    assert {asked.machine_id for asked in novita.journal("delete")} == {own}
    assert [m.status for m in novita.machines() if m.id == own] in ([], ["removed"])
    assert {asked.page for asked in novita.journal("list") if not asked.name} == {0, 1, 2}
