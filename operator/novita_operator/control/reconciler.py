"""One step: observe, decide, act, report. One at a time per object, a bounded number in all.

Status is written last and once, and only if it differs. At most one deed happens in a step; what a look or a deed
taught is decided on at once.
"""

import logging
from collections.abc import Callable

from novita_operator import metrics
from novita_operator.cloud.errors import CloudError
from novita_operator.cluster.errors import ClusterError, Conflict, Gone
from novita_operator.cluster.instances import Instances
from novita_operator.cluster.recorder import Recorder
from novita_operator.control.about import about
from novita_operator.control.act import Hands
from novita_operator.control.cadence import Cadence
from novita_operator.control.catalogue import Catalogue
from novita_operator.control.memory import Memory
from novita_operator.control.patch import status_patch
from novita_operator.control.poisoned import Quarantine
from novita_operator.control.setbacks import reason_of
from novita_operator.control.workqueue import WorkQueue
from novita_operator.decision.absence import is_absent
from novita_operator.decision.actions import AwaitList, Decision, Look, ReadAlone, ReadKin, ReadMarket, Record, Rest
from novita_operator.decision.decide import decide
from novita_operator.decision.describe import describe
from novita_operator.decision.notices import notices
from novita_operator.decision.situation import Situation
from novita_operator.model.instance import GpuInstance, Unreadable
from novita_operator.model.market import Market
from novita_operator.model.reasons import Reason

_MOST_LOOKS = 8
_ON_THE_MOVE = frozenset(
    {
        Reason.LAUNCHING,
        Reason.LAUNCH_UNCERTAIN,
        Reason.STARTING,
        Reason.STOPPING,
        Reason.DELETING,
        Reason.RETRYING,
        Reason.VANISHED,
        Reason.BRAKED,
        Reason.DUPLICATE,
    }
)
"""The next list will say more; for everything else lists may come slowly."""

logger = logging.getLogger(__name__)


