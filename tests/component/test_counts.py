"""How much it costs: writes, Events and calls for 200 resources, as exact counts (docs/performance.md)."""

import itertools
import json
import re
from collections import Counter
from typing import NamedTuple

import pytest

from component.operator_fixtures import StartOperator
from controlplane.plane import ControlPlane
from novita_simulator.client import Simulator
from novita_simulator.faults import Kind
from novita_simulator.journal import Asked
from novita_simulator.views import MachineView
from stage import Cluster, OperatorProcess, eventually

pytestmark = pytest.mark.server

MANY = 200
LOST = MANY // 5
PATIENCE = 90.0
CHANGED = 7
RECLAIMED, SEEN_STOPPING, STOPPED_AT_ONCE = range(CHANGED), range(10, 10 + CHANGED), range(20, 20 + CHANGED)
REGIONS = 2
"""Where the simulator has something to sell."""
SETTINGS = {
    "NOVITA_OPERATOR_API_CALLS_PER_MINUTE": "100000",
    "NOVITA_OPERATOR_CLAIM_WINDOW": "60s",
    "INSTANCE_POLL_INTERVAL": "3",
    "NOVITA_OPERATOR_ORPHAN_INTERVAL": "1h",
    "NOVITA_OPERATOR_CATALOGUE_TTL": "1h",
}
"""Patient enough that on a busy machine no call is given up and no list is too old."""
FEW = {"NOVITA_OPERATOR_WORKERS": "4"}
"""So few side by side that of a fifth that is lost no five come back in a row, which would open the breaker."""
KINDS = ("claim", "status", "release")
BY_NAME = "list by name"
TRIES = 3
"""A list whose pages disagree, since machines come or go meanwhile, is read anew."""


class Counts(NamedTuple):
    """What was written to Kubernetes, and what was asked of Novita, since the process or the test began."""

    patches: int
    """Of resources and their status, as the API server counts them."""
    claims: int
    statuses: int
    releases: int
    events: int
    """Made or counted on, as the API server counts them."""
    calls: Counter[str]
    """By operation, as Novita counts them, without the polls' lists."""

    @property
    def writes(self) -> tuple[int, ...]:
        return self[:-1]


class Meter:
    """Reads the counters: the operator's, the API server's (which counts for all who write), and Novita's."""

    def __init__(self, plane: ControlPlane, novita: Simulator) -> None:
        self._plane = plane
        self._novita = novita
        self._before = self._counted()
        self._polls = 0.0

    def begin(self, operator: OperatorProcess | None = None) -> None:
        """From now on calls are counted anew; of an operator that is still to start without its name."""
        self._novita.clear_journal()
        self._polls = polls(operator) if operator else 0.0

    def read(self, operator: OperatorProcess, *, tries: int = 1) -> Counts:
        """Every write that was tried counts, whatever became of it; a poll may cost so many `tries` at a list."""
        claims, statuses, releases = (
            int(operator.metric("novita_operator_kubernetes_writes_total", write=kind)) for kind in KINDS
        )
        asked = self._novita.journal()
        lists = sum(is_of_poll(each) and each.page == 0 for each in asked)
        assert lists <= tries * (polls(operator) - self._polls + 1), "whole lists that no poll asked for"
        calls = Counter(
            BY_NAME if each.name and each.operation == "list" else each.operation
            for each in asked
            if not is_of_poll(each)
        )
        patches, events = (after - before for after, before in zip(self._counted(), self._before, strict=True))
        return Counts(patches, claims, statuses, releases, events, calls)

    def _counted(self) -> tuple[int, int]:
        """PATCHes of our resources, and writes of Events, that the API server has answered, by whatever code."""
        shown = self._plane.kubectl("get", "--raw", "/metrics").stdout

        def answered(group: str, resource: str, verbs: str) -> int:
            labels = (f'group="{group}"', f'resource="{resource}"', f'verb="(?:{verbs})"')
            wanted = "".join(f"(?=.*{label})" for label in labels)
            values = re.findall(rf"^apiserver_request_total\{{{wanted}.*\}} (\S+)$", shown, re.MULTILINE)
            return sum(int(float(value)) for value in values)

        return answered("gpu.novita.ai", "gpuinstances", "APPLY|PATCH"), answered(
            "events.k8s.io", "events", "POST|PATCH"
        )


