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
from novita_simulator.views import MachineView
from stage import Cluster, OperatorProcess, eventually

pytestmark = pytest.mark.server

MANY = 200
LOST = MANY // 5
PATIENCE = 90.0
CHANGED = 7
SETTINGS = {
    "NOVITA_OPERATOR_API_CALLS_PER_MINUTE": "100000",
    "NOVITA_OPERATOR_CLAIM_WINDOW": "60s",
    "INSTANCE_POLL_INTERVAL": "3",
    "NOVITA_OPERATOR_ORPHAN_INTERVAL": "1h",
}
"""Patient enough that on a busy machine no call is given up and no list is too old."""
WITH_TIME = {"list", "products", "clusters"}
"""Calls that are made for all objects together, as often as settings say."""
KINDS = ("claim", "status", "release", "event")


class Counts(NamedTuple):
    """What was written to Kubernetes, and what was asked of Novita, since the process or the test began."""

    patches: int
    """Of resources and their status, as the API server counts them."""
    claims: int
    statuses: int
    releases: int
    events: int
    calls: Counter[str]
    """Per object, by operation, as Novita counts them."""

    @property
    def writes(self) -> tuple[int, ...]:
        return self[:-1]


class Meter:
    """Reads the counters: the operator's, the API server's (which counts for all who write), and Novita's."""

    def __init__(self, plane: ControlPlane, novita: Simulator) -> None:
        self._plane = plane
        self._novita = novita
        self._patches = self._counted()

    def read(self, operator: OperatorProcess) -> Counts:
        """Every write that was tried counts, whatever became of it."""
        claims, statuses, releases, events = (
            int(operator.metric("novita_operator_kubernetes_writes_total", write=kind)) for kind in KINDS
        )
        calls = Counter(asked.operation for asked in self._novita.journal() if asked.operation not in WITH_TIME)
        return Counts(self._counted() - self._patches, claims, statuses, releases, events, calls)

    def _counted(self) -> int:
        """PATCHes of our resources that the API server has answered, by whatever code."""
        shown = self._plane.kubectl("get", "--raw", "/metrics").stdout
        ours = r'^apiserver_request_total\{(?=.*resource="gpuinstances")(?=.*verb="(?:APPLY|PATCH)").*\} (\S+)$'
        return sum(int(float(value)) for value in re.findall(ours, shown, re.MULTILINE))


def create_all(cluster: Cluster, novita: Simulator) -> None:
    """By POST, so that every PATCH that is counted is the operator's; all run when it returns."""
    novita.set_stock(2 * MANY)
    spec = {"image": "docker.io/acme/worker:1.9", "productName": "RTX 4090 24GB"}
    kind = {"apiVersion": "gpu.novita.ai/v1alpha1", "kind": "GpuInstance"}
    items = [{**kind, "metadata": {"name": f"worker-{number:03}"}, "spec": spec} for number in range(MANY)]
    cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    eventually(lambda: states(cluster) == {"Running": MANY}, "all run", PATIENCE)


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

    def polls() -> float:
        return operator.metric("novita_fleet_polls_total", result="ok")

    before = polls()
    eventually(lambda: polls() >= before + count, f"{count} more polls")


def pages(novita: Simulator) -> list[tuple[int | None, ...]]:
    """The pages of the lists that are whole in the journal, list by list."""
    asked = [each.page for each in novita.journal("list")]
    begun = [index for index, page in enumerate(asked) if page == 0]
    return [tuple(asked[begin:end]) for begin, end in itertools.pairwise(begun)]


@pytest.mark.parametrize("lost", [0, LOST], ids=["no answer is lost", "a fifth lose the answer to their create"])
def test_200_resources_cost_three_writes_each_and_one_more_per_lost_answer_then_none_but_for_changes_and_the_release(
    plane: ControlPlane, cluster: Cluster, novita: Simulator, start_operator: StartOperator, lost: int
) -> None:
    """The uncertainty is one write and one Event more, and no call."""
    meter = Meter(plane, novita)
    operator = start_operator(**SETTINGS)
    for number in range(0, lost * MANY // LOST, MANY // LOST):
        novita.fault("lost_after", "create", name=f"-worker-{number:03}-")
    create_all(cluster, novita)
    expected = {"Launched": MANY, "Running": MANY, **({"LaunchUncertain": lost} if lost else {})}
    eventually(lambda: told(cluster) == expected, "Events, which are posted one by one, have said it all", PATIENCE)
    wait_for_lists(operator, 1)
    created = meter.read(operator)
    assert created.writes == (3 * MANY + lost, MANY, 2 * MANY + lost, 0, 2 * MANY + lost)
    assert created.calls == {"create": MANY}
    creates = novita.journal("create")
    assert sum(asked.status == 0 and asked.is_applied for asked in creates) == lost
    assert {machine.name for machine in ours(cluster, novita)} == {asked.name for asked in creates}, "one machine each"
    novita.clear_journal()
    wait_for_lists(operator, 5)
    at_rest = meter.read(operator)
    assert at_rest == created._replace(calls=Counter()), "at rest"
    assert set(pages(novita)) == {(0, 1, 2)}, "a poll asks for the pages of one list"

    for machine in ours(cluster, novita)[:CHANGED]:
        novita.reclaim(machine.id)
    eventually(lambda: states(cluster) == {"Running": MANY - CHANGED, "Reclaimed": CHANGED}, "the change is seen")
    wait_for_lists(operator, 1)
    changed = meter.read(operator)
    assert changed.patches == created.patches + CHANGED
    assert changed.calls == Counter()

    assert operator.stop() == 0
    operator = start_operator(**SETTINGS)
    wait_for_lists(operator, 2)
    restarted = meter.read(operator)
    assert restarted == (changed.patches, 0, 0, 0, 0, changed.calls), "a new process has written nothing"

    delete_all(cluster)
    wait_for_lists(operator, 1)
    released = meter.read(operator)
    assert released.writes == (changed.patches + MANY, 0, 0, MANY, 0)
    assert released.calls == {"delete": MANY, "get": MANY}
    assert {machine.status for machine in ours(cluster, novita)} <= {"removed"}
