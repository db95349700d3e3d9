"""The paid call, exactly once: what stands between the decision to launch and the request on the wire."""

import asyncio
from collections.abc import Callable

import pytest

from component.cluster_waiting import until
from component.operator_parts import CLUSTER_ID, LAG, Parts, StartParts, W, alive
from novita_operator.cluster.errors import Conflict, Unreachable
from novita_operator.decision.situation import CallResult, CreateCall
from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER
from novita_operator.model.naming import machine_name
from novita_simulator.client import Simulator
from stage import Cluster, OperatorProcess

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("trainer")]


@pytest.fixture
def trainer(cluster: Cluster) -> None:
    """A resource that wants a machine."""
    cluster.apply("trainer")


async def test_the_claim_stands_in_the_object_before_the_call_is_sent(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    written: list[str] = []

    def look() -> None:
        metadata = cluster.get("trainer")["metadata"]
        assert metadata["finalizers"] == [FINALIZER]
        written.append(metadata["annotations"][CLAIM_ANNOTATION])
        assert still_novita.journal("create") == []

    parts.before_claim = lambda: parts.relay.at_next_answer(look)
    await parts.launch()
    (created,) = still_novita.journal("create")
    assert written == [parts.claim().annotation()]
    assert created.name == parts.claim().machine
    assert parts.known().status.instance_id == still_novita.machine(created.name).id


@pytest.mark.parametrize("age", [W / 3, W / 3 + 1, 100 * W])
async def test_a_claim_that_is_a_third_of_w_old_when_the_call_would_be_written_is_not_called_for(
    still_novita: Simulator, start_parts: StartParts, age: float
) -> None:
    parts = await start_parts()
    at_answer(parts, lambda: parts.clock.turn(age))
    await parts.launch()
    assert still_novita.journal("create") == []
    assert parts.memory.entries[parts.uid()].create_call == (parts.claim().machine, CallResult.NOT_DONE, None)


async def test_a_claim_that_is_a_little_younger_is_called_for(still_novita: Simulator, start_parts: StartParts) -> None:
    parts = await start_parts()
    at_answer(parts, lambda: parts.clock.turn(W / 3 - 1))
    await parts.launch()
    assert len(still_novita.journal("create")) == 1


async def test_a_lease_that_is_lost_between_the_claim_and_the_call_holds_the_call_back(
    still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()

    def lose() -> None:
        parts.may_act = False

    at_answer(parts, lose)
    await parts.launch()
    assert parts.claim().launch == 1
    assert still_novita.journal("create") == []


async def test_a_list_that_grew_old_between_the_claim_and_the_call_holds_the_call_back(
    still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts(fleet_max_age=W / 4)
    at_answer(parts, lambda: parts.clock.turn(W / 4 + 1))
    await parts.launch()
    assert still_novita.journal("create") == []


async def test_what_was_known_not_to_be_sent_is_launched_anew_without_waiting_for_w(
    still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    at_answer(parts, lambda: parts.clock.turn(W / 3))
    await parts.launch()
    unsent = parts.claim().machine
    parts.clock.turn(10)
    await parts.see()
    assert parts.claim().machine != unsent
    assert [asked.name for asked in still_novita.journal("create")] == [parts.claim().machine]


async def test_a_claim_on_a_version_that_has_passed_is_a_conflict_and_nothing_is_called(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    parts.before_claim = lambda: cluster.patch("trainer", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Conflict):
        await parts.launch()
    assert still_novita.journal("create") == []
    await parts.learn()
    assert (parts.known().claim, parts.known().has_finalizer) == (None, False)


async def test_a_claim_whose_answer_is_lost_is_not_called_for_and_the_next_launch_may_follow_at_once(
    still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    parts.before_claim = parts.relay.lose_next_answer
    with pytest.raises(Unreachable):
        await parts.launch()
    assert still_novita.journal("create") == []
    parts.before_claim = lambda: None
    await parts.learn()
    lost = parts.claim()
    await parts.look()
    assert (parts.claim().launch, parts.claim().machine == lost.machine) == (lost.launch + 1, False)
    assert alive(still_novita, parts) == [parts.claim().machine]


async def test_a_worker_reads_the_object_again_after_a_lost_answer_and_goes_on_by_itself(
    still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    lose_once(parts)
    await parts.poller.poll()
    async with parts.at_work():
        await parts.learn()
        await until(lambda: parts.memory.entries != {} and parts.known().status.instance_id is not None)
    assert parts.claim().launch == 2
    assert len(still_novita.journal("create")) == 1


async def test_a_refused_launch_stays_known_as_refused_when_the_next_claim_does_not_come_about(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    still_novita.fault("status_before", "create", status=400, reason="INSUFFICIENT_RESOURCE")
    await parts.launch()
    refused = parts.claim().machine
    parts.before_claim = lambda: cluster.patch("trainer", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Conflict):
        await parts.look()
    parts.before_claim = lambda: None
    assert parts.memory.entries[parts.uid()].create_call == CreateCall(refused, CallResult.NOT_DONE)
    await parts.learn()
    await parts.look()
    assert parts.reason() != "LaunchUncertain"
    assert alive(still_novita, parts) == [parts.claim().machine]


async def test_an_open_breaker_is_heard_before_the_claim_is_written(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    still_novita.fault("status_before", "create", status=503, times=None)
    cluster.kubectl("delete", "gpui", "trainer")
    for number in range(5):
        cluster.apply(f"other-{number}")
    await parts.learn()
    await parts.poller.poll()
    for number in range(5):
        await parts.look(f"other-{number}")
    cluster.apply("trainer")
    await parts.launch()
    assert parts.known().claim is None
    assert len(still_novita.journal("create")) == 5


async def test_no_claim_grows_old_while_its_call_waits_for_a_place_in_the_budget(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """After a 429 nobody calls for a second of the operator's clock, and meanwhile half a minute passes."""
    parts = await start_parts()
    drawn = asyncio.Event()
    cluster.apply("other")
    await parts.learn()
    await parts.poller.poll()
    still_novita.fault("status_before", "create", status=429, retry_after=1)
    await parts.look("other")
    parts.memory.see_born(parts.known())  # or a second look at the machines would wait for a place as well
    parts.before_claim = drawn.set
    launch = asyncio.create_task(parts.look())
    await drawn.wait()
    assert CLAIM_ANNOTATION not in cluster.get("trainer")["metadata"].get("annotations", {})
    parts.clock.turn(W / 2)
    await launch
    assert alive(still_novita, parts) == [parts.claim().machine]


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "status_before", "status_after", "html_200"])
async def test_an_unknown_outcome_is_one_call_and_no_other_while_w_and_the_lag_last(
    still_novita: Simulator, start_parts: StartParts, kind: str
) -> None:
    parts = await start_parts()
    still_novita.fault(kind, "create")  # type: ignore[arg-type]
    still_novita.fault("list_lag", times=None, seconds=1)
    await parts.launch()
    assert parts.reason() == "LaunchUncertain"
    for _ in range(6):
        parts.clock.turn((W + LAG - 1) / 6)
        await parts.see()
    assert len(still_novita.journal("create")) == 1


async def test_a_launch_that_is_cancelled_during_its_call_stays_uncertain(
    still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    held = still_novita.fault("hold_after", "create")
    await parts.learn()
    await parts.poller.poll()
    launch = asyncio.create_task(parts.look())
    await asyncio.to_thread(still_novita.wait_reached, held)
    launch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launch
    assert parts.memory.entries[parts.uid()].create_call == CreateCall(parts.claim().machine, CallResult.UNCERTAIN)
    still_novita.clear()
    await parts.see()
    assert len(still_novita.journal("create")) == 1
    assert parts.known().status.instance_id == still_novita.machine(parts.claim().machine).id


async def test_an_answer_is_not_recorded_over_a_claim_that_has_changed_meanwhile(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    held = still_novita.fault("hold_after", "create")
    await parts.learn()
    await parts.poller.poll()
    launch = asyncio.create_task(parts.look())
    await asyncio.to_thread(still_novita.wait_reached, held)
    another = machine_name(parts.known().mark(CLUSTER_ID), "zzzzzzzz")
    newer = parts.claim().model_copy(update={"machine": another, "launch": 2})
    cluster.patch("trainer", {"metadata": {"annotations": {CLAIM_ANNOTATION: newer.annotation()}}})
    still_novita.release(held)
    with pytest.raises(Conflict):
        await launch
    await parts.learn()
    await parts.look()
    assert parts.known().status.instance_id is None


def test_a_create_that_hangs_ends_by_its_own_bound_so_that_the_breaker_hears_of_it(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    """Cut from outside, it would count as cancelled."""
    novita.fault("hang_after", "create")
    cluster.wait("trainer", "Ready")
    outcome = {"operation": "create", "outcome": "Unknown"}
    assert running_operator.metric("novita_api_requests_total", **outcome) == 1


def at_answer(parts: Parts, act: Callable[[], None]) -> None:
    """Once, when the API server has taken the next claim and before the operator knows."""

    def arm() -> None:
        parts.relay.at_next_answer(act)
        parts.before_claim = lambda: None

    parts.before_claim = arm


def lose_once(parts: Parts) -> None:
    def lose() -> None:
        parts.relay.lose_next_answer()
        parts.before_claim = lambda: None

    parts.before_claim = lose
