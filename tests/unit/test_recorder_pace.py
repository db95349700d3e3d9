"""Events step aside while work waits, and warnings are dropped last; in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from build import NOW
from novita_operator.cluster.recorder import WAITING, Recorder
from novita_operator.metrics import REGISTRY
from novita_operator.model.notice import Notice, NoticeType, Subject
from virtual_time import virtual_time

if TYPE_CHECKING:
    from novita_operator.cluster.connection import Connection

NOTICE = Notice(Subject("default", "trainer", "uid"), NoticeType.NORMAL, "Launched", "Launch", "note")


class Posts:
    """An API server that takes so many seconds for an Event."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.count = 0
        self.names: set[str] = set()

    async def create(self, _path: str, body: dict[str, Any], *, write: str) -> None:
        assert write == "event"
        await asyncio.sleep(self.seconds)
        self.count += 1
        self.names.add(body["regarding"]["name"])


@pytest.mark.parametrize(("of_a_post", "of_the_pause"), [(0.01, 0.1), (0.05, 0.5), (0.2, 1.0)])
@virtual_time
async def test_while_work_waits_ten_seconds_pass_and_then_pauses_are_ten_times_as_long_as_posts(
    of_a_post: float, of_the_pause: float
):
    seconds = await seconds_for_forty(of_a_post, is_busy=lambda: True)
    assert seconds == pytest.approx(10 + 40 * (of_a_post + of_the_pause), abs=2)


@virtual_time
async def test_events_of_a_short_burst_are_posted_as_soon_as_it_is_over():
    clock = asyncio.get_running_loop()
    over = clock.time() + 3
    assert await seconds_for_forty(0, is_busy=lambda: clock.time() < over) == pytest.approx(3, abs=0.06)


@virtual_time
async def test_while_no_work_waits_events_are_posted_at_once():
    assert await seconds_for_forty(0.05, is_busy=lambda: False) == pytest.approx(2)


async def seconds_for_forty(of_a_post: float, *, is_busy: Callable[[], bool]) -> float:
    posts, began = Posts(of_a_post), asyncio.get_running_loop().time()
    recorder = Recorder(cast("Connection", posts), instance="pod-1", now=lambda: NOW, is_busy=is_busy)
    for number in range(40):
        recorder.emit(replace(NOTICE, subject=Subject("default", str(number), str(number))))
    task = asyncio.create_task(recorder.run())
    await recorder.flush(100)
    assert posts.count == 40
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return asyncio.get_running_loop().time() - began


@virtual_time
async def test_what_warns_is_dropped_last_and_every_drop_is_counted():
    posts, before = Posts(), dropped()
    recorder = Recorder(cast("Connection", posts), instance="pod-1", now=lambda: NOW)
    for number in range(WAITING + 3):
        of_type = NoticeType.NORMAL if number in {5, 7} else NoticeType.WARNING
        recorder.emit(replace(NOTICE, type=of_type, subject=Subject("default", str(number), str(number))))
    task = asyncio.create_task(recorder.run())
    await recorder.flush(60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert {str(number) for number in range(WAITING + 3)} - posts.names == {"5", "7", "0"}
    assert [now - then for now, then in zip(dropped(), before, strict=True)] == [2, 1]


def dropped() -> list[float]:
    name = "novita_operator_events_dropped_total"
    return [REGISTRY.get_sample_value(name, {"type": each.value}) or 0 for each in NoticeType]
