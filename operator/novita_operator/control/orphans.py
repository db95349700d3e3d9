"""The sweep: machines of ours whose resource is gone are a money leak. Report always, delete only by policy.

Order matters: the machines are listed first and the objects read after them, past every cache. An object that is not
there then was deleted; one that was made since cannot be missed. One that was restored has a new UID: it is looked at
for itself, and once more before its machine would be deleted.
"""

import asyncio
import logging
from collections.abc import Sequence

from novita_operator import metrics
from novita_operator.cloud.errors import CloudError, NotFound, NotSent, Unknown
from novita_operator.cloud.port import Cloud, Fence
from novita_operator.cluster.errors import ClusterError, Gone
from novita_operator.cluster.instances import Instances, Version
from novita_operator.cluster.recorder import Recorder
from novita_operator.cluster.retained import Retained
from novita_operator.decision.orphans import Orphan, judge
from novita_operator.model.instance import Unreadable
from novita_operator.model.machine import Fleet
from novita_operator.model.naming import Owner
from novita_operator.model.notice import Notice, NoticeType, Subject
from novita_operator.model.reasons import Incident

MOST_PER_PASS = 5

_FRESH_SECONDS = 30.0
_LEFT = "delete it"

logger = logging.getLogger(__name__)


class Sweep:
    """Looks for orphans; `namespaces` empty means all."""

    def __init__(
        self, cloud: Cloud, instances: Instances, retained: Retained, *, cluster_id: str, namespaces: Sequence[str]
    ) -> None:
        self.found: tuple[Orphan, ...] | None = None
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
        living: dict[str, Version] = {}
        for namespace in self._namespaces or (None,):
            living.update(await self._instances.versions(namespace))
        owners = {Owner(version.namespace, version.name) for version in living.values()}
        judged = judge(fleet, living, self._namespaces, await self._retained.ids())
        lives = {owner: await self._lives(owner) for owner in {orphan.mark.owner for orphan in judged} & owners}
        return tuple(
            orphan for orphan in judged if not _is_inherited(orphan, lives.get(orphan.mark.owner, frozenset()))
        )

    async def _lives(self, owner: Owner) -> frozenset[str] | None:
        """Those of the object that bears the name now, none if it is gone; None if it cannot be understood."""
        try:
            return (await self._instances.read(*owner)).lives
        except Gone:
            return frozenset()
        except Unreadable:
            return None

    async def _has_heir(self, orphan: Orphan) -> bool:
        return _is_inherited(orphan, await self._lives(orphan.mark.owner))

    async def run(self, recorder: Recorder, *, interval: float, deletes: bool, fence: Fence) -> None:
        """Sweep every `interval` seconds until cancelled; `found` is what the last sweep saw, None if it could not."""
        while True:
            await asyncio.sleep(interval)
            try:
                self.found = await self.look()
                await self._deal_with(
                    [orphan for orphan in self.found if not orphan.is_retained], recorder, fence, deletes=deletes
                )
            except (CloudError, ClusterError) as error:
                self.found = None
                logger.warning("no sweep for orphans this time: %s", error)

    async def _deal_with(self, orphans: Sequence[Orphan], recorder: Recorder, fence: Fence, *, deletes: bool) -> None:
        left = MOST_PER_PASS if deletes else 0
        for orphan in orphans:
            machine, mark = orphan.machine, orphan.mark
            if left > 0 and await self._has_heir(orphan):
                continue
            outcome = await self._delete(machine.id, _while_fresh(fence)) if left > 0 else _LEFT
            left -= outcome != _LEFT
            note = f"Machine {machine.id} is billed and has no resource: {outcome}."
            subject = Subject(mark.namespace, mark.name, mark.uid)
            recorder.emit(Notice(subject, NoticeType.WARNING, Incident.ORPHANED, "Sweep", note))
            logger.warning("orphan of %s: %s", mark, note)

    async def _delete(self, machine_id: str, fence: Fence) -> str:
        """What became of it; one that Novita does not delete must not hold up the others."""
        try:
            await self._cloud.delete(machine_id, fence)
        except NotFound:
            pass
        except CloudError as error:
            logger.warning("orphan %s could not be deleted: %s", machine_id, error)
            return "its deletion got no answer" if isinstance(error, Unknown) else _LEFT
        metrics.ORPHANS_DELETED.inc()
        return "deleted"


def _while_fresh(fence: Fence) -> Fence:
    """Also holds a call back that waited too long: who reads the object now may find another there."""
    now = asyncio.get_running_loop().time
    begun = now()

    def check() -> None:
        fence()
        if now() > begun + _FRESH_SECONDS:
            raise NotSent("the look at its object grew too old before the call could be sent")

    return check


def _is_inherited(orphan: Orphan, lives: frozenset[str] | None) -> bool:
    """Whether an object was restored under the same name, and counts the machine as its own, or may do so."""
    return lives is None or orphan.machine.is_of(orphan.mark.owner, lives)
