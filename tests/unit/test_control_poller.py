"""The poller's pace, counted in lists and in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import pytest

from build import MACHINE_ID, NOW, POLICY, UID, claim, instance, machine, recorded
from novita_operator.cloud.errors import CloudError, NotSent, Unauthorized, Unknown
from novita_operator.control.cadence import Cadence
from novita_operator.control.clock import Clock
from novita_operator.control.fleet import FleetPoller
from novita_operator.control.memory import Memory, Sight
from novita_operator.control.workqueue import WorkQueue
from novita_operator.decision.situation import PowerCall, Verb
from novita_operator.model.machine import Machine, MachineState
from virtual_time import virtual_time

if TYPE_CHECKING:
    from novita_operator.cloud.port import Cloud

FAST, SLOW = 10.0, 30.0
MINUTE, HOUR = 60.0, 3600.0


class Lists:
    """The one question that the poller asks; answers with what there is, or fails."""

    def __init__(self, *machines: Machine, takes: float = 0.1) -> None:
        self.machines_there = machines
        self.trouble: CloudError | None = None
        self.asked: list[float] = []
        self.takes = takes

    async def machines(self) -> tuple[Machine, ...]:
        self.asked.append(now())
        shown = self.machines_there
        await asyncio.sleep(self.takes)
        if self.trouble is not None:
            raise self.trouble
        return shown


class Stage:
    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        self.memory = Memory(POLICY, Clock(lambda: NOW, now), started=now())
        self.queue = WorkQueue(now)
        self.cadence = Cadence(self.memory, fast=FAST, slow=SLOW, random=lambda: 0.5)
        self.poller = FleetPoller(cast("Cloud", lists), self.memory, self.queue, self.cadence)

    async def woken(self) -> set[str]:
        """The keys that wait in the queue, taken out of it."""
        keys: set[str] = set()
        while True:
            step = asyncio.create_task(self.queue.get())
            await asyncio.sleep(0)
            if not step.done():
                step.cancel()
                return keys
            key = step.result()
            assert key is not None
            self.queue.done(key)
            keys.add(key)


@contextlib.asynccontextmanager
async def polling(*machines: Machine) -> AsyncIterator[Stage]:
    """As the operator begins: one list, then the loop."""
    stage = Stage(Lists(*machines))
    await stage.poller.poll()
    stage.lists.asked.clear()
    loop = asyncio.create_task(stage.poller.run())
    try:
        yield stage
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


@virtual_time
async def test_while_nothing_moves_lists_come_slowly():
    async with polling(machine()) as stage:
        await asyncio.sleep(HOUR)
        assert len(stage.lists.asked) == HOUR // SLOW - 1


@virtual_time
async def test_while_a_machine_of_ours_moves_lists_come_fast():
    async with polling(machine(MachineState.PULLING)) as stage:
        await asyncio.sleep(HOUR)
        assert HOUR // FAST - 5 <= len(stage.lists.asked) <= HOUR // FAST


@virtual_time
async def test_a_foreign_machine_that_moves_hurries_nobody():
    async with polling(replace(machine(MachineState.PULLING), mark=None)) as stage:
        await asyncio.sleep(HOUR)
        assert len(stage.lists.asked) < HOUR // SLOW


@virtual_time
async def test_the_loop_does_not_repeat_the_list_of_the_start():
    async with polling() as stage:
        await asyncio.sleep(SLOW - 1)
        assert stage.lists.asked == []


@virtual_time
async def test_who_waits_for_a_list_gets_one_at_once():
    async with polling() as stage:
        stage.memory.remember(instance())
        await asyncio.sleep(15)
        asked = now()
        stage.cadence.await_list(UID)
        await asyncio.sleep(1)
        assert stage.lists.asked == [asked]
        assert await stage.woken() == {UID}


@virtual_time
async def test_lists_never_come_more_often_than_once_in_a_second_however_many_wait():
    async with polling() as stage:
        for number in range(1000):
            stage.cadence.await_list(f"uid-{number}")
            await asyncio.sleep(0.01)
        assert len(stage.lists.asked) <= 11
        gaps = [later - earlier for earlier, later in zip(stage.lists.asked, stage.lists.asked[1:], strict=False)]
        assert min(gaps) >= 1


@virtual_time
async def test_who_asks_while_a_list_is_being_read_waits_for_the_next_one():
    async with polling() as stage:
        stage.memory.remember(instance())
        reading = asyncio.create_task(stage.poller.poll())
        await asyncio.sleep(0.05)
        stage.cadence.await_list(UID)
        await reading
        assert await stage.woken() == set()
        await asyncio.sleep(2)
        assert await stage.woken() == {UID}


@virtual_time
async def test_objects_that_begin_to_move_one_after_the_other_are_all_served_by_the_fast_pace():
    """Else a burst of launches would spend the budget on lists."""
    async with polling() as stage:
        for number in range(100):
            other = instance(uid=f"uid-{number}")
            stage.memory.remember(other)
            stage.cadence.watch(other.uid, closely=True)
            await asyncio.sleep(1)
        assert len(stage.lists.asked) <= 100 / FAST + 1


@virtual_time
async def test_the_first_object_that_moves_need_not_wait_for_the_slow_pace():
    async with polling() as stage:
        stage.memory.remember(instance())
        await asyncio.sleep(5)
        stage.cadence.watch(UID, closely=True)
        await asyncio.sleep(0.5)
        assert len(stage.lists.asked) == 1


@virtual_time
async def test_what_is_forgotten_or_at_rest_hurries_nobody_any_more():
    async with polling() as stage:
        for end in ("forgotten", "at rest"):
            stage.memory.remember(instance())
            stage.cadence.watch(UID, closely=True)
            await asyncio.sleep(60)
            stage.memory.forget(UID) if end == "forgotten" else stage.cadence.watch(UID, closely=False)
            await asyncio.sleep(FAST)
            stage.lists.asked.clear()
            await asyncio.sleep(HOUR)
            assert len(stage.lists.asked) <= HOUR // SLOW, end


@virtual_time
async def test_an_outage_is_asked_after_ever_more_slowly_and_ends_without_a_storm():
    async with polling(machine(MachineState.PULLING)) as stage:
        stage.lists.trouble = Unknown("no answer", outage=True)
        stage.lists.asked.clear()
        await asyncio.sleep(HOUR)
        assert len(stage.lists.asked) <= HOUR // SLOW + 2
        stage.lists.trouble = None
        stage.lists.asked.clear()
        await asyncio.sleep(60)
        assert len(stage.lists.asked) <= 60 // FAST


@virtual_time
async def test_a_list_that_fails_leaves_the_last_one_standing_until_it_is_too_old_to_be_believed():
    async with polling(machine()) as stage:
        stage.memory.remember(instance(claim=claim(), status=recorded()))
        await stage.woken()
        stage.lists.trouble = Unknown("no answer", outage=True)
        await asyncio.sleep(SLOW)
        assert stage.memory.fleet is not None
        assert set(stage.memory.fleet.machines) == {MACHINE_ID}
        assert stage.memory.sight() is Sight.SEEING
        assert await stage.woken() == set()
        await asyncio.sleep(POLICY.fleet_max_age + SLOW)
        assert stage.memory.sight() is Sight.BLIND
        assert await stage.woken() == {UID}


@virtual_time
async def test_all_hear_that_sight_is_lost_while_the_list_under_way_hangs_and_again_when_its_cause_is_known():
    async with polling(machine()) as stage:
        stage.memory.remember(instance(claim=claim(), status=recorded()))
        stage.lists.takes, stage.lists.trouble = HOUR, Unknown("no answer", outage=True)
        await asyncio.sleep(POLICY.fleet_max_age + 1)
        assert stage.memory.account_of_sight().startswith("no fresh list: asked for one ")
        assert await stage.woken() == {UID}
        await asyncio.sleep(HOUR)
        assert stage.memory.trouble == "no answer"
        assert await stage.woken() == {UID}


@virtual_time
async def test_a_list_after_a_halt_wakes_all_since_a_step_may_have_been_blind_before_any_timer_told():
    async with polling(machine()) as stage:
        stage.memory.remember(instance(claim=claim(), status=recorded()))
        await stage.woken()
        stage.memory.clock = Clock(lambda: NOW, lambda: now() + HOUR)
        await stage.poller.poll()
        assert stage.memory.sight() is Sight.SEEING
        assert await stage.woken() == {UID}


@virtual_time
async def test_a_list_comes_when_the_breaker_s_rest_ends_though_the_slow_pace_would_be_later():
    async with polling(machine()) as stage:
        stage.lists.trouble = NotSent("resting", retry_after=7)
        await asyncio.sleep(5 * SLOW)
        stage.lists.asked.clear()
        await asyncio.sleep(MINUTE)
        assert len(stage.lists.asked) in (8, 9)


@virtual_time
async def test_a_rejected_key_is_told_to_all_and_tried_at_the_slow_pace():
    async with polling(machine(MachineState.PULLING)) as stage:
        stage.memory.remember(instance(claim=claim(), status=recorded()))
        stage.lists.trouble = Unauthorized("no")
        await asyncio.sleep(SLOW)
        assert await stage.woken() == {UID}
        assert stage.memory.sight() is Sight.KEY_REJECTED
        stage.lists.asked.clear()
        await asyncio.sleep(HOUR)
        assert len(stage.lists.asked) <= HOUR // SLOW
        stage.lists.trouble = None
        await asyncio.sleep(2 * SLOW)
        assert await stage.woken() == {UID}
        assert stage.memory.sight() is Sight.SEEING


@virtual_time
async def test_a_list_that_changes_nothing_wakes_nobody_and_one_that_does_wakes_only_whom_it_concerns():
    ours = machine()
    async with polling(ours) as stage:
        stage.memory.remember(instance())
        stage.memory.remember(instance(uid="uid-2", name="other"))
        await stage.woken()
        await stage.poller.poll()
        assert await stage.woken() == set()
        stage.lists.machines_there = (replace(ours, state=MachineState.EXITED),)
        await stage.poller.poll()
        assert await stage.woken() == {UID}
        stage.lists.machines_there = ()
        await stage.poller.poll()
        assert await stage.woken() == {UID}


@virtual_time
async def test_the_machine_of_an_earlier_life_wakes_the_restored_object():
    async with polling(machine()) as stage:
        stage.memory.remember(instance(uid="uid-2"))
        stage.memory.deleted[MACHINE_ID] = now()
        for shown in ((replace(machine(), state=MachineState.EXITED),), ()):
            await stage.woken()
            stage.lists.machines_there = shown
            await stage.poller.poll()
            assert await stage.woken() == {"uid-2"}


@virtual_time
async def test_the_end_of_a_recorded_machine_that_bears_its_mark_no_more_wakes_its_object():
    async with polling(replace(machine(), name="renamed", mark=None)) as stage:
        stage.memory.remember(instance(claim=claim(), status=recorded()))
        stage.memory.remember(instance(uid="uid-2"))
        await stage.woken()
        stage.lists.machines_there = ()
        await stage.poller.poll()
        assert await stage.woken() == {UID}


@pytest.mark.parametrize("call", ["stop", "delete"])
@virtual_time
async def test_who_made_a_call_that_did_nothing_is_woken_by_the_first_list_that_can_tell_and_by_no_other(call: str):
    async with polling(machine()) as stage:
        stage.memory.remember(instance(claim=claim(), status=recorded()))
        await stage.woken()
        if call == "stop":
            stage.memory.entries[UID].power_call = PowerCall(MACHINE_ID, Verb.STOP, now(), NOW, 1)
        else:
            stage.memory.deleted[MACHINE_ID] = now()
        told = []
        for _ in range(4):
            await asyncio.sleep(POLICY.list_lag * 0.6)
            await stage.poller.poll()
            told.append(await stage.woken())
        assert told == [set(), {UID}, set(), set()]


@virtual_time
async def test_a_deleted_machine_is_remembered_while_it_may_still_be_shown():
    """The list lags: what was deleted a moment ago may vanish, come back, and vanish."""
    async with polling(machine()) as stage:
        stage.memory.deleted[MACHINE_ID] = now()
        stage.lists.machines_there = ()
        await stage.poller.poll()
        assert MACHINE_ID in stage.memory.deleted
        await asyncio.sleep(POLICY.list_lag + 1)
        await stage.poller.poll()
        assert MACHINE_ID not in stage.memory.deleted


@virtual_time
async def test_a_deleted_machine_is_remembered_while_an_object_records_it():
    async with polling(machine()) as stage:
        stage.memory.remember(instance(claim=claim(), status=recorded()))
        stage.memory.deleted[MACHINE_ID] = now()
        stage.lists.machines_there = ()
        await asyncio.sleep(HOUR)
        assert MACHINE_ID in stage.memory.deleted
        stage.memory.forget(UID)
        await asyncio.sleep(SLOW)
        assert MACHINE_ID not in stage.memory.deleted


@virtual_time
async def test_a_deleted_machine_is_not_forgotten_because_of_a_list_that_is_not_believed():
    crowd = tuple(replace(machine(), id=f"f-{number}", name="theirs", mark=None) for number in range(40))
    async with polling(*crowd, machine()) as stage:
        stage.memory.deleted[MACHINE_ID] = now()
        await asyncio.sleep(POLICY.list_lag + 1)
        stage.lists.machines_there = crowd[:10]
        await stage.poller.poll()
        assert stage.memory.fleet is not None
        assert stage.memory.fleet.suspect
        assert MACHINE_ID in stage.memory.deleted


@virtual_time
async def test_a_list_that_shrinks_too_much_is_suspect_until_others_agree_and_then_all_are_woken():
    crowd = tuple(replace(machine(), id=f"f-{number}", name="theirs", mark=None) for number in range(40))
    async with polling(*crowd, machine()) as stage:
        stage.memory.remember(instance(claim=claim(), status=recorded()))
        await stage.woken()
        stage.lists.machines_there = crowd[:10]
        told = []
        for _ in range(3):
            await stage.poller.poll()
            assert stage.memory.fleet is not None
            told.append((stage.memory.fleet.suspect, await stage.woken()))
        assert told == [(True, {UID}), (True, set()), (False, {UID})]


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual_time
async def test_a_long_list_is_followed_by_twice_its_time_without_one_however_many_hurry():
    stage = Stage(Lists(machine(), takes=4))
    await stage.poller.poll()
    loop = asyncio.create_task(stage.poller.run())
    stage.cadence.await_list(UID)
    await asyncio.sleep(30)
    begun = stage.lists.asked
    assert [later - sooner for sooner, later in pairwise(begun)][:1] == [12]
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)


@virtual_time
async def test_a_launch_waits_for_the_end_of_a_list_that_takes_as_long_as_lists_do():
    stage = Stage(Lists(machine(), takes=4))
    await stage.poller.poll()
    poll = asyncio.create_task(stage.poller.poll())
    await asyncio.sleep(0.5)
    began = now()
    async with stage.poller.lull():
        assert now() - began == 3.5
    await poll


@virtual_time
async def test_a_list_that_hangs_holds_a_launch_back_for_two_seconds():
    stage = Stage(Lists(machine(), takes=HOUR))
    poll = asyncio.create_task(stage.poller.poll())
    await asyncio.sleep(0)
    began = now()
    async with stage.poller.lull():
        assert now() - began == 2
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)


@pytest.mark.parametrize(("of_a_launch", "until_the_list"), [(0.2, 0.2), (HOUR, 0.5)])
@virtual_time
async def test_a_list_waits_a_moment_for_the_launches_under_way(of_a_launch: float, until_the_list: float):
    stage = Stage(Lists(machine()))

    async def launch() -> None:
        async with stage.poller.lull():
            await asyncio.sleep(of_a_launch)

    launches = [asyncio.create_task(launch()) for _ in range(3)]
    await asyncio.sleep(0)
    await stage.poller.poll()
    assert stage.lists.asked == [until_the_list]
    for task in launches:
        task.cancel()
    await asyncio.gather(*launches, return_exceptions=True)
