"""Memory against the cluster: kopf does not notice objects that were deleted while its watch was down."""

import asyncio
import logging
from collections.abc import Sequence

from novita_operator.cluster.errors import ClusterError, Gone
from novita_operator.cluster.instances import Instances, Version
from novita_operator.control.memory import Memory
from novita_operator.control.poisoned import Quarantine
from novita_operator.control.workqueue import WorkQueue
from novita_operator.model.instance import GpuInstance, Poisoned, Unreadable

_PATIENCE_SECONDS = 2.0
_TICK_SECONDS = 0.05

logger = logging.getLogger(__name__)


class Audit:
    """Compares by a metadata-only list; what differs is read whole and looked at. `namespaces` empty means all."""

    def __init__(
        self,
        instances: Instances,
        memory: Memory,
        queue: WorkQueue,
        quarantine: Quarantine,
        *,
        namespaces: Sequence[str],
    ) -> None:
        self._instances = instances
        self._memory = memory
        self._queue = queue
        self._quarantine = quarantine
        self._namespaces = tuple(namespaces)

    async def run(self, *, interval: float) -> None:
        """Audit every `interval` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.audit()
            except ClusterError as error:
                logger.warning("memory could not be compared with the cluster: %s", error)

    async def audit(self) -> None:
        """One comparison.

        Raises:
            ClusterError: the API server did not answer.
        """
        before = self._memory.all_seen()
        there = await self.versions()
        for uid in before.keys() - there.keys():
            logger.info("object %s is gone, and the watch did not say so", uid)
            self._memory.forget(uid)
        for uid, version in there.items():
            if self.is_behind(uid, version) or _was_restored(before.get(uid), version):
                await self._read(uid, version, before.get(uid))

    async def catch_up(self, count: int) -> None:
        """At the start: until memory has had so many objects; what the watch brings is not asked for a second time.

        Raises:
            ClusterError: the API server did not answer.
        """
        brought, quiet = 0, 0.0
        while (known := self._known()) < count and quiet < _PATIENCE_SECONDS:
            quiet = 0.0 if known > brought else quiet + _TICK_SECONDS
            brought = known
            await asyncio.sleep(_TICK_SECONDS)
        if self._known() < count:
            await self.audit()

    async def count(self) -> int:
        """How many objects are watched.

        Raises:
            ClusterError: the API server did not answer, or does not serve them.
        """
        return sum([await self._instances.count(namespace) for namespace in self._namespaces or (None,)])

    def _known(self) -> int:
        """How many objects memory has had, those included that cannot be understood."""
        return len(self._memory.entries) + len(self._memory.unreadable)

    async def versions(self) -> dict[str, Version]:
        """Every watched object that exists."""
        there: dict[str, Version] = {}
        for namespace in self._namespaces or (None,):
            there.update(await self._instances.versions(namespace))
        return there

    def is_behind(self, uid: str, version: Version) -> bool:
        """Whether memory has an older version of the object, or none."""
        seen = self._memory.seen(uid)
        return seen is None or seen.version < int(version.resource_version)

    async def _read(self, uid: str, version: Version, before: GpuInstance | Poisoned | None) -> None:
        try:
            fresh = await self._instances.read(version.namespace, version.name)
        except Gone:
            self._memory.forget(uid)
            return
        except Unreadable as error:
            self._quarantine.set_aside(error, before)
            return
        self._memory.reread(before, fresh) if before else self._memory.remember(fresh)
        self._queue.add(fresh.uid, self._memory.urgency(fresh.uid))


def _was_restored(before: GpuInstance | Poisoned | None, version: Version) -> bool:
    """A list past every cache shows an older version than was known when it began: etcd came back from a backup."""
    return before is not None and int(version.resource_version) < before.version