class Reconciler:
    """Takes keys from the queue and makes their steps."""

    def __init__(
        self,
        memory: Memory,
        queue: WorkQueue,
        cadence: Cadence,
        catalogue: Catalogue,
        hands: Hands,
        instances: Instances,
        recorder: Recorder,
        quarantine: Quarantine,
        *,
        may_act: Callable[[], bool],
    ) -> None:
        self._memory = memory
        self._queue = queue
        self._cadence = cadence
        self._catalogue = catalogue
        self._hands = hands
        self._instances = instances
        self._recorder = recorder
        self._quarantine = quarantine
        self._may_act = may_act

    async def work(self) -> None:
        """One worker; ends when the queue is shut down."""
        while (uid := await self._queue.get()) is not None:
            try:
                if uid not in self._memory.entries:
                    self._queue.forget(uid)
                elif self._may_act():
                    with about(self._memory.entries[uid].instance), metrics.RECONCILE_SECONDS.time():
                        await self._guarded(uid)
            finally:
                self._queue.done(uid)

    async def _guarded(self, uid: str) -> None:
        """A step that fails hurts only its own object, and comes back later and later."""
        try:
            await self.step(uid)
        except Gone as error:
            # Of this object, most likely; it may also be the operator's own namespace, or a name that another has now.
            logger.info("step ended: %s", error)
            await self._read_again(uid)
        except Conflict:
            await self._read_again(uid, eager=True)
        except ClusterError as error:
            metrics.RECONCILE_ERRORS.labels(type(error).__name__).inc()
            logger.warning("step failed: %s", error)
            await self._read_again(uid)
        except Unreadable as error:
            self._quarantine.set_aside(error)
        except Exception as error:
            metrics.RECONCILE_ERRORS.labels(type(error).__name__).inc()
            logger.exception("step failed")
            self._queue.add_rate_limited(uid, self._memory.urgency(uid))

    async def step(self, uid: str) -> None:
        """Observe and decide until there is nothing more to look at or do, then report.

        Raises:
            ClusterError: the object has changed, or the API server is away; nothing is lost.
        """
        market: Market | None = None
        has_acted = False
        for _ in range(_MOST_LOOKS):
            s = self._observe(uid, market)
            d = decide(s)
            if isinstance(d.action, Rest | Record | AwaitList):
                await self._report(s, d)
                return self._queue.forget(uid)
            if has_acted and not isinstance(d.action, Look):
                return self._queue.add(uid, self._memory.urgency(uid))
            has_acted = has_acted or not isinstance(d.action, Look)
            try:
                market = await self._carry_out(s, d) or market
            except CloudError as error:
                return await self._set_back(s, d, error)
            if uid not in self._memory.entries:
                return self._queue.forget(uid)
        raise AssertionError(f"no rest after {_MOST_LOOKS} looks")

    async def _carry_out(self, s: Situation, d: Decision) -> Market | None:
        """Look or act; what is learned stands in memory, but for the market, which is only for this step."""
        if isinstance(d.action, ReadMarket):
            return await self._catalogue.market(s.instance.spec)
        assert not isinstance(d.action, Rest | Record | AwaitList), "these are reported"
        metrics.RECONCILES.labels(type(d.action).__name__).inc()
        await self._hands.act(s, d, d.action)
        return None

    async def _set_back(self, s: Situation, d: Decision, error: CloudError) -> None:
        """Novita did not do or say it: tell it, and come back later and later."""
        metrics.RECONCILE_ERRORS.labels(type(error).__name__).inc()
        logger.warning("%s failed: %s", type(d.action).__name__, error)
        self._queue.add_rate_limited(s.uid, self._memory.urgency(s.uid))
        told = f"{type(d.action).__name__} failed: {error}"
        quiet = d.quiet and isinstance(d.action, ReadAlone | ReadKin)  # a look more or less is nobody's news
        await self._report(s, Decision(Rest(), reason_of(error), told, quiet=quiet))

    def _observe(self, uid: str, market: Market | None) -> Situation:
        """What is proved stays proved until the machine is seen again: then all readings of absence are void."""
        s, entry = self._memory.situation(uid, market), self._memory.entries[uid]
        if s.machine is not None and (entry.alone or entry.proved_gone):
            entry.alone, entry.proved_gone = None, ""
            return self._memory.situation(uid, market)
        if s.trace is not None and is_absent(s, s.trace):
            entry.proved_gone = s.trace.name
        return s

    async def _report(self, s: Situation, d: Decision) -> None:
        """Status, Events, and when to look again."""
        metrics.RECONCILES.labels(type(d.action).__name__).inc()
        self._cadence.watch(s.uid, closely=d.reason in _ON_THE_MOVE)
        if isinstance(d.action, AwaitList):
            self._cadence.await_list(s.uid)
        if d.again is not None:
            self._queue.add_after(s.uid, d.again, self._memory.urgency(s.uid))
        if d.quiet:
            return
        after = describe(s, d)
        patch = status_patch(s.instance.status, after)
        if not patch:
            return
        self._memory.keep_up(await self._instances.write_status(s.instance, patch))
        for notice in notices(s.instance, after, d):
            self._recorder.emit(notice)

    async def _read_again(self, uid: str, *, eager: bool = False) -> None:
        """The object has changed under us, or may have: never repeat a write, decide again on what stands there."""
        entry = self._memory.entries.get(uid)
        if entry is None:
            return
        before = entry.instance
        try:
            await self._refresh(before)
        except ClusterError as error:
            logger.warning("the object could not be read again: %s", error)
            eager = False
        except Unreadable as error:
            self._quarantine.set_aside(error, before)
        if uid in self._memory.entries:
            self._queue.add_rate_limited(uid, self._memory.urgency(uid), eager=eager)
        else:
            self._queue.forget(uid)

    async def _refresh(self, known: GpuInstance) -> None:
        try:
            fresh = await self._instances.read(known.metadata.namespace, known.metadata.name)
        except Gone:
            self._memory.forget(known.uid)
            return
        self._memory.reread(known, fresh)
        if fresh.uid != known.uid:
            self._memory.forget(known.uid)
            self._queue.add(fresh.uid, self._memory.urgency(fresh.uid))
