"""Whatever is asked for and whenever: no minute holds more calls than the budget, and the most urgent go first."""

import asyncio
from itertools import pairwise
from typing import NamedTuple

from hypothesis import event, given
from hypothesis import strategies as st

from novita_operator.cloud.budget import Budget
from novita_operator.cloud.errors import Throttled
from novita_operator.cloud.operations import Lane
from virtual_time import VirtualTimeLoop

MINUTE = 60.0
FUZZ = 1e-3
"""What sums of floating-point seconds may be off."""


class Asker(NamedTuple):
    """Asks in its lane; gives up after so long, if it has not been served; may then be told that it was too much."""

    after: float
    lane: Lane
    patience: float
    silence: float


class Served(NamedTuple):
    asked: float
    lane: Lane
    number: int
    at: float


SECONDS = st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0, 7.0, 59.0, 60.0, 61.0, 200.0])
ASKERS = st.lists(
    st.builds(
        Asker,
        SECONDS,
        st.sampled_from(Lane),
        st.sampled_from([1e6, 1e6, 1e6, 0.0, 1.0, 30.0]),
        st.sampled_from([0.0] * 20 + [1.0, 59.0, 60.0, 100.0]),
    ),
    max_size=80,
)
BUDGETS = st.sampled_from([1, 2, 3, 5, 10, 20])


async def served(calls_per_minute: int, askers: list[Asker]) -> list[Served]:
    """Who was served and when, in that order."""
    now = asyncio.get_running_loop().time
    budget = Budget(calls_per_minute=calls_per_minute, clock=now, random=lambda: 1.0)
    found: list[Served] = []

    async def ask(number: int, asker: Asker) -> None:
        asked = now()
        await budget.place(asker.lane)
        found.append(Served(asked, asker.lane, number, now()))
        budget.heed(Throttled("slow", retry_after=asker.silence) if asker.silence else None)

    async with asyncio.TaskGroup() as group:
        for number, asker in enumerate(askers):
            await asyncio.sleep(asker.after)
            task = group.create_task(ask(number, asker))
            asyncio.get_running_loop().call_later(asker.patience, task.cancel)
    await budget.aclose()
    return found


def run(calls_per_minute: int, askers: list[Asker]) -> list[Served]:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(served(calls_per_minute, askers))


@given(BUDGETS, ASKERS)
def test_no_minute_ever_holds_more_calls_than_the_budget(calls_per_minute: int, askers: list[Asker]):
    times = [each.at for each in run(calls_per_minute, askers)]
    fullest = max((sum(begin <= at < begin + MINUTE - FUZZ for at in times) for begin in times), default=0)
    event(f"the fullest minute is full: {fullest == calls_per_minute}")
    assert fullest <= calls_per_minute


@given(BUDGETS, ASKERS)
def test_nobody_is_served_before_one_who_was_there_and_is_more_urgent(calls_per_minute: int, askers: list[Asker]):
    for earlier, later in pairwise(run(calls_per_minute, askers)):
        was_there = later.asked < earlier.at
        assert not was_there or (earlier.lane, earlier.number) < (later.lane, later.number)


@given(BUDGETS, st.integers(1, 60))
def test_a_crowd_is_served_in_full_at_half_the_budget_s_pace_or_better(calls_per_minute: int, crowd: int):
    found = run(calls_per_minute, [Asker(0.0, Lane.LIST, 1e6, 0.0)] * crowd)
    assert len(found) == crowd
    assert found[-1].at <= crowd * MINUTE / (calls_per_minute / 2) + FUZZ
