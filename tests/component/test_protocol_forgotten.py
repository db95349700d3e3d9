"""An object that goes, changes or comes back older in the middle of a step: ordinary, quiet, and nobody's machine."""

import asyncio
import itertools

import pytest

from component.cluster_waiting import until
from component.operator_parts import FIRST_RETRY, LAG, Parts, StartParts, W
from novita_operator.cluster.errors import Gone
from novita_operator.metrics import KUBERNETES_WRITES
from novita_simulator.client import Simulator
from novita_simulator.faults import Operation
from stage import Cluster

pytestmark = pytest.mark.server

UP = 600.0
"""Simulated seconds after which a machine runs."""
RESTORED = 1_000_000
"""By so many versions the backup is behind what memory has."""


async def test_an_object_that_goes_while_its_claim_is_written_gets_no_machine_and_stays_forgotten(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.learn()
    parts.before_claim = lambda: forget_at_the_next_answer(parts)
    with pytest.raises(Gone):
        await parts.see()
    assert still_novita.journal("create") == []
    assert parts.memory.entries == {}


async def test_an_object_that_goes_while_its_status_is_written_stays_forgotten(
    cluster: Cluster, start_parts: StartParts
) -> None:
    cluster.apply("trainer", annotations={"gpu.novita.ai/paused": "true"})
    parts = await start_parts()
    await parts.learn()
    forget_at_the_next_answer(parts)
    await parts.look()
    assert cluster.condition("trainer")["reason"] == "Paused"
    assert parts.memory.entries == {}


@pytest.mark.parametrize("operation", ["stop", "start", "get"])
async def test_an_object_that_goes_while_novita_is_asked_about_its_machine_ends_its_step_quietly(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts, operation: Operation
) -> None:
    parts = await up(cluster, still_novita, start_parts)
    machine_id = str(parts.known().status.instance_id)
    if operation == "stop":
        cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    elif operation == "start":
        still_novita.crash(machine_id)
        still_novita.set_stock(0)
    else:
        still_novita.vanish(machine_id)
    parts.clock.turn(W + LAG)
    await parts.learn()
    held = still_novita.fault("hold_before", operation)
    step = asyncio.create_task(parts.see())
    await asyncio.to_thread(still_novita.wait_reached, held)
    parts.memory.forget(parts.uid())
    still_novita.release(held)
    await step
    assert parts.memory.entries == {}


async def test_no_hand_is_laid_on_a_machine_for_a_wish_that_was_taken_back_meanwhile(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await up(cluster, still_novita, start_parts)
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    await parts.learn()
    cluster.patch("trainer", {"spec": {"powerState": "Running"}})
    await parts.see()
    assert parts.reason() == "Running"
    assert still_novita.journal("stop") == []


@pytest.mark.parametrize("heals", ["the next write", "the next comparison"])
async def test_an_object_that_a_restored_etcd_shows_at_a_lower_version_is_heard_again(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts, heals: str
) -> None:
    parts = await up(cluster, still_novita, start_parts)
    know_a_later_version(parts)
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    if heals == "the next write":
        still_novita.crash(str(parts.known().status.instance_id))
        await parts.poller.poll()
    else:
        await parts.learn()
    before = conflicts()
    async with parts.at_work():
        parts.queue.add(parts.uid())
        await until(lambda: parts.known().status.observed_generation == 2)
    assert conflicts() - before <= 1
    assert still_novita.journal("create")[1:] == []


async def test_a_conflict_that_repeats_is_met_later_and_later(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await up(cluster, still_novita, start_parts)
    cluster.patch("trainer", {"metadata": {"annotations": {"gpu.novita.ai/paused": "true"}}})
    await parts.learn()
    times: list[float] = []

    def disturb() -> None:
        """Whatever the operator reads or writes, somebody else is faster."""
        times.append(asyncio.get_running_loop().time())
        cluster.kubectl("annotate", "gpui", "trainer", "--overwrite", f"disturbed={len(times)}")
        parts.relay.at_next_answer(disturb)

    cluster.kubectl("annotate", "gpui", "trainer", "disturbed=0")
    parts.relay.at_next_answer(disturb)
    async with parts.at_work(workers=1):
        parts.queue.add(parts.uid())
        await until(lambda: waits(times)[-1:] >= [32 * FIRST_RETRY])
    assert len(times) <= 30


async def up(cluster: Cluster, novita: Simulator, start_parts: StartParts) -> Parts:
    """An operator and its one machine, running."""
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    novita.advance(UP)
    await parts.see()
    assert parts.reason() == "Running"
    return parts


def forget_at_the_next_answer(parts: Parts) -> None:
    """As if DELETED came before the answer."""
    uid = parts.uid()
    parts.relay.at_next_answer(lambda: parts.memory.forget(uid))


def know_a_later_version(parts: Parts) -> None:
    """As it is after a restore: what memory has was written after the backup."""
    known = parts.known()
    later = str(int(known.metadata.resource_version) + RESTORED)
    metadata = known.metadata.model_copy(update={"resource_version": later})
    parts.memory.remember(known.model_copy(update={"metadata": metadata}))


def waits(times: list[float]) -> list[float]:
    """Between two of them, in order of length."""
    return sorted(later - earlier for earlier, later in itertools.pairwise(times))


def conflicts() -> float:
    return sum(
        sample.value
        for metric in KUBERNETES_WRITES.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and "conflict" in sample.labels.values()
    )
