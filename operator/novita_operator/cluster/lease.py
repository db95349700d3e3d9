"""Leader election on a Lease (coordination.k8s.io/v1): one operator acts, the others stand by with a warm cache.

Guarantees: at most one process believes that it leads, as long as clocks run at about the same speed.
Assumptions: `clock` runs while the machine sleeps (`CLOCK_BOOTTIME`); no two processes share an identity.
Caveat: this is comfort, no fence for a paid call that is under way; the claim is the safety.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from novita_operator.cluster.connection import Connection, Json
from novita_operator.cluster.errors import ClusterError, Gone
from novita_operator.metrics import LEADER

NAME = "novita-operator"
LEASE_SECONDS = 15.0

_JITTER = 0.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds, all from the first: how long others wait, how long one leads without renewal, how often it renews."""

    lease: float = LEASE_SECONDS

    @property
    def renew_deadline(self) -> float:
        return self.lease * 2 / 3

    @property
    def retry(self) -> float:
        return self.lease * 2 / 15

    @property
    def attempt(self) -> float:
        """Bound of one look or write, so that a connection that hangs leaves time for another try."""
        return self.renew_deadline / 2


@dataclass(frozen=True, slots=True)
class Rival:
    """Another holder as we saw it: `record` since `seen` (our boot clock), so that no two clocks are compared."""

    record: Json
    seen: float

    def expires(self, default: float) -> float:
        """Our boot clock when its lease has run out, unless the record changes until then."""
        return self.seen + float(self.record.get("leaseDurationSeconds") or default)


class Elector:
    """Runs for the lease, then holds it until it is lost or `run` is cancelled."""

    def __init__(
        self,
        connection: Connection,
        *,
        namespace: str,
        identity: str,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        chance: Callable[[], float],
        durations: Durations | None = None,
    ) -> None:
        """`identity`: this process run's own; `clock`: boot seconds; `now`: UTC, for people; `chance`: from 0 to 1."""
        self.leading = asyncio.Event()
        self._connection = connection
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._identity = identity
        self._clock = clock
        self._now = now
        self._chance = chance
        self._durations = durations or Durations()
        self._held_until = 0.0
        self._lease: Json | None = None
        self._rival: Rival | None = None

    def is_leading(self) -> bool:
        """Whether this process may act now."""
        return self.seconds_left() > 0

    def seconds_left(self) -> float:
        """For how long it may act without another renewal; 0 when it may not."""
        return max(0.0, self._held_until - self._clock()) if self.leading.is_set() else 0.0

    async def run(self) -> None:
        """Stand by, set `leading`, hold the lease; returns when it is lost: the process must then end.

        Cancelled, it hands the lease back, so that another need not wait for it to run out: cancel it last.
        """
        try:
            while not await self._attempt(self._durations.attempt):
                await self._pause()
            self._begin()
            await self._hold()
        finally:
            await self._resign()

    def _begin(self) -> None:
        self.leading.set()
        LEADER.set(1)
        _log.info("this process leads: %s holds the lease %s", self._identity, NAME)

    async def _hold(self) -> None:
        """Renew until somebody else has the lease, or the deadline has passed."""
        while self.is_leading() and self._rival is None:
            await self._pause()
            await self._attempt(min(self.seconds_left(), self._durations.attempt))
        _log.error("this process leads no more: the lease %s is lost", NAME)

    async def _pause(self) -> None:
        await asyncio.sleep(self._durations.retry * (1 + _JITTER * self._chance()))

    async def _attempt(self, seconds: float) -> bool:
        """Take or renew the lease if that may be; whether it was written.

        It is ours from *before* the write was sent: the others count from when they see it, which is later.
        """
        begun = self._clock()
        try:
            async with asyncio.timeout(seconds):
                if not await self._may_write():
                    return False
                self._lease = await self._write(self._identity, self._durations.lease)
        except (ClusterError, TimeoutError) as error:
            self._lease = None  # only a look at the lease says now whose it is
            _log.warning("the lease %s could not be renewed: %s", NAME, str(error) or "no answer in time")
            return False
        self._rival = None
        self._held_until = begun + self._durations.renew_deadline
        return True

    async def _may_write(self) -> bool:
        """Whether the lease is ours, free, or has run out; looks at it, unless our own last write stands."""
        if self._lease is not None and _holder(self._lease) == self._identity:
            return True
        self._lease = await self._read()
        if _holder(self._lease) in {"", self._identity}:
            return True
        record = self._lease["spec"]
        if self._rival is None or self._rival.record != record:
            self._rival = Rival(record, self._clock())
        return self._clock() >= self._rival.expires(self._durations.lease)

    async def _read(self) -> Json:
        """The lease, or one that is still to be made."""
        try:
            return await self._connection.get(f"{self._leases}/{NAME}")
        except Gone:
            return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}}

    async def _write(self, holder: str, seconds: float) -> Json:
        """Write on the version that we saw, so that of two who try only one succeeds."""
        assert self._lease is not None
        body = {**self._lease, "spec": self._record(self._lease.get("spec") or {}, holder, seconds)}
        if "resourceVersion" in body["metadata"]:
            return await self._connection.replace(f"{self._leases}/{NAME}", body, write="lease")
        return await self._connection.create(self._leases, body, write="lease")

    def _record(self, old: Json, holder: str, seconds: float) -> Json:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = old.get("holderIdentity") == holder
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": math.ceil(seconds),
            "acquireTime": (old.get("acquireTime") or now) if same else now,
            "renewTime": now,
            "leaseTransitions": (old.get("leaseTransitions") or 0) + (0 if same else 1),
        }

    async def _resign(self) -> None:
        """Stop leading at once, then hand the lease back if it is still ours."""
        held = self.is_leading() and self._rival is None
        self.leading.clear()
        LEADER.set(0)
        if not held:
            return
        with contextlib.suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(self._durations.retry):
                self._lease = self._lease or await self._read()
                if _holder(self._lease) == self._identity:
                    self._lease = await self._write("", 1)


def _holder(lease: Json) -> str:
    return (lease.get("spec") or {}).get("holderIdentity") or ""