def is_of_poll(asked: Asked) -> bool:
    return asked.operation == "list" and not asked.name


def polls(operator: OperatorProcess) -> float:
    """Whatever came of them."""
    return operator.metric("novita_fleet_polls_total")


def create_all(cluster: Cluster, novita: Simulator) -> None:
    """By POST, so that every PATCH that is counted is the operator's; all run when it returns."""
    novita.set_stock(2 * MANY)
    spec = {"image": "docker.io/acme/worker:1.9", "productName": "RTX 4090 24GB"}
    kind = {"apiVersion": "gpu.novita.ai/v1alpha1", "kind": "GpuInstance"}
    items = [{**kind, "metadata": {"name": name}, "spec": spec} for name in names(range(MANY))]
    cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    eventually(lambda: states(cluster) == {"Running": MANY}, "all run", PATIENCE)


def names(numbers: range) -> list[str]:
    return [f"worker-{number:03}" for number in numbers]


def states(cluster: Cluster) -> Counter[str]:
    return Counter(cluster.kubectl("get", "gpui", "-o", "jsonpath={.items[*].status.state}").split())


def ours(cluster: Cluster, novita: Simulator) -> list[MachineView]:
    """The machines that were made for the resources of the namespace."""
    return [machine for machine in novita.machines() if machine.name.startswith(f"{cluster.namespace}-worker-")]


def delete_all(cluster: Cluster) -> None:
    """With one call, as a namespace's end does it; all are gone when it returns."""
    path = f"/apis/gpu.novita.ai/v1alpha1/namespaces/{cluster.namespace}/gpuinstances"
    cluster.kubectl("delete", "--raw", path)
    eventually(lambda: not cluster.names(), "all are gone", PATIENCE)


def told(cluster: Cluster) -> Counter[str]:
    """Reasons of all Events of the namespace."""
    found = cluster.kubectl("get", "events.v1.events.k8s.io", "-o", "jsonpath={.items[*].reason}")
    return Counter(found.split())


def wait_for_lists(operator: OperatorProcess, count: int) -> None:
    """So many complete polls more."""

    def complete() -> float:
        return operator.metric("novita_fleet_polls_total", result="ok")

    before = complete()
    eventually(lambda: complete() >= before + count, f"{count} more polls")


def wait_told(cluster: Cluster, expected: Counter[str]) -> Counter[str]:
    """Events are posted one by one: what is told when these are."""
    eventually(lambda: told(cluster) >= expected, f"Events say {expected}", PATIENCE)
    return told(cluster)


def pages(novita: Simulator) -> list[tuple[int | None, ...]]:
    """The pages of the lists that are whole in the journal, list by list."""
    asked = [each.page for each in novita.journal("list")]
    begun = [index for index, page in enumerate(asked) if page == 0]
    return [tuple(asked[begin:end]) for begin, end in itertools.pairwise(begun)]


class Loss(NamedTuple):
    """What becomes of a fifth of the creates; what it costs more."""

    fault: Kind | None = None
    claim_window: str = "60s"
    lost: int = 0
    least_told: int = 0
    relaunched: int = 0


LOSSES = {
    "no answer is lost": Loss(),
    "a fifth lose the answer to their create": Loss("lost_after", lost=LOST, least_told=LOST // 2),
    "a fifth of the creates never arrive": Loss(
        "lost_before", claim_window="15s", lost=LOST, least_told=LOST, relaunched=LOST
    ),
}
"""On a busy machine a list may show what was launched before the loss of the answer is noticed: nothing to tell then.

A launch that is not there is made anew after the claim window, which is shorter then.
"""


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest) -> Loss:
    return LOSSES[request.param]


