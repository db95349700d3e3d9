import asyncio

import pytest

from novita_operator import metrics
from novita_operator.control.workqueue import Urgency, WorkQueue
from virtual_time import virtual_time


def make_queue() -> WorkQueue:
    return WorkQueue(asyncio.get_running_loop().time, first_retry=1, longest_retry=60)


async def is_empty(queue: WorkQueue) -> bool:
    try:
        async with asyncio.timeout(0.001):
            await queue.get()
    except TimeoutError:
        return True
    return False


def now() -> float:
    return asyncio.get_running_loop().time()


async def take_and_finish(queue: WorkQueue) -> str | None:
    key = await queue.get()
    if key is not None:
        queue.done(key)
    return key


@virtual_time
async def test_a_key_that_was_added_twice_is_handed_out_once():
    queue = make_queue()
    queue.add("a")
    queue.add("a")
    assert await take_and_finish(queue) == "a"
    assert await is_empty(queue)


@virtual_time
async def test_equals_come_in_the_order_in_which_they_were_added():
    queue = make_queue()
    for key in "cab":
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["c", "a", "b"]


@virtual_time
async def test_delete_and_stop_go_before_create_and_create_before_the_rest():
    queue = make_queue()
    for urgency in reversed(Urgency):
        queue.add(urgency.name, urgency)
    assert [await queue.get() for _ in Urgency] == ["DELETE", "STOP", "CREATE", "REST"]


@virtual_time
async def test_a_more_urgent_add_raises_a_key_that_waits():
    queue = make_queue()
    queue.add("first")
    queue.add("raised")
    queue.add("raised", Urgency.DELETE)
    assert [await queue.get(), await queue.get()] == ["raised", "first"]
    assert await is_empty(queue)


@virtual_time
async def test_a_less_urgent_add_does_not_lower_a_key_that_waits():
    queue = make_queue()
    queue.add("a", Urgency.STOP)
    queue.add("b", Urgency.CREATE)
    queue.add("a", Urgency.REST)
    assert await queue.get() == "a"


@virtual_time
async def test_a_key_in_flight_is_handed_out_again_only_after_its_step_if_it_was_added_meanwhile():
    queue = make_queue()
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert await is_empty(queue)
    queue.done("a")
    assert await queue.get() == "a"


@virtual_time
async def test_a_waiting_hand_gets_a_key_the_moment_it_is_added():
    queue = make_queue()
    hands = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(1)
    queue.add("a")
    queue.add("b")
    await asyncio.sleep(0.001)
    assert [hand.result() for hand in hands if hand.done()] == ["a", "b"]
    hands[2].cancel()


@virtual_time
async def test_a_key_is_not_lost_with_a_hand_that_is_cancelled_as_it_wakes():
    queue = make_queue()
    hand = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add("a")
    hand.cancel()
    assert await queue.get() == "a"


@virtual_time
async def test_a_delayed_key_comes_at_its_time():
    queue = make_queue()
    queue.add_after("a", 30)
    assert await queue.get() == "a"
    assert now() == pytest.approx(30)


@virtual_time
async def test_of_several_delays_the_earliest_holds_and_the_others_are_forgotten():
    queue = make_queue()
    for seconds in (30, 10, 20):
        queue.add_after("a", seconds)
    assert await take_and_finish(queue) == "a"
    assert now() == pytest.approx(10)
    await asyncio.sleep(60)
    assert await is_empty(queue)


@virtual_time
async def test_a_delay_survives_an_add_that_comes_before_it():
    queue = make_queue()
    queue.add_after("a", 30)
    queue.add("a")
    assert await take_and_finish(queue) == "a"
    assert await queue.get() == "a"
    assert now() == pytest.approx(30)


@virtual_time
async def test_a_delay_that_is_over_already_is_no_delay():
    queue = make_queue()
    queue.add_after("a", -1)
    assert await queue.get() == "a"


@virtual_time
async def test_the_wait_between_retries_doubles_up_to_its_limit_and_starts_anew_after_a_success():
    queue = make_queue()
    waits = []
    for _ in range(8):
        before = now()
        queue.add_rate_limited("a")
        await take_and_finish(queue)
        waits.append(round(now() - before))
    queue.forget("a")
    before = now()
    queue.add_rate_limited("a")
    await queue.get()
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert now() - before == pytest.approx(1)


@virtual_time
async def test_a_key_that_failed_ten_thousand_times_still_waits_no_longer_than_the_limit():
    queue = make_queue()
    for _ in range(10_000):
        queue.add_rate_limited("a")
        await take_and_finish(queue)
    before = now()
    queue.add_rate_limited("a")
    await queue.get()
    assert now() - before == pytest.approx(60)


@virtual_time
async def test_shutting_down_sends_waiting_hands_home_and_waits_for_the_steps_in_flight():
    queue = make_queue()
    queue.add("in flight")
    await queue.get()
    hand = asyncio.create_task(queue.get())
    queue.add_after("later", 5)
    await asyncio.sleep(1)
    closing = asyncio.create_task(queue.shut_down())
    await asyncio.sleep(10)
    assert not closing.done()
    queue.done("in flight")
    await closing
    assert await hand is None


@virtual_time
async def test_after_the_shut_down_nothing_is_taken_or_handed_out():
    queue = make_queue()
    queue.add("a")
    await queue.shut_down()
    queue.add("b")
    queue.add_after("c", 1)
    queue.add_rate_limited("d")
    assert await queue.get() is None


@virtual_time
async def test_the_metrics_tell_what_waits_and_what_is_under_way():
    queue = make_queue()
    adds = _value("novita_operator_workqueue_adds_total")
    queue.add("a")
    queue.add("a")
    queue.add("b")
    await queue.get()
    assert _value("novita_operator_workqueue_adds_total") - adds == 2
    assert _value("novita_operator_workqueue_depth") == 1
    assert _value("novita_operator_workqueue_active_workers") == 1


def _value(name: str) -> float:
    return metrics.REGISTRY.get_sample_value(name) or 0


@virtual_time
async def test_an_eager_retry_waits_from_the_second_time_on():
    queue, waits = make_queue(), []
    for _ in range(4):
        began = now()
        queue.add_rate_limited("a", eager=True)
        await take_and_finish(queue)
        waits.append(now() - began)
    assert waits == [0, 2, 4, 8]


@virtual_time
async def test_when_what_they_failed_for_is_mended_no_retry_waits_any_longer():
    queue = make_queue()
    for _ in range(7):
        queue.add_rate_limited("failed", Urgency.DELETE)
        queue.add_after("merely later", 600)
        await take_and_finish(queue)
    queue.add_rate_limited("failed", Urgency.DELETE)
    began = now()
    queue.retry_now()
    assert (await take_and_finish(queue), now()) == ("failed", began)
    queue.add_rate_limited("failed")
    await take_and_finish(queue)
    assert now() - began == 1


@virtual_time
async def test_the_longest_wait_is_that_of_the_oldest_key_however_late_it_is_handed_out():
    queue = make_queue()
    assert queue.longest_wait() == 0
    queue.add("a")
    await asyncio.sleep(7)
    queue.add("b", Urgency.DELETE)
    await asyncio.sleep(1)
    assert queue.longest_wait() == 8
    assert await take_and_finish(queue) == "b"
    assert queue.longest_wait() == 8
    assert await take_and_finish(queue) == "a"
    assert queue.longest_wait() == 0
