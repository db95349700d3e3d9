"""What the informer is told, where waiting for it would take minutes."""

import asyncio
import itertools

import kopf
import pytest

from build import NOW, POLICY, UID, instance
from novita_operator.control.clock import Clock
from novita_operator.control.memory import Memory
from novita_operator.control.workqueue import WorkQueue
from novita_operator.handlers import informer_only, observe
from novita_operator.model.instance import Unreadable


def test_the_watch_outlives_an_api_server_that_is_away_for_an_hour():
    """With an end to its tries, kopf ends with them, and the process too."""
    settings = kopf.OperatorSettings()
    informer_only(settings)
    backoffs = settings.networking.error_backoffs
    assert not isinstance(backoffs, float)
    for _ in range(2):
        tries = list(itertools.islice(backoffs, 1000))
        assert sum(tries) > 3600
        assert 0 < max(tries) <= 10


@pytest.mark.parametrize(
    ("kind", "version", "is_news"),
    [
        ("MODIFIED", "12", False),  # the echo of a write of ours, whose answer came first
        ("MODIFIED", "9", False),
        (None, "12", False),  # the watch began anew
        ("MODIFIED", "13", True),
        (None, "13", True),
    ],
)
async def test_what_is_known_already_makes_no_step(kind: str | None, version: str, *, is_news: bool):
    memory = Memory(POLICY, Clock(lambda: NOW, lambda: 100.0), started=100.0)
    memory.remember(instance(resourceVersion="12"))
    queue = WorkQueue(asyncio.get_running_loop().time)
    observe({"type": kind, "object": body(version)}, memory, queue, unexpected)
    assert queue.is_busy() is is_news
    assert memory.entries[UID].instance.metadata.resource_version == ("13" if is_news else "12")


async def test_a_creation_that_is_told_late_is_a_birth_all_the_same():
    memory = Memory(POLICY, Clock(lambda: NOW, lambda: 100.0), started=100.0)
    memory.remember(instance(resourceVersion="12"))
    observe({"type": "ADDED", "object": body("11")}, memory, WorkQueue(asyncio.get_running_loop().time), unexpected)
    assert memory.entries[UID].born_as == "11"


def body(version: str) -> dict[str, object]:
    return instance(resourceVersion=version).model_dump(mode="json", by_alias=True, exclude_none=True)


def unexpected(error: Unreadable) -> None:
    raise AssertionError from error