def test_200_resources_cost_three_writes_each_and_one_or_two_more_per_lost_create_then_none_but_for_changes_and_release(
    plane: ControlPlane, cluster: Cluster, novita: Simulator, start_operator: StartOperator, loss: Loss
) -> None:
    """The uncertainty is one write and one Event more; a second launch one write, and two looks that show none."""
    settings = SETTINGS | {"NOVITA_OPERATOR_CLAIM_WINDOW": loss.claim_window} | (FEW if loss.fault else {})
    meter = Meter(plane, novita)
    operator = start_operator(**settings)
    if loss.fault is not None:
        for name in names(range(0, MANY, MANY // LOST)):
            novita.fault(loss.fault, "create", name=f"-{name}-")
    create_all(cluster, novita)
    events = wait_told(cluster, all_run := Counter(Launched=MANY, Running=MANY))
    uncertain = (events - all_run).total()
    assert events == all_run + Counter(LaunchUncertain=uncertain)
    assert loss.least_told <= uncertain <= loss.lost
    wait_for_lists(operator, 1)
    created = meter.read(operator, tries=TRIES)
    claims, statuses = MANY + loss.relaunched, 2 * MANY + uncertain
    assert created.writes == (claims + statuses, claims, statuses, 0, events.total())
    looks = {BY_NAME: 2 * loss.relaunched} if loss.relaunched else {}
    assert created.calls == {"create": MANY + loss.relaunched, "clusters": 1, "products": REGIONS, **looks}
    creates = novita.journal("create")
    assert sum(asked.status == 0 and asked.is_applied == (loss.fault == "lost_after") for asked in creates) == loss.lost
    applied = {asked.name for asked in creates if asked.is_applied}
    assert {machine.name for machine in ours(cluster, novita)} == applied, "one machine each"

    meter.begin(operator)
    wait_for_lists(operator, 5)
    assert meter.read(operator) == created._replace(calls=Counter()), "at rest"
    assert set(pages(novita)) == {(0, 1, 2)}, "a poll asks for the pages of one list"

    changed = change(cluster, novita, operator, meter)
    assert operator.stop() == 0
    meter.begin()
    operator = start_operator(**settings)
    wait_for_lists(operator, 2)
    restarted = meter.read(operator)
    assert restarted == (changed.patches, 0, 0, 0, changed.events, {}), "a new process has written nothing"

    delete_all(cluster)
    wait_for_lists(operator, 1)
    released = meter.read(operator, tries=TRIES)
    assert released.writes == (changed.patches + MANY, 0, 0, MANY, changed.events)
    assert released.calls == {"delete": MANY, "get": MANY}
    assert {machine.status for machine in ours(cluster, novita)} <= {"removed"}


def change(cluster: Cluster, novita: Simulator, operator: OperatorProcess, meter: Meter) -> Counts:
    """Novita takes some machines back, users stop some others; what all has cost then."""
    before, events = meter.read(operator), told(cluster)
    for machine in ours(cluster, novita):
        if any(f"-{name}-" in machine.name for name in names(RECLAIMED)):
            novita.reclaim(machine.id)
    assert wait_told(cluster, events := events + Counter(SpotReclaimed=2 * CHANGED)) == events
    reclaimed = meter.read(operator)
    assert reclaimed.patches == before.patches + CHANGED
    assert reclaimed.calls == {}

    stop(cluster, novita, names(SEEN_STOPPING), seconds=3)
    assert wait_told(cluster, events := events + Counter(Stopping=CHANGED, Stopped=CHANGED)) == events
    stopped = meter.read(operator)
    assert stopped.patches == reclaimed.patches + CHANGED + 3 * CHANGED, (
        "the users'; Stopping, running no more, Stopped"
    )
    assert stopped.calls == {"stop": CHANGED}

    meter.begin(operator)
    stop(cluster, novita, names(STOPPED_AT_ONCE), seconds=0)
    assert wait_told(cluster, events := events + Counter(Stopping=CHANGED, Stopped=CHANGED)) == events
    changed = meter.read(operator)
    assert changed.patches == stopped.patches + CHANGED + 2 * CHANGED, "the users'; Stopping, Stopped"
    assert changed.calls == {"stop": CHANGED}
    assert changed.events == events.total()
    return changed


def stop(cluster: Cluster, novita: Simulator, which: list[str], *, seconds: float) -> None:
    """By one PATCH of the users' each; twice so many seconds is how long their machines take."""
    novita.durations(toStop=seconds, stopping=seconds)
    cluster.kubectl("patch", "gpui", *which, "--type=merge", "-p", json.dumps({"spec": {"powerState": "Stopped"}}))
