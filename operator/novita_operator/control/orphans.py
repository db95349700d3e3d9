"""The sweep: machines of ours whose resource is gone are a money leak. Report always, delete only by policy (design 5).

Order matters: the machines are listed first and the objects read after them, past every cache. An object that is not
there then was deleted; one that was made since cannot be missed.
"""

import asyncio
import logging
from collections.abc import Sequence

from novita_operator import metrics
from novita_operator.cloud.errors import CloudError, NotFound
from novita_operator.cloud.port import Cloud, Fence
from novita_operator.cluster.errors import ClusterError
from novita_operator.cluster.instances import Instances
from novita_operator.cluster.retained import Retained
from novita_operator.decision.orphans import Orphan, judge
from novita_operator.model.machine import Fleet

MOST_PER_PASS = 5

logger = logging.getLogger(__name__)


class Sweep:
    """Looks for orphans; `namespaces` empty means all."""

    def __init__(
        self, cloud: Cloud, instances: Instances, retained: Retained, *, cluster_id: str, namespaces: Sequence[str]
    ) -> None:
        self._cloud = cloud
        self._instances = instances
        self._retained = retained
        self._cluster_id = cluster_id
        self._namespaces = tuple(namespaces)

    async def look(self) -> tuple[Orphan, ...]:
        """Every machine of this cluster id and these namespaces that no resource accounts for, retained ones included.

        Raises:
            CloudError, ClusterError: it is not known.
        """
        machines = await self._cloud.machines()
        fleet = Fleet.of(machines, cluster_id=self._cluster_id, begun=0)
        living: set[str] = set()
        for namespace in self._namespaces or (None,):
            living.update(await self._instances.versions(namespace))
        return judge(fleet, living, self._namespaces, await self._retained.ids())

    async def run(self, *, interval: float, deletes: bool, fence: Fence) -> None:
        """Sweep every `interval` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.sweep(deletes=deletes, fence=fence)
            except (CloudError, ClusterError) as error:
                logger.warning("no sweep for orphans this time: %s", error)

    async def sweep(self, *, deletes: bool, fence: Fence) -> None:
        """One pass."""
        found = await self.look()
        orphans = [orphan for orphan in found if not orphan.is_retained]
        metrics.ORPHANS.set(len(orphans))
        metrics.RETAINED.set(len(found) - len(orphans))
        for orphan in orphans:
            logger.warning("orphan: machine %s (%s) of %s", orphan.machine.id, orphan.machine.name, orphan.machine.mark)
        for orphan in orphans[: MOST_PER_PASS if deletes else 0]:
            await self._delete(orphan, fence)

    async def _delete(self, orphan: Orphan, fence: Fence) -> None:
        try:
            await self._cloud.delete(orphan.machine.id, fence)
        except NotFound:
            return
        metrics.ORPHANS_DELETED.inc()
        logger.warning("orphan %s deleted, as ORPHAN_POLICY says", orphan.machine.id)
