"""The audit at the start, in virtual time: what the watch brings is not read a second time."""

import asyncio
from typing import TYPE_CHECKING, cast

from build import NOW, POLICY, instance
from novita_operator.cluster.instances import Version
from novita_operator.control.audit import Audit
from novita_operator.control.clock import Clock
from novita_operator.control.memory import Memory
from novita_operator.control.workqueue import WorkQueue
from novita_operator.model.instance import GpuInstance
from virtual_time import virtual_time

if TYPE_CHECKING:
    from novita_operator.cluster.instances import Instances
    from novita_operator.cluster.recorder import Recorder

MANY = 50


class There:
    """What stands at the API server; counts who is read alone."""

    def __init__(self) -> None:
        self.objects = {str(number): object_of(number) for number in range(MANY)}
        self.read_alone: list[str] = []
        self.listed = 0

    async def count(self, _namespace: str | None) -> int:
        return len(self.objects)

    async def versions(self, _namespace: str | None) -> dict[str, Version]:
        self.listed += 1
        return {uid: Version("default", uid, "1") for uid in self.objects}

    async def read(self, _namespace: str, name: str) -> GpuInstance:
        self.read_alone.append(name)
        await asyncio.sleep(0.01)
        return self.objects[name]


def object_of(number: int) -> GpuInstance:
    return instance(uid=str(number), name=str(number), resourceVersion="1")


def now() -> float:
    return asyncio.get_running_loop().time()


async def watch(there: There, memory: Memory, count: int) -> None:
    """Brings the first so many, after a while, and one after the other."""
    await asyncio.sleep(1)
    for each in list(there.objects.values())[:count]:
        memory.remember(each)
        await asyncio.sleep(0.1)


async def caught_up(watched: int) -> tuple[There, Memory]:
    there, memory = There(), Memory(POLICY, Clock(lambda: NOW, now), started=now())
    audit = Audit(cast("Instances", there), memory, WorkQueue(now), cast("Recorder", None), namespaces=())
    watching = asyncio.create_task(watch(there, memory, watched))
    await audit.catch_up()
    await watching
    return there, memory


@virtual_time
async def test_at_the_start_what_the_watch_brings_is_not_asked_for_again():
    there, memory = await caught_up(MANY)
    assert (there.listed, there.read_alone) == (0, [])
    assert memory.entries.keys() == there.objects.keys()


@virtual_time
async def test_at_the_start_what_the_watch_does_not_bring_is_read():
    there, memory = await caught_up(MANY - 3)
    assert there.read_alone == ["47", "48", "49"]
    assert memory.entries.keys() == there.objects.keys()
