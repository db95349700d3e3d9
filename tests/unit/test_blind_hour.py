"""An hour without Novita, at its true length in virtual time: the real poller, queue and gate, with their constants.

What stands at the other end is the port's one question and a paid call per object; the whole operator plays the same
hour scaled in tests/component/test_blind.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build import NOW, POLICY, instance, machine
from novita_operator.cloud.errors import NotSent, Unknown
from novita_operator.cloud.operations import Operation
from novita_operator.cloud.pacing import Gate
from novita_operator.cloud.paging import PAGE_SIZE, whole_list
from novita_operator.cloud.wire import Page
from novita_operator.control.cadence import Cadence
from novita_operator.control.clock import Clock
from novita_operator.control.fleet import FleetPoller
from novita_operator.control.memory import Memory, Sight
from novita_operator.control.workqueue import WorkQueue
from novita_operator.model.machine import Machine
from virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from novita_operator.cloud.port import Cloud

MINUTE, HOUR = 60.0, 3600.0
CALLS_PER_MINUTE = 100
FAST, SLOW = 10.0, 30.0
OBJECTS, PAGES, WORKERS = 120, 3, 16
HANGS = 30.0
Outage = Callable[[int], Awaitable[None]]


async def refused(_: int) -> None:
    raise NotSent("no connection", outage=True)


async def hanging(_: int) -> None:
    await asyncio.sleep(HANGS)
    raise Unknown("no whole answer", outage=True)


async def erring(_: int) -> None:
    raise Unknown("HTTP 503", outage=True)


async def blocked(_: int) -> None:
    raise NotSent("the content network blocks us")


async def last_page_failing(number: int) -> None:
    if number == PAGES - 1:
        raise Unknown("HTTP 500", outage=True)


async def well(_: int) -> None:
    return


OUTAGES = (refused, hanging, erring, blocked, last_page_failing)


class Hour:
    """One operator: it polls, and a paid call is made whenever an object is looked at in sight."""

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.outage: Outage = well
        self.called: list[float] = []
        self.paid: list[float] = []
        self.looked: list[float] = []
        self.memory = Memory(POLICY, Clock(lambda: NOW, self.now), started=self.now())
        self.queue = WorkQueue(self.now)
        self.gate = Gate(calls_per_minute=CALLS_PER_MINUTE, clock=self.now, random=lambda: 0.5)
        cadence = Cadence(self.memory, fast=FAST, slow=SLOW, random=lambda: 0.5)
        self.poller = FleetPoller(cast("Cloud", self), self.memory, self.queue, cadence)
        for number in range(OBJECTS):
            self.memory.remember(instance(uid=f"uid-{number}"))

    async def machines(self) -> tuple[Machine, ...]:
        return await whole_list(lambda number: self.gate.repeatedly(Operation.LIST, partial(self._page, number)))

    async def _page(self, number: int) -> Page:
        self.called.append(self.now())
        await self.outage(number)
        ids = range(number * PAGE_SIZE, (number + 1) * PAGE_SIZE)
        return Page(tuple(machine(id=f"m-{each}", mark=None) for each in ids), PAGES * PAGE_SIZE)

    async def _work(self) -> None:
        while (uid := await self.queue.get()) is not None:
            self.looked.append(self.now())
            if self.memory.sight() is Sight.SEEING:
                await self.gate.once(Operation.CREATE, self._pay)
            self.queue.done(uid)

    async def _pay(self) -> None:
        self.called.append(self.now())
        self.paid.append(self.now())

    async def play(self, outage: Outage, length: float) -> tuple[float, float]:
        """When the outage began and ended; then six minutes more."""
        await self.poller.poll()
        tasks = [asyncio.create_task(self.poller.run()), *(asyncio.create_task(self._work()) for _ in range(WORKERS))]
        await asyncio.sleep(4 * MINUTE)
        began, self.outage = self.now(), outage
        await asyncio.sleep(length)
        ended, self.outage = self.now(), well
        await asyncio.sleep(6 * MINUTE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.gate.aclose()
        return began, ended


def hour(outage: Outage, length: float) -> tuple[Hour, float, float]:
    async def scenario() -> tuple[Hour, float, float]:
        played = Hour()
        return played, *await played.play(outage, length)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(scenario())


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_hour_without_novita_is_told_once_costs_few_calls_and_moves_no_hand(outage: Outage):
    played, began, ended = hour(outage, HOUR)
    assert [at for at in played.paid if began <= at < ended] == []
    heard = [at for at in played.looked if began <= at < ended]
    assert OBJECTS <= len(heard) <= 2 * OBJECTS, "of the loss of sight, and of its cause once that is known"
    assert heard[OBJECTS - 1] <= began + POLICY.fleet_max_age + 1, "whatever the list under way does"
    calls = [at for at in played.called if began <= at < ended]
    assert len(calls) <= HOUR / SLOW * (PAGES + 2), "what is whole, and three tries at what is not"


@pytest.mark.parametrize("outage", OUTAGES)
@settings(max_examples=4)
@given(length=st.floats(3 * MINUTE, 8 * MINUTE))
def test_whenever_novita_comes_back_all_begins_within_a_minute_and_a_poll_and_no_minute_exceeds_the_budget(
    outage: Outage, length: float
):
    played, _, ended = hour(outage, length)
    afterwards = [at for at in played.paid if at >= ended]
    assert len(afterwards) == OBJECTS
    assert afterwards[0] <= ended + MINUTE + SLOW
    fullest = max(sum(begin <= at < begin + MINUTE - 1e-3 for at in played.called) for begin in played.called)
    assert fullest <= CALLS_PER_MINUTE
