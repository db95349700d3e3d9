"""The paid call, exactly once: a place in the budget, then the claim, then the call (docs/architecture.md, steps 3, 4).

Flow: breaker and limiter agree → claim and finalizer in one PATCH → create, with the fence behind all that can wait.
Guarantees: the call goes out only for a claim that this run wrote, younger than W/3, while the lease is held and the
fleet is seen; it is never repeated. Assumption: what is sent within W/3 lands by claim + W or never.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from novita_operator import metrics
from novita_operator.cloud.errors import NotDone, NotSent, Unknown
from novita_operator.cloud.port import Admission, Cloud
from novita_operator.cluster.errors import Gone, Unreachable
from novita_operator.cluster.instances import Instances
from novita_operator.control.memory import Entry, Memory, Sight
from novita_operator.control.setbacks import Setbacks
from novita_operator.decision.actions import Launch
from novita_operator.decision.order import order
from novita_operator.decision.situation import CallResult, CreateCall, Situation
from novita_operator.model.claim import Bargain, Claim
from novita_operator.model.market import Offer, Order, usd
from novita_operator.model.naming import machine_name

logger = logging.getLogger(__name__)


class Launcher:
    """Writes claims and calls create. `identity` is random per process start: only this run may call for its claims."""

    def __init__(
        self,
        cloud: Cloud,
        instances: Instances,
        memory: Memory,
        setbacks: Setbacks,
        *,
        identity: str,
        lull: Callable[[], AbstractAsyncContextManager[None]],
        may_act: Callable[[], bool],
        token: Callable[[], str],
    ) -> None:
        """`token` gives a fresh launch token; `may_act` is false from the moment that the lease is lost.

        `lull` is a time in which no list is read, unless one takes too long to wait for.
        """
        self._cloud = cloud
        self._instances = instances
        self._memory = memory
        self._setbacks = setbacks
        self._identity = identity
        self._lull = lull
        self._may_act = may_act
        self._token = token

    async def launch(self, s: Situation, action: Launch) -> None:
        """One launch; what came of it is in memory.

        Raises:
            ClusterError: the claim was not written, or perhaps it was, or its object is gone; no call was made.
        """
        mark = s.instance.mark(s.policy.cluster_id)
        name = machine_name(mark, self._token())
        assert s.market is not None, "`launch` chose from it"
        wanted = order(s.instance.spec, s.market, action.offer, name, mark)
        try:
            async with self._cloud.admit_create() as admission, self._lull():
                began = self._memory.clock.boot()
                entry = await self._write(s, self._claim(s, action, name))
                await self._create(entry, admission, wanted, began + s.policy.claim_window / 3)
        except NotDone as error:
            logger.warning("launch of %s was refused: %s: %s", name, type(error).__name__, error)
            metrics.LAUNCHES.labels(type(error).__name__).inc()
            self._setbacks.remember(s, error, action.offer.shelf)

    async def _write(self, s: Situation, claim: Claim) -> Entry:
        """Until the claim may stand in the object, what is known of the launch before it stays known."""
        try:
            async with asyncio.timeout(s.policy.claim_window / 3):
                written = await self._instances.write_claim(s.instance, claim)
        except (TimeoutError, Unreachable) as error:
            if entry := self._memory.entries.get(s.uid):
                entry.create_call = CreateCall(claim.machine, CallResult.NOT_DONE)
            raise Unreachable(f"the claim was not acknowledged ({error or 'in time'}), so no call was made") from None
        self._memory.keep_up(written)
        if entry := self._memory.entries.get(s.uid):
            return entry
        raise Gone("the object went while its claim was written, so no call was made")

    async def _create(self, entry: Entry, admission: Admission, wanted: Order, too_late: float) -> None:
        """`too_late` is the boot clock when the claim is W/3 old. Cancelled, the outcome stays uncertain."""

        def fence() -> None:
            if self._memory.clock.boot() >= too_late:
                raise NotSent("the claim grew too old before the call could be sent")
            if not self._may_act():
                raise NotSent("the lease was lost before the call could be sent")
            if self._memory.sight() is not Sight.SEEING:
                raise NotSent("the list of the machines grew old before the call could be sent")

        entry.create_call = CreateCall(wanted.name, CallResult.NOT_DONE)
        fence()  # a call that is too late is not begun, or its deadline would leave its outcome unknown
        entry.create_call = CreateCall(wanted.name, CallResult.UNCERTAIN)
        try:
            async with asyncio.timeout(too_late - self._memory.clock.boot()):
                machine_id = await admission.create(wanted, fence)
        except NotDone:
            entry.create_call = CreateCall(wanted.name, CallResult.NOT_DONE)
            raise
        except (Unknown, TimeoutError) as error:
            logger.warning("launch of %s is uncertain: %s", wanted.name, error or "no answer in time")
            metrics.LAUNCHES.labels("uncertain").inc()
            return
        entry.create_call = CreateCall(wanted.name, CallResult.CREATED, machine_id)
        logger.info("launched %s as %s: %s", wanted.name, machine_id, _bargain(wanted.offer))
        metrics.LAUNCHES.labels("created").inc()

    def _claim(self, s: Situation, action: Launch, name: str) -> Claim:
        return Claim(
            uid=s.uid,
            machine=name,
            launch=action.launch,
            by=self._identity,
            at=self._memory.clock.now(),
            generation=s.instance.generation,
            retry=action.retry,
            bargain=_bargain(action.offer),
        )


def _bargain(offer: Offer) -> Bargain:
    return Bargain(
        product_id=offer.product_id,
        product_name=offer.product_name,
        region_id=offer.region_id,
        region=offer.region,
        billing_mode=offer.billing,
        hourly_price=usd(offer.hourly_price),
    )
