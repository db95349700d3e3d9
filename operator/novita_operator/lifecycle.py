"""The order in which a running operator starts and ends.

Start: parts that only this process needs, then kopf. End: not ready, no new step, steps in flight to their end,
Events told, the lease handed back, kopf. kopf starts and ends last: at its end it cancels every task that is younger.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from novita_operator import handlers, metrics
from novita_operator.cloud.errors import NotSent
from novita_operator.cluster.errors import ClusterError
from novita_operator.cluster.instances import Instances
from novita_operator.cluster.lease import Elector
from novita_operator.cluster.pulse import Pulse
from novita_operator.cluster.recorder import Recorder
from novita_operator.control.audit import Audit
from novita_operator.control.fleet import FleetPoller
from novita_operator.control.memory import Memory
from novita_operator.control.orphans import Sweep
from novita_operator.control.poisoned import Quarantine
from novita_operator.control.reconciler import Reconciler
from novita_operator.control.workqueue import WorkQueue
from novita_operator.health import Health

_FLUSH_SECONDS = 3.0
_RETRY_SECONDS = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between rounds, and how many workers; `drain` is how long steps in flight may take at the end."""

    workers: int
    drain: float
    audit: float
    orphans: float
    deletes_orphans: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """The parts of one operator, put together."""

    memory: Memory
    queue: WorkQueue
    instances: Instances
    poller: FleetPoller
    reconciler: Reconciler
    sweep: Sweep
    audit: Audit
    recorder: Recorder
    quarantine: Quarantine
    pulse: Pulse
    elector: Elector | None
    namespaces: Sequence[str]

    def may_act(self) -> bool:
        """False from the moment that the lease is lost."""
        return self.elector is None or self.elector.is_leading()

    def fence(self) -> None:
        """Holds a call back once the lease is lost."""
        if not self.may_act():
            raise NotSent("the lease was lost before the call could be sent")


@dataclass(slots=True)
class Life:
    """One run, from start to end. `stop` is set from outside, by a signal."""

    parts: Operator
    pace: Pace
    health: Health
    stop: asyncio.Event
    _served: asyncio.Event = field(default_factory=asyncio.Event)
    _streams: bool = False
    _kopf_stop: asyncio.Event = field(default_factory=asyncio.Event)
    _kopf_ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def live(self) -> int:
        """Run until told to stop (0), or until a part that must not end has ended (1)."""
        parts = self.parts
        stop = asyncio.create_task(self.stop.wait(), name="signal")
        acting = asyncio.create_task(self._act(), name="acting")
        pulse = asyncio.create_task(parts.pulse.run(), name="pulse")
        recorder = asyncio.create_task(parts.recorder.run(), name="recorder")
        audit = asyncio.create_task(self._audit(), name="audit")
        election = [asyncio.create_task(parts.elector.run(), name="election")] if parts.elector else []
        kopf = asyncio.create_task(self._watch(), name="watch")
        vital = (stop, acting, pulse, recorder, audit, *election, kopf)
        ended, _ = await asyncio.wait(vital, return_when=asyncio.FIRST_COMPLETED)
        _log_end(ended)
        await self._drain(acting)
        await _cancel(stop, pulse, recorder, audit)
        await _cancel(*election)
        await self.health.stop()
        self._kopf_stop.set()
        self._served.set()
        await asyncio.wait([kopf])
        return 0 if stop in ended else 1

    async def _act(self) -> None:
        """What only the acting process does; a standby waits here with a warm memory."""
        parts, pace = self.parts, self.pace
        if parts.elector is not None:
            await parts.elector.leading.wait()
            parts.quarantine.tell_all()
        else:
            metrics.LEADER.set(1)
        await parts.poller.poll()
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.poller.run())
            group.create_task(
                parts.sweep.run(parts.recorder, interval=pace.orphans, deletes=pace.deletes_orphans, fence=parts.fence)
            )
            for _ in range(pace.workers):
                group.create_task(parts.reconciler.work())

    async def _audit(self) -> None:
        """Ready once memory has had every object that there is; then compare from time to time."""
        while not self.health.synced:
            try:
                count = await self.parts.audit.count()
                self._streams = await self.parts.instances.can_stream(next(iter(self.parts.namespaces), None))
                self._served.set()
                await self.parts.audit.catch_up(count)
                self.health.synced = True
            except ClusterError as error:
                logger.warning("the objects could not be listed yet: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
        await self.parts.audit.run(interval=self.pace.audit)

    async def _watch(self) -> None:
        """What is served kopf asks only once: before the CRD is there it would wait for ever."""
        await self._served.wait()
        if self._kopf_stop.is_set():
            return
        heed = asyncio.create_task(self._heed_signals_again())
        try:
            await handlers.watch(
                self.parts.memory,
                self.parts.queue,
                self.parts.quarantine.set_aside,
                namespaces=self.parts.namespaces,
                streams=self._streams,
                stop=self._kopf_stop,
                ready=self._kopf_ready,
            )
        finally:
            await _cancel(heed)

    async def _heed_signals_again(self) -> None:
        """What kopf does when it starts: it takes the signals for itself, and its end would come before ours."""
        await self._kopf_ready.wait()
        heed_signals(self.stop)

    async def _drain(self, acting: asyncio.Task[None]) -> None:
        """Steps in flight come to their end: a launch that is not recorded costs a minute at the next start."""
        self.health.closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.pace.drain):
                await self.parts.queue.shut_down()
        await _cancel(acting)
        await self.parts.recorder.flush(_FLUSH_SECONDS)


def heed_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _cancel(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _log_end(ended: Iterable[asyncio.Task[object]]) -> None:
    for task in ended:
        error = None if task.cancelled() else task.exception()
        logger.log(logging.ERROR if error else logging.INFO, "shutting down: %s ended", task.get_name(), exc_info=error)
