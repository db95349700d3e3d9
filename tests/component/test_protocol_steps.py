"""A step that meets a changed, vanished or broken world: read again, decide again, and hurt nobody else."""

import asyncio
import itertools

import pytest

from component.cluster_waiting import until
from component.operator_parts import LAG, StartParts, W, alive
from novita_operator.cluster.errors import Conflict, Gone
from novita_operator.control.about import SUBJECT
from novita_operator.metrics import KUBERNETES_WRITES
from novita_operator.model.claim import CLAIM_ANNOTATION
from novita_simulator.client import Simulator
from novita_simulator.faults import Kind
from stage import Cluster

pytestmark = pytest.mark.server

UP = 600.0
"""Simulated seconds after which a machine runs."""


async def test_a_status_that_meets_a_newer_version_is_decided_anew_and_never_repeated(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    still_novita.advance(UP)
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    before = writes()
    with pytest.raises(Conflict):
        await parts.see()
    assert cluster.status("trainer")["state"] == "Starting"
    async with parts.at_work():
        parts.queue.add(parts.uid())
        await until(lambda: parts.reason() == "Stopping")
    assert cluster.status("trainer")["observedGeneration"] == 2
    assert [asked.machine_id for asked in still_novita.journal("stop")] == [parts.known().status.instance_id]
    assert writes() - before == {"status conflict": 2, "status ok": 1}


async def test_an_object_that_is_gone_is_forgotten(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.learn()
    await parts.poller.poll()
    cluster.delete("trainer")
    with pytest.raises(Gone):
        await parts.look()
    async with parts.at_work():
        parts.queue.add(parts.uid())
        await until(lambda: not parts.memory.entries)
    assert still_novita.journal("create") == []


async def test_a_step_that_fails_unexpectedly_comes_back_later_and_later_and_hurts_no_other_object(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    for name in ("poisoned", "healthy"):
        cluster.apply(name)
    parts = await start_parts()
    failed: list[float] = []

    def fail() -> None:
        if str((SUBJECT.get() or {})["object"]).endswith("/poisoned"):
            failed.append(asyncio.get_running_loop().time())
            raise RuntimeError("nobody thought of this")

    parts.before_claim = fail
    await parts.learn()
    await parts.poller.poll()
    async with parts.at_work(workers=1):
        for name in ("poisoned", "healthy"):
            parts.queue.add(parts.uid(name))
        await until(lambda: len(failed) >= 4)
        parts.before_claim = lambda: None
        await until(lambda: all(parts.known(name).status.instance_id for name in ("poisoned", "healthy")))
    waits = [later - earlier for earlier, later in itertools.pairwise(failed)]
    assert waits == sorted(waits)
    assert waits[-1] > 2 * waits[0]
    assert len(still_novita.journal("create")) == 2


async def test_novita_s_refusal_of_one_object_does_not_hold_up_another(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    for name in ("refused", "healthy"):
        cluster.apply(name)
    parts = await start_parts()
    still_novita.fault(
        "status_before", "create", name="refused", status=400, reason="INVALID_COMMAND_PARAM", times=None
    )
    await parts.learn()
    await parts.poller.poll()
    for name in ("refused", "healthy"):
        await parts.look(name)
    assert parts.reason("refused") == "Refused"
    assert len(alive(still_novita, parts, "healthy")) == 1
    await parts.look("refused")
    assert len(still_novita.journal("create")) == 2


async def test_from_nothing_to_running_takes_three_writes_and_then_none(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    before = writes()
    await parts.launch()
    still_novita.advance(UP)
    await parts.see()
    assert parts.reason() == "Running"
    assert writes() - before == {"claim ok": 1, "status ok": 2}
    for _ in range(5):
        parts.clock.turn(30)
        await parts.see()
        await parts.learn()
        await parts.look()
    assert sum((writes() - before).values()) == 3
    again = await start_parts()
    await again.launch()
    assert sum((writes() - before).values()) == 3


async def test_a_deletion_takes_one_write(cluster: Cluster, still_novita: Simulator, start_parts: StartParts) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    still_novita.advance(UP)
    await parts.see()
    before = writes()
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    await parts.launch()
    assert len(still_novita.journal("delete")) == 1
    still_novita.advance(UP)
    parts.clock.turn(LAG + 1)
    await parts.see()
    assert cluster.names() == []
    assert writes() - before == {"release ok": 1}


async def test_a_finalizer_is_not_dropped_for_a_delete_that_was_not_acknowledged(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """The call is repeated; and what is not shown is not believed to be gone before W and the lag are over."""
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    still_novita.advance(UP)
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    still_novita.fault("lost_before", "delete")
    await parts.launch()
    still_novita.fault("shrunken_list", fraction=1.0, times=None)
    for _ in range(4):
        parts.clock.turn((W + LAG) / 5)
        await parts.see()
    assert cluster.names() == ["trainer"]
    assert parts.known().has_finalizer
    still_novita.clear()
    await parts.see()
    assert [asked.is_applied for asked in still_novita.journal("delete")] == [False, True]


async def test_while_the_list_fails_nothing_is_created_stopped_or_deleted(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    for name in ("deleted", "stopped"):
        cluster.apply(name)
    parts = await start_parts()
    await parts.learn()
    await parts.poller.poll()
    for name in ("deleted", "stopped"):
        await parts.look(name)
    still_novita.advance(UP)
    for name in ("deleted", "stopped"):
        await parts.see(name)
    cluster.kubectl("delete", "gpui", "deleted", "--wait=false")
    cluster.patch("stopped", {"spec": {"powerState": "Stopped"}})
    cluster.apply("wanted")
    still_novita.fault("status_before", "list", status=400, times=None)
    parts.clock.turn(parts.memory.policy.fleet_max_age + 1)
    still_novita.clear_journal()
    await parts.learn()
    await parts.poller.poll()
    for name in ("deleted", "stopped", "wanted"):
        await parts.look(name)
    assert {asked.operation for asked in still_novita.journal()} == {"list"}
    assert {parts.reason(name) for name in ("stopped", "wanted")} == {"NovitaUnreachable"}
    still_novita.clear()
    for name in ("deleted", "stopped", "wanted"):
        await parts.see(name)
    assert {"delete", "stop", "create"} <= {asked.operation for asked in still_novita.journal()}


class Counts(dict[str, int]):
    """Writes to the API server, by what and how they ended."""

    def __sub__(self, earlier: "Counts") -> dict[str, int]:
        return {what: count - earlier.get(what, 0) for what, count in self.items() if count != earlier.get(what, 0)}


def writes() -> Counts:
    samples = [sample for metric in KUBERNETES_WRITES.collect() for sample in metric.samples]
    return Counts(
        {
            "{write} {result}".format(**sample.labels): int(sample.value)
            for sample in samples
            if sample.name.endswith("_total")
        }
    )


@pytest.mark.parametrize("lie", ["slipped_item", "shrunken_list"])
async def test_an_object_that_lost_everything_before_a_restart_gets_no_second_machine_by_one_list_that_lies(
    lie: Kind, cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """Neither claim, finalizer, status nor memory says that there is one: two readings do."""
    cluster.apply("trainer")
    first = await start_parts()
    await first.launch()
    launched = first.claim().machine
    cluster.patch("trainer", {"metadata": {"finalizers": None, "annotations": {CLAIM_ANNOTATION: None}}})
    cluster.patch("trainer", {"status": None}, "--subresource=status")
    still_novita.fault(lie, name=launched if lie == "slipped_item" else "", total_agrees=True)
    parts = await start_parts()
    await parts.launch()
    await parts.see()
    assert alive(still_novita, parts) == [launched]
    assert parts.claim().machine == launched
