"""The audit, in virtual time: at the start what the watch brings is not read again; a read is believed both ways."""

import asyncio
from typing import TYPE_CHECKING, cast

from build import NOW, POLICY, UID, instance, poisoned
from novita_operator.cluster.instances import Version
from novita_operator.control.audit import Audit
from novita_operator.control.clock import Clock
from novita_operator.control.memory import Memory
from novita_operator.control.poisoned import Quarantine
from novita_operator.control.workqueue import WorkQueue
from novita_operator.model.instance import GpuInstance, Unreadable
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


def auditor(there: "There | Restored", memory: Memory) -> Audit:
    quarantine = Quarantine(memory, cast("Recorder", None), may_act=lambda: False)
    return Audit(cast("Instances", there), memory, WorkQueue(now), quarantine, namespaces=())


async def caught_up(watched: int) -> tuple[There, Memory]:
    there, memory = There(), Memory(POLICY, Clock(lambda: NOW, now), started=now())
    audit = auditor(there, memory)
    watching = asyncio.create_task(watch(there, memory, watched))
    await audit.catch_up(await audit.count())
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


class Restored:
    """One object, which is older now than memory has it, or was changed while it was listed."""

    def __init__(self, version: str, memory: Memory, *, is_readable: bool) -> None:
        self.version, self.memory, self.is_readable = version, memory, is_readable

    async def versions(self, _namespace: str | None) -> dict[str, Version]:
        return {UID: Version("default", "trainer", self.version)}

    async def read(self, _namespace: str, _name: str) -> GpuInstance:
        if not self.is_readable:
            raise Unreadable(poisoned(self.version))
        return instance(resourceVersion=self.version)


@virtual_time
async def test_an_object_that_a_restore_made_readable_is_known_again():
    memory = Memory(POLICY, Clock(lambda: NOW, now), started=now())
    memory.set_aside(poisoned("100"))
    await auditor(Restored("50", memory, is_readable=True), memory).audit()
    assert (set(memory.entries), set(memory.unreadable)) == ({UID}, set())


@virtual_time
async def test_an_object_that_a_restore_made_unreadable_is_set_aside():
    memory = Memory(POLICY, Clock(lambda: NOW, now), started=now())
    memory.remember(instance(resourceVersion="100"))
    await auditor(Restored("50", memory, is_readable=False), memory).audit()
    assert (memory.entries, memory.unreadable) == ({}, {UID: poisoned("50")})


@virtual_time
async def test_an_object_that_was_spoiled_and_mended_during_the_list_is_known_again():
    class Busy(Restored):
        async def versions(self, namespace: str | None) -> dict[str, Version]:
            self.memory.set_aside(poisoned("11"))
            return await super().versions(namespace)

    memory = Memory(POLICY, Clock(lambda: NOW, now), started=now())
    memory.remember(instance(resourceVersion="10"))
    await auditor(Busy("12", memory, is_readable=True), memory).audit()
    assert (set(memory.entries), set(memory.unreadable)) == ({UID}, set())
