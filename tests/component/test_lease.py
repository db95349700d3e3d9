"""Leader election on a real API server, with short leases and boot clocks turned by hand."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from component.cluster_waiting import PATIENCE, cancelled, until
from controlplane.plane import ControlPlane
from novita_operator.cluster.connection import Connection
from novita_operator.cluster.lease import NAME, Durations, Elector

pytestmark = pytest.mark.server

DURATIONS = Durations(lease=3)
READS_OF_A_LOOK = 3
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)

Start = Callable[..., tuple[Elector, asyncio.Task[None]]]


class HandTurned:
    """A boot clock that stands still until it is turned; `reads` shows that its owner is at work."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.seconds


async def test_one_leads_and_the_other_stands_by(start: Start):
    first, _ = start("first")
    await until(first.is_leading)
    standby = HandTurned()
    second, _ = start("second", standby)
    await a_look(standby)
    assert (first.is_leading(), second.is_leading()) == (True, False)


async def test_a_leader_renews_for_as_long_as_it_lives(start: Start, plane: ControlPlane, namespace: str):
    clock = HandTurned()
    first, task = start("first", clock)
    await until(first.is_leading)
    for _ in range(3):
        clock.seconds += DURATIONS.renew_deadline * 0.9
        await until(partial(has_more_left, first, first.seconds_left()))
    assert not task.done()
    assert record(plane, namespace)["leaseTransitions"] == 1


async def test_a_leader_that_ends_well_is_followed_at_once(start: Start, plane: ControlPlane, namespace: str):
    first, task = start("first")
    await until(first.is_leading)
    await cancelled(task)
    assert not first.is_leading()
    assert record(plane, namespace).get("holderIdentity", "") == ""
    second, _ = start("second", HandTurned())
    await until(second.is_leading)


async def test_a_leader_that_died_is_followed_when_its_record_stood_still_for_its_lease(
    start: Start, plane: ControlPlane, namespace: str
):
    write(plane, namespace, holder="dead", renewed=datetime.now(UTC))
    clock = HandTurned()
    second, _ = start("second", clock)
    await a_look(clock)
    clock.seconds += 4.9
    await a_look(clock)
    assert not second.is_leading()
    clock.seconds += 0.2
    await until(second.is_leading)


async def test_a_leader_with_a_wrong_wall_clock_is_not_robbed(start: Start, plane: ControlPlane, namespace: str):
    write(plane, namespace, holder="slow", renewed=LONG_AGO)
    clock = HandTurned()
    second, _ = start("second", clock)
    await a_look(clock)
    clock.seconds += 4
    write(plane, namespace, holder="slow", renewed=LONG_AGO.replace(second=4))
    await a_look(clock)
    clock.seconds += 4
    await a_look(clock)
    assert not second.is_leading()


async def test_a_leader_that_slept_past_its_deadline_does_not_lead_when_it_wakes(start: Start):
    clock = HandTurned()
    first, task = start("first", clock)
    await until(first.is_leading)
    clock.seconds += DURATIONS.renew_deadline
    assert (first.is_leading(), first.seconds_left()) == (False, 0)
    await asyncio.wait_for(task, PATIENCE)


async def test_a_leader_whose_lease_was_taken_stops_and_leaves_it(start: Start, plane: ControlPlane, namespace: str):
    first, task = start("first", HandTurned())
    await until(first.is_leading)
    write(plane, namespace, holder="thief", renewed=datetime.now(UTC))
    await asyncio.wait_for(task, PATIENCE)
    assert not first.is_leading()
    assert record(plane, namespace)["holderIdentity"] == "thief"


async def test_a_leader_that_cannot_reach_the_server_stops_in_time(start: Start, connection: Connection):
    first, task = start("first", time.monotonic)
    await until(first.is_leading)
    connection.client.configuration.host = "https://127.0.0.1:1"
    await asyncio.wait_for(task, PATIENCE)
    assert not first.is_leading()


async def test_a_lease_that_others_touch_but_do_not_take_is_kept(start: Start, plane: ControlPlane, namespace: str):
    clock = HandTurned()
    first, task = start("first", clock)
    await until(first.is_leading)
    plane.kubectl("annotate", "lease", NAME, "-n", namespace, "seen=yes")
    clock.seconds += DURATIONS.renew_deadline / 2
    await until(lambda: first.seconds_left() > DURATIONS.renew_deadline / 2)
    assert not task.done()


@pytest_asyncio.fixture
async def start(connection: Connection, namespace: str) -> AsyncIterator[Start]:
    """Start an elector in the test's namespace; all end with the test."""
    tasks: list[asyncio.Task[None]] = []

    def run(identity: str, clock: Callable[[], float] = time.monotonic) -> tuple[Elector, asyncio.Task[None]]:
        elector = Elector(
            connection,
            namespace=namespace,
            identity=identity,
            clock=clock,
            now=lambda: datetime.now(UTC),
            chance=lambda: 0,
            durations=DURATIONS,
        )
        tasks.append(asyncio.create_task(elector.run()))
        return elector, tasks[-1]

    yield run
    for task in tasks:
        await cancelled(task)


async def a_look(clock: HandTurned) -> None:
    """Until a standby has begun to look at the lease after now, and has finished."""
    seen = clock.reads
    await until(lambda: clock.reads >= seen + 2 * READS_OF_A_LOOK)


def has_more_left(elector: Elector, seconds: float) -> bool:
    return elector.seconds_left() > seconds


def record(plane: ControlPlane, namespace: str) -> dict[str, Any]:
    shown = plane.kubectl("get", "lease", NAME, "-n", namespace, "-o", "json")
    found: dict[str, Any] = json.loads(shown.stdout)["spec"]
    return found


def write(plane: ControlPlane, namespace: str, *, holder: str, renewed: datetime) -> None:
    """Write the lease as another holder would, for five seconds."""
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 5, "renewTime": f"{renewed:%Y-%m-%dT%H:%M:%S.%fZ}"}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": spec}
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-n", namespace, "-f", "-", input=json.dumps(body))
