"""Blind means still: without a fresh and complete list nothing is created, stopped or deleted, and all are told.

An open breaker rests for half a minute, so all outages are played side by side, each with an operator, a namespace and
a Novita of its own.
"""

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from component.operator_fixtures import FOREIGN, WRITES, StartOperator
from controlplane.plane import ControlPlane
from novita_operator.model.naming import MARK_ENV, Mark, machine_name
from novita_simulator.client import Simulator
from novita_simulator.journal import Asked
from novita_simulator.running import running
from stage import PATIENCE, QUICK, Cluster, OperatorProcess, eventually, install_account

pytestmark = pytest.mark.server

LONG = 3 * PATIENCE
CALLS_PER_MINUTE = 300
SETTINGS = {
    "NOVITA_OPERATOR_API_CALLS_PER_MINUTE": str(CALLS_PER_MINUTE),
    "NOVITA_OPERATOR_ORPHAN_POLICY": "Delete",
}
HANGING = "hanging"
RESTING = "Novita did not answer lately"
OUTAGES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "connections are cut": ({"kind": "lost_before"}, (RESTING, "no whole answer")),
    HANGING: ({"kind": "hang_before"}, ("",)),
    "5xx": ({"kind": "status_before", "status": 503}, (RESTING, "HTTP 503")),
    "the content network's 403": ({"kind": "html_403"}, ("the content network in front of Novita blocks us",)),
    "a 200 that is no JSON": ({"kind": "html_200"}, (RESTING, "HTTP 200 without JSON")),
    "a page that fails": (
        {"kind": "status_before", "operation": "list", "page": 1, "status": 500},
        (RESTING, "HTTP 500"),
    ),
}
"""The fault, and what is read of it in status and at /readyz, one of these: what the breaker says hides the rest."""


class Scene(NamedTuple):
    """One outage: its operator, its namespace, its Novita, and the machines there that nobody may touch."""

    outage: str
    cluster: Cluster
    novita: Simulator
    operator: OperatorProcess
    here: Mark
    spared: frozenset[str]

    def writes(self) -> Counter[tuple[str, str]]:
        """What would change something at Novita, applied or not: operation and machine's name."""
        return Counter((asked.operation, asked.name) for asked in writes(self.novita))

    def sight(self) -> dict[str, Any]:
        """What /readyz says of Novita."""
        found: dict[str, Any] = self.operator.get("/readyz").json()["dependencies"]["novita"]
        return found

    def machine(self, name: str) -> str:
        machine: str = self.cluster.status(name)["machineName"]
        return machine

    def plant(self, mark: Mark) -> str:
        """Id of a machine that bears the mark and a name that goes with it."""
        return self.novita.plant(machine_name(mark, "abcdefgh"), envs={MARK_ENV: str(mark)})[0].id

    def left(self) -> dict[str, str]:
        return {machine.id: machine.status for machine in self.novita.machines()}


def writes(novita: Simulator) -> list[Asked]:
    return [asked for asked in novita.journal() if asked.operation in WRITES]


@contextlib.contextmanager
def scene(plane: ControlPlane, outage: str, folder: Path) -> Iterator[Scene]:
    """Everything in place, three resources applied; not waited for."""
    namespace = f"test-{secrets.token_hex(4)}"
    home = f"{namespace}-home"
    with contextlib.ExitStack() as stack:
        novita = stack.enter_context(running(speed=1, durations=QUICK))
        for name in (namespace, home):
            plane.kubectl("create", "namespace", name)
            stack.callback(plane.kubectl, "delete", "namespace", name, "--wait=false")
        cluster = Cluster(plane, namespace)
        stack.callback(let_go, cluster)
        uid = plane.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").stdout
        here = Mark(uid, namespace, "gone", "uid-of-gone")
        spared = frozenset(spare(plane, novita, here, home))
        kubeconfig = install_account(plane, home)
        settings = {"NOVITA_OPERATOR_NAMESPACE": home, **SETTINGS}
        process = OperatorProcess(folder / namespace, kubeconfig, novita.url, settings, "--namespace", namespace)
        stack.callback(process.kill)
        for name in ("staying", "stopping", "leaving"):
            cluster.apply(name)
        yield Scene(outage, cluster, novita, process, here, spared)


def spare(plane: ControlPlane, novita: Simulator, here: Mark, home: str) -> Iterator[str]:
    """Ids of the machines without a resource that a sweep with the policy Delete leaves alone."""
    marks = {
        "retained": replace(here, uid="uid-of-retained"),
        "elsewhere": replace(here, uid="uid-of-elsewhere", namespace="not-watched"),
        "another cluster's": replace(here, uid="uid-of-another", cluster_id="another-cluster"),
    }
    planted = {
        kind: novita.plant(machine_name(mark, "abcdefgh"), envs={MARK_ENV: str(mark)})[0].id
        for kind, mark in marks.items()
    }
    plane.kubectl(
        "-n", home, "create", "configmap", "novita-operator-retained", f"--from-literal={planted['retained']}=left"
    )
    yield from planted.values()
    yield from (machine.id for machine in novita.machines() if machine.name in FOREIGN)
    yield from (machine.id for machine in novita.plant("machine-of-a-colleague", count=120))


def let_go(cluster: Cluster) -> None:
    for name in cluster.names():
        cluster.patch(name, {"metadata": {"finalizers": None}})


