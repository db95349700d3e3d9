"""Memory against the cluster: kopf does not notice objects that were deleted while its watch was down."""

import asyncio
import logging
from collections.abc import Sequence

from novita_operator.cluster.errors import ClusterError, Gone
from novita_operator.cluster.instances import Instances, Version
from novita_operator.cluster.recorder import Recorder
from novita_operator.control.memory import Memory
from novita_operator.control.poisoned import set_aside
from novita_operator.control.workqueue import WorkQueue
from novita_operator.model.instance import GpuInstance, Unreadable

_PATIENCE_SECONDS = 2.0
_TICK_SECONDS = 0.05

logger = logging.getLogger(__name__)


class Audit:
    """Compares by a metadata-only list; what differs is read whole and looked at. `namespaces` empty means all."""

    def __init__(
        self, instances: Instances, memory: Memory, queue: WorkQueue, recorder: Recorder, *, namespaces: Sequence[str]
    ) -> None:
        self._instances = instances
        self._memory = memory
        self._queue = queue
        self._recorder = recorder
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
        before = {instance.uid: instance for instance in self._memory.instances()}
        known = before.keys() | self._memory.unreadable.keys()
        there = await self.versions()
        for uid in known - there.keys():
            logger.info("object %s is gone, and the watch did not say so", uid)
            self._memory.forget(uid)
        for uid, version in there.items():
            if self.is_behind(uid, version) or _was_restored(before.get(uid), version):
                await self._read(uid, version, before.get(uid))

    async def catch_up(self) -> None:
        """At the start: until memory has had every object; what the watch brings is not asked for a second time.

        Raises:
            ClusterError: the API server did not answer.
        """
        count = sum([await self._instances.count(namespace) for namespace in self._namespaces or (None,)])
        brought, quiet = 0, 0.0
        while (known := self._known()) < count and quiet < _PATIENCE_SECONDS:
            quiet = 0.0 if known > brought else quiet + _TICK_SECONDS
            brought = known
            await asyncio.sleep(_TICK_SECONDS)
        if self._known() < count:
            await self.audit()

    def _known(self) -> int:
        """How many objects memory has had, those included that cannot be understood."""
        entries, unreadable = self._memory.entries, self._memory.unreadable
        return len(entries) + len(unreadable.keys() - entries.keys())

    async def versions(self) -> dict[str, Version]:
        """Every watched object that exists."""
        there: dict[str, Version] = {}
        for namespace in self._namespaces or (None,):
            there.update(await self._instances.versions(namespace))
        return there

    def is_behind(self, uid: str, version: Version) -> bool:
        """Whether memory has an older version of the object, or none."""
        entry, unreadable = self._memory.entries.get(uid), self._memory.unreadable.get(uid)
        if entry is None:
            return unreadable is None or int(unreadable.resource_version) < int(version.resource_version)
        return int(entry.instance.metadata.resource_version) < int(version.resource_version)

    async def _read(self, uid: str, version: Version, before: GpuInstance | None) -> None:
        try:
            fresh = await self._instances.read(version.namespace, version.name)
        except Gone:
            self._memory.forget(uid)
            return
        except Unreadable as error:
            set_aside(error, self._memory, self._recorder)
            return
        self._memory.reread(before, fresh) if before else self._memory.remember(fresh)
        self._queue.add(fresh.uid, self._memory.urgency(fresh.uid))


def _was_restored(before: GpuInstance | None, version: Version) -> bool:
    """A list past every cache shows an older version than was known when it began: etcd came back from a backup."""
    return before is not None and int(version.resource_version) < int(before.metadata.resource_version)
