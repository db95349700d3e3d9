"""The poller: one list of the whole account, compared with the last one, wakes only the objects that it concerns.

A list that fails leaves the last one standing; it grows old, and an old list means blind: all hear of that at once,
even while a list hangs.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from novita_operator import metrics
from novita_operator.cloud.errors import CloudError, IncompleteList, NotSent, Unauthorized
from novita_operator.cloud.port import Cloud
from novita_operator.control.cadence import LULLS_PER_LIST, Cadence
from novita_operator.control.memory import Memory, Sight
from novita_operator.control.workqueue import WorkQueue
from novita_operator.decision.brake import Brake
from novita_operator.model.machine import Fleet, Machine

_ATTEMPTS = 3
_SHORT_LULL, _LONG_LULL = 2.0, 10.0
_LAUNCH_SECONDS = 0.5

logger = logging.getLogger(__name__)


class FleetPoller:
    """Keeps `memory.fleet` fresh, as often as the cadence says."""

    def __init__(self, cloud: Cloud, memory: Memory, queue: WorkQueue, cadence: Cadence) -> None:
        self._cloud = cloud
        self._memory = memory
        self._queue = queue
        self._cadence = cadence
        self._between_lists = asyncio.Event()
        self._between_lists.set()
        self._launches = 0
        self._no_launch = asyncio.Event()
        self._no_launch.set()
        self._brake = Brake()
        self._told = self._news()

    @contextlib.asynccontextmanager
    async def lull(self) -> AsyncIterator[None]:
        """A time in which no list is read: a machine that is launched meanwhile makes its pages disagree.

        A list is waited for not much longer than the last one took, as one that hangs must not hold the workers back
        from deletes and stops; and the next list waits only a moment for the launches that are under way.
        """
        longest = min(max(_SHORT_LULL, LULLS_PER_LIST * self._cadence.took), _LONG_LULL)
        await _wait(self._between_lists, longest)
        self._launches += 1
        self._no_launch.clear()
        try:
            yield
        finally:
            self._launches -= 1
            if not self._launches:
                self._no_launch.set()

    async def run(self) -> None:
        """Poll until cancelled; the first list, at the start, is left to the caller."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._grow_old())
            group.create_task(self._poll_on())

    async def _grow_old(self) -> None:
        """All hear that sight is lost when it is, not when the list under way has ended."""
        while True:
            await asyncio.sleep(max(self._memory.sight_left(), self._cadence.least))
            self._tell()

    async def _poll_on(self) -> None:
        while True:
            await self._cadence.pause()
            await self.poll()

    async def poll(self) -> None:
        """Read one list, remember it, and wake whom it concerns."""
        self._between_lists.clear()
        self._memory.asked = self._memory.clock.boot()
        try:
            await _wait(self._no_launch, _LAUNCH_SECONDS)
            machines, begun = await self._whole_list()
        except CloudError as error:
            self._failed(error)
        else:
            self._tell()  # a step may have seen that sight was lost before its timer did
            self._succeeded(machines, begun)
        finally:
            self._between_lists.set()
            self._memory.asked = None
        self._tell()

    def _tell(self) -> None:
        """Wake all if there is news of the sight."""
        news = self._news()
        if news != self._told:
            self._told = news
            self._wake_all()

    def _news(self) -> tuple[Sight, bool]:
        """How well the fleet is seen, and whether it is known why it is not."""
        sight = self._memory.sight()
        return sight, sight is not Sight.SEEING and bool(self._memory.trouble)

    async def _whole_list(self) -> tuple[tuple[Machine, ...], float]:
        """The machines, and the boot clock before they were asked for; pages that disagree are read anew at once."""
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(IncompleteList):
                return await self._list()
        return await self._list()

    async def _list(self) -> tuple[tuple[Machine, ...], float]:
        begun = self._memory.clock.boot()
        try:
            machines = await self._cloud.machines()
        except IncompleteList:
            self._cadence.took = self._memory.clock.boot() - begun
            raise
        self._cadence.took = self._memory.clock.boot() - begun
        return machines, begun

    def _failed(self, error: CloudError) -> None:
        self._cadence.failed(error)
        if not isinstance(error, NotSent) or error.is_outage or not self._memory.trouble:
            self._memory.trouble = str(error)  # a call that was merely held back does not hide the cause
        if isinstance(error, Unauthorized):
            self._memory.key_accepted = False
        metrics.FLEET_POLLS.labels(type(error).__name__).inc()
        logger.warning("the fleet could not be listed: %s", error)

    def _succeeded(self, machines: tuple[Machine, ...], begun: float) -> None:
        memory, before = self._memory, self._memory.fleet
        self._brake = self._brake.see(frozenset(machine.id for machine in machines), memory.deleted.keys())
        fleet = Fleet.of(machines, cluster_id=memory.policy.cluster_id, begun=begun, suspect=self._brake.is_on)
        memory.fleet, memory.key_accepted, memory.trouble = fleet, True, ""
        metrics.FLEET_POLLS.labels("ok").inc()
        self._forget_the_gone(fleet)
        if before is not None and before.suspect != fleet.suspect:
            self._wake_all()
        elif before is not None:
            self._wake(_changed(memory, before, fleet) | _told(memory, before, fleet))
        self._wake(self._cadence.succeeded(begun))

    def _forget_the_gone(self, fleet: Fleet) -> None:
        """A delete is remembered while the machine may still be shown or its object is still to be released."""
        if not self._memory.deleted or fleet.suspect:
            return
        held = {instance.status.instance_id for instance in self._memory.instances()}
        for machine_id in self._memory.deleted.keys() - fleet.machines.keys() - held:
            if fleet.begun > self._memory.deleted[machine_id] + self._memory.policy.list_lag:
                del self._memory.deleted[machine_id]

    def _wake(self, uids: set[str]) -> None:
        for uid in uids & self._memory.entries.keys():
            self._queue.add(uid, self._memory.urgency(uid))

    def _wake_all(self) -> None:
        self._wake(set(self._memory.entries))


async def _wait(event: asyncio.Event, longest: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest):
            await event.wait()


def _changed(memory: Memory, before: Fleet, after: Fleet) -> set[str]:
    """UIDs of the objects whose machines look different; most lists change nothing.

    Also of those that record a machine which came or went: it may bear their mark no more.
    """
    owners = before.ours.keys() | after.ours.keys()
    changed = {owner for owner in owners if before.made_for(owner) != after.made_for(owner)}
    moved = before.machines.keys() ^ after.machines.keys()
    if not (changed or moved):
        return set()
    return {i.uid for i in memory.instances() if i.owner in changed or i.status.instance_id in moved}


def _told(memory: Memory, before: Fleet, after: Fleet) -> set[str]:
    """UIDs of the objects whose call, a power call or a delete, this list is the first that may contradict.

    A call that did nothing changes no list: nothing else would wake them.
    """

    def is_first_to_tell(at: float) -> bool:
        return before.begun <= at + memory.policy.list_lag < after.begun

    asked = {uid for uid, entry in memory.entries.items() if entry.power_call and is_first_to_tell(entry.power_call.at)}
    deleted = {machine_id for machine_id, at in memory.deleted.items() if is_first_to_tell(at)}
    if not deleted:
        return asked
    owners = {owner for owner, group in after.ours.items() if any(machine.id in deleted for machine in group)}
    return asked | {i.uid for i in memory.instances() if i.owner in owners}