@pytest.fixture
def scenes(plane: ControlPlane, crd: None, tmp_path: Path) -> Iterator[list[Scene]]:  # noqa: ARG001  it must be served
    """One for each outage, all of their resources Ready."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(scene(plane, outage, tmp_path)) for outage in OUTAGES]
        for each in found:
            each.cluster.kubectl("wait", "gpui", "--all", "--for=condition=Ready", f"--timeout={LONG:.0f}s")
        yield found
        for each in found:
            assert max(each.novita.ledger().max_alive.values()) <= 1, "an object had two machines at once"


def test_blind_means_still_status_and_readyz_say_why_and_afterwards_each_wish_takes_one_call(
    scenes: list[Scene],
) -> None:
    for each in scenes:
        each.novita.fault(**OUTAGES[each.outage][0], times=None)
    for each in scenes:
        is_blind(each)
    before = {each.outage: each.writes() for each in scenes}
    orphans = {each.outage: each.plant(each.here) for each in scenes}
    for each in scenes:
        each.cluster.apply("coming")
        each.cluster.patch("stopping", {"spec": {"powerState": "Stopped"}})
        each.cluster.kubectl("delete", "gpui", "leaving", "--wait=false")
    for each in scenes:
        is_told(each)
    for each in scenes:
        assert each.writes() == before[each.outage], f"{each.outage}: a hand moved"
        each.novita.clear_journal()
        each.novita.clear()
    for each in scenes:
        is_at_rest(each, orphans[each.outage])


def is_blind(each: Scene) -> None:
    """/readyz says so, and why; it stays ready, since no other replica would see more."""

    def says_why() -> bool:
        detail = each.sight()["detail"]
        return detail.startswith("no fresh list") and is_why(each, detail)

    eventually(says_why, f"{each.outage}: /readyz says so, but {each.sight()}")
    assert each.sight()["ok"] is False
    assert each.operator.get("/readyz").status_code == 200


def is_why(each: Scene, text: str) -> bool:
    return any(why in text for why in OUTAGES[each.outage][1])


def is_told(each: Scene) -> None:
    """Each wish was seen, and is answered with why nothing is done; the sweep could not see, either."""
    for name in ("coming", "stopping", "leaving", *(() if each.outage == HANGING else ("staying",))):
        told = each.cluster.wait_reason(name, "NovitaUnreachable")
        assert told["status"] == "Unknown"
        assert is_why(each, told["message"]), (each.outage, told["message"])
    if each.outage != HANGING:
        eventually(lambda: "no sweep for orphans this time" in each.operator.lines, f"{each.outage}: a sweep was tried")


def is_at_rest(each: Scene, orphan: str) -> None:
    """Every wish is done, by one call each; what is not ours to delete is left."""
    each.cluster.wait("coming", "Ready", LONG)
    each.cluster.wait("staying", "Ready")
    each.cluster.wait_reason("stopping", "Stopped")
    each.cluster.kubectl("wait", "gpui/leaving", "--for=delete", f"--timeout={PATIENCE:.0f}s")
    eventually(lambda: each.left().get(orphan) in (None, "removed"), f"{each.outage}: the sweep sees again")
    eventually(lambda: each.sight()["ok"], f"{each.outage}: /readyz says so")
    calls = each.novita.journal()
    assert len(calls) <= CALLS_PER_MINUTE, f"{each.outage}: a storm"
    done = Counter(asked.operation for asked in calls if asked.operation in WRITES)
    assert done == {"create": 1, "stop": 1, "delete": 2}, each.outage
    left = each.left()
    assert {left[machine_id] for machine_id in each.spared} == {"running"}, each.outage


def test_a_list_that_shrinks_by_all_of_ours_moves_no_hand_and_what_is_shown_again_is_served(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    """Eight vanish at once, for longer than the brake holds: then each is asked for alone, and is there."""
    operator = start_operator(NOVITA_OPERATOR_ORPHAN_POLICY="Delete")
    names = [f"worker-{number}" for number in range(8)]
    for name in names:
        cluster.apply(name)
    cluster.kubectl("wait", "gpui", "--all", "--for=condition=Ready", f"--timeout={PATIENCE:.0f}s")
    before = writes(novita)
    novita.fault("shrunken_list", "list", fraction=1.0, times=None)
    eventually(lambda: operator.metric("novita_fleet_suspect") == 1, "the brake is on")
    cluster.patch("worker-0", {"spec": {"powerState": "Stopped"}})
    cluster.kubectl("delete", "gpui", "worker-1", "--wait=false")
    eventually(lambda: operator.metric("novita_fleet_suspect") == 0, "the lists are believed")
    eventually(lambda: len(asked_alone(novita)) == len(names), "each was asked for alone")
    seen = len(novita.journal("list"))
    eventually(lambda: len(novita.journal("list")) >= seen + 6, "six more lists")
    assert writes(novita) == before
    novita.clear()
    cluster.wait_reason("worker-0", "Stopped")
    cluster.kubectl("wait", "gpui/worker-1", "--for=delete", f"--timeout={PATIENCE:.0f}s")
    for name in names[2:]:
        cluster.wait(name, "Ready")
    assert Counter(asked.operation for asked in writes(novita)) == {"create": 8, "stop": 1, "delete": 1}


def asked_alone(novita: Simulator) -> set[str]:
    return {asked.machine_id for asked in novita.journal("get")}
