"""Events on a real API server."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from component.cluster_waiting import PATIENCE, cancelled
from controlplane.plane import ControlPlane
from novita_operator.cluster.connection import Connection
from novita_operator.cluster.recorder import WAITING, Recorder
from novita_operator.model.notice import Notice, NoticeType, Subject

pytestmark = pytest.mark.server

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class HandTurned:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


async def test_an_event_says_what_when_why_and_who(recorder: Recorder, plane: ControlPlane, namespace: str):
    recorder.emit(notice(namespace))
    await recorder.flush(PATIENCE)
    (event,) = events(plane, namespace)
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "NoStock", "Launch")
    assert event["note"] == "no stock in US-CA-06"
    assert event["regarding"] == {
        "apiVersion": "gpu.novita.ai/v1alpha1",
        "kind": "GpuInstance",
        "namespace": namespace,
        "name": "a",
        "uid": "uid-a",
    }
    assert (event["reportingController"], event["reportingInstance"]) == ("gpu.novita.ai/operator", "pod-1")
    assert event["eventTime"].startswith("2026-11-21T09:00:00")
    assert "series" not in event


async def test_a_repeat_counts_on_the_same_event(
    recorder: Recorder, clock: HandTurned, plane: ControlPlane, namespace: str
):
    for _ in range(3):
        recorder.emit(notice(namespace))
        await recorder.flush(PATIENCE)
        clock.time += timedelta(minutes=1)
    (event,) = events(plane, namespace)
    assert event["series"]["count"] == 3
    assert event["series"]["lastObservedTime"].startswith("2026-11-21T09:02:00")


async def test_repeats_that_wait_together_are_one_write(recorder: Recorder, plane: ControlPlane, namespace: str):
    for _ in range(5):
        recorder.emit(notice(namespace))
    await recorder.flush(PATIENCE)
    (event,) = events(plane, namespace)
    assert event["series"]["count"] == 5


async def test_a_repeat_after_kubernetes_forgot_the_event_makes_it_anew(
    recorder: Recorder, plane: ControlPlane, namespace: str
):
    recorder.emit(notice(namespace))
    await recorder.flush(PATIENCE)
    plane.kubectl("delete", "events", "--all", "-n", namespace)
    recorder.emit(notice(namespace))
    await recorder.flush(PATIENCE)
    (event,) = events(plane, namespace)
    assert event["series"]["count"] == 2


async def test_people_find_it_at_the_resource(recorder: Recorder, plane: ControlPlane, namespace: str):
    recorder.emit(notice(namespace))
    await recorder.flush(PATIENCE)
    shown = plane.kubectl("get", "events", "-n", namespace, "--field-selector=involvedObject.name=a")
    assert "NoStock" in shown.stdout


async def test_what_is_longer_than_kubernetes_takes_is_cut(recorder: Recorder, plane: ControlPlane, namespace: str):
    subject = Subject(namespace, f"{'n' * 199}-{'n' * 53}", "uid-a")
    long = Notice(subject, NoticeType.NORMAL, "R" * 200, "A" * 200, "n" * 2000)
    recorder.emit(long)
    await recorder.flush(PATIENCE)
    (event,) = events(plane, namespace)
    assert (len(event["reason"]), len(event["action"]), len(event["note"])) == (128, 128, 1024)


async def test_a_namespace_in_deletion_is_let_be_and_holds_nothing_up(
    recorder: Recorder, plane: ControlPlane, namespace: str, caplog: pytest.LogCaptureFixture
):
    ending = f"{namespace}-ending"
    plane.kubectl("create", "namespace", ending)
    plane.kubectl("create", "configmap", "holder", "-n", ending)
    hold = '{"metadata":{"finalizers":["example.org/hold"]}}'
    plane.kubectl("patch", "configmap", "holder", "-n", ending, "--type=merge", "-p", hold)
    plane.kubectl("delete", "namespace", ending, "--wait=false")
    recorder.emit(notice(ending))
    recorder.emit(notice(namespace))
    await recorder.flush(PATIENCE)
    assert len(events(plane, namespace)) == 1
    assert caplog.records == []
    free = '{"metadata":{"finalizers":null}}'
    plane.kubectl("patch", "configmap", "holder", "-n", ending, "--type=merge", "-p", free)


async def test_while_nothing_is_posted_the_oldest_are_dropped_and_emit_never_waits(
    connection: Connection, plane: ControlPlane, namespace: str
):
    recorder = Recorder(connection, instance="pod-1", now=HandTurned())
    for number in range(WAITING + 1):
        recorder.emit(replace(notice(namespace), subject=Subject(namespace, f"n-{number}", str(number))))
    task = asyncio.create_task(recorder.run())
    await recorder.flush(60)
    await cancelled(task)
    told = {event["regarding"]["name"] for event in events(plane, namespace)}
    assert (len(told), "n-0" in told, f"n-{WAITING}" in told) == (WAITING, False, True)


@pytest.fixture
def clock() -> HandTurned:
    return HandTurned()


@pytest_asyncio.fixture
async def recorder(connection: Connection, clock: HandTurned) -> AsyncIterator[Recorder]:
    """A recorder at work."""
    recorder = Recorder(connection, instance="pod-1", now=clock)
    task = asyncio.create_task(recorder.run())
    yield recorder
    await cancelled(task)


def notice(namespace: str) -> Notice:
    return Notice(Subject(namespace, "a", "uid-a"), NoticeType.WARNING, "NoStock", "Launch", "no stock in US-CA-06")


def events(plane: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    shown = plane.kubectl("get", "events.events.k8s.io", "-n", namespace, "-o", "json")
    found: list[dict[str, Any]] = json.loads(shown.stdout)["items"]
    return found
