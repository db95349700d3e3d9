"""Kubernetes Events (events.k8s.io/v1): what happened, told to people.

kopf's own would post every repeat anew, without limit, and lose all of them at shutdown.
Guarantees: `emit` never waits and never fails; memory is bounded. Of what is too much the oldest
is dropped first, what warns last, and each drop is counted.
Caveat: an Event is a courtesy. Nothing may depend on it.
"""

import asyncio
import contextlib
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from novita_operator import metrics
from novita_operator.cluster.connection import Connection, Json
from novita_operator.cluster.correlation import Correlator, Series
from novita_operator.cluster.errors import ClusterError, Conflict, Gone, Terminating, Unreachable
from novita_operator.model.notice import Notice, NoticeType, Subject
from novita_operator.model.resource import GROUP, KIND, VERSION

CONTROLLER = f"{GROUP}/operator"
WAITING = 2000
"""Events that may wait for the API server; a few hundred bytes each."""

_ATTEMPTS = 3
_PAUSE_SECONDS = 2.0
_BURST_SECONDS = 10.0
_ASIDE_PER_POST = 10
_LONGEST_ASIDE_SECONDS = 1.0
_TICK_SECONDS = 0.05
_LONGEST_INSTANCE = 128
_LONGEST_NAME = 200
_log = logging.getLogger(__name__)


class Recorder:
    """Takes notices from anywhere in the process, and posts them from one background task, `run`."""

    def __init__(
        self,
        connection: Connection,
        *,
        instance: str,
        now: Callable[[], datetime],
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`instance` names this process (its pod); `now` is the wall clock, UTC.

        While `is_busy`, something waits for the API server that matters more: then none for ten seconds, as most bursts
        are over by then, and after each post a pause ten times as long as it took.
        """
        self._connection = connection
        self._instance = instance[:_LONGEST_INSTANCE]
        self._now = now
        self._is_busy = is_busy
        self._correlator = Correlator()
        self._waiting: OrderedDict[int, Series] = OrderedDict()
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def emit(self, notice: Notice) -> None:
        """Have this told soon; returns at once."""
        series = self._correlator.take(notice, self._now().timestamp())
        if series is None:
            return
        self._waiting[series.number] = series
        if len(self._waiting) > WAITING:
            self._make_room()
        self._idle.clear()
        self._awake.set()

    async def run(self) -> None:
        """Post what was emitted, one at a time, until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._awake.wait()
            await self._step_aside(_BURST_SECONDS)
            while self._waiting:
                _, series = self._waiting.popitem(last=False)
                began = clock()
                await self._post(series)
                await self._step_aside(min(_ASIDE_PER_POST * (clock() - began), _LONGEST_ASIDE_SECONDS))
            self._awake.clear()
            self._idle.set()

    async def _step_aside(self, seconds: float) -> None:
        """For so long at most, and no longer than `is_busy`."""
        for _ in range(math.ceil(seconds / _TICK_SECONDS)):
            if not self._is_busy():
                return
            await asyncio.sleep(_TICK_SECONDS)

    async def flush(self, seconds: float) -> None:
        """Wait until everything is posted, for so long at most; `run` must still be running."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def _make_room(self) -> None:
        normal = (number for number, series in self._waiting.items() if series.notice.type is NoticeType.NORMAL)
        _count_drop(self._waiting.pop(next(normal, next(iter(self._waiting)))))

    async def _post(self, series: Series) -> None:
        """Post, or let it be: a namespace that is going away takes no Events, and needs none."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._write(series)
            except Unreachable as error:
                if attempt == _ATTEMPTS:
                    _count_drop(series)
                    _log.warning("an Event was dropped: %s", error)
                    return
                await asyncio.sleep(_PAUSE_SECONDS * attempt)
            except (Terminating, Gone):
                return
            except ClusterError as error:
                _count_drop(series)
                _log.warning("an Event was dropped: %s", error)
                return
            else:
                return

    async def _write(self, series: Series) -> None:
        """Count a repeat on the Event that stands, or make one; Kubernetes forgets Events after an hour."""
        events = f"/apis/events.k8s.io/v1/namespaces/{series.notice.subject.namespace}/events"
        if series.posted:
            with contextlib.suppress(Gone):
                await self._connection.merge(f"{events}/{_name(series)}", {"series": _repeats(series)}, write="event")
                return
        # One that exists is ours, from a try whose answer was lost.
        with contextlib.suppress(Conflict):
            await self._connection.create(events, self._event(series), write="event")
        series.posted = True

    def _event(self, series: Series) -> Json:
        notice = series.notice
        event: Json = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": _name(series), "namespace": notice.subject.namespace},
            "eventTime": _micro_time(series.first),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "regarding": _regarding(notice.subject),
            "type": notice.type.value,
            "reason": notice.reason,
            "action": notice.action,
            "note": notice.note,
        }
        return {**event, "series": _repeats(series)} if series.count > 1 else event


def _count_drop(series: Series) -> None:
    metrics.EVENTS_DROPPED.labels(series.notice.type.value).inc()


def _name(series: Series) -> str:
    """Unique by time, as client-go's; the number tells Events of one clock tick apart."""
    readable = series.notice.subject.name[:_LONGEST_NAME].rstrip("-.")
    return f"{readable}.{int(series.first * 1_000_000):x}{series.number:04x}"


def _repeats(series: Series) -> Json:
    return {"count": series.count, "lastObservedTime": _micro_time(series.last)}


def _regarding(subject: Subject) -> Json:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "namespace": subject.namespace,
        "name": subject.name,
        "uid": subject.uid,
    }


def _micro_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
