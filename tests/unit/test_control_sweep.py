"""The sweep's own time: whoever waits long between the look at an object and the call looks again."""

import asyncio
from typing import TYPE_CHECKING, cast

from build import CLUSTER, machine
from novita_operator.cloud.port import Cloud, Fence
from novita_operator.cluster.errors import Gone
from novita_operator.cluster.instances import Instances, Version
from novita_operator.control.orphans import Sweep
from novita_operator.model.machine import Machine
from novita_operator.model.notice import Notice
from virtual_time import virtual_time

if TYPE_CHECKING:
    from novita_operator.cluster.recorder import Recorder
    from novita_operator.cluster.retained import Retained

INTERVAL = 300.0
ORPHAN = machine()


class World:
    """An account with one orphan, whose deletion waits for so many seconds before it is sent."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self.deleted: list[str] = []
        self.told: list[str] = []

    async def machines(self) -> tuple[Machine, ...]:
        return (ORPHAN,)

    async def delete(self, machine_id: str, fence: Fence) -> None:
        await asyncio.sleep(self.wait)
        fence()
        self.deleted.append(machine_id)

    async def versions(self, _: str | None) -> dict[str, Version]:
        return {}

    async def ids(self) -> frozenset[str]:
        return frozenset()

    async def read(self, *_: str) -> None:
        raise Gone("no such object")

    def emit(self, notice: Notice) -> None:
        self.told.append(notice.note)


async def swept_once(world: World) -> None:
    sweep = Sweep(
        cast("Cloud", world), cast("Instances", world), cast("Retained", world), cluster_id=CLUSTER, namespaces=()
    )
    running = asyncio.create_task(
        sweep.run(cast("Recorder", world), interval=INTERVAL, deletes=True, fence=lambda: None)
    )
    await asyncio.sleep(INTERVAL + world.wait + 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@virtual_time
async def test_a_deletion_that_waited_long_is_not_sent_on_an_old_look():
    world = World(wait=31.0)
    await swept_once(world)
    assert world.deleted == []
    assert world.told == [f"Machine {ORPHAN.id} is billed and has no resource: delete it."]


@virtual_time
async def test_a_deletion_that_waited_a_little_is_sent():
    world = World(wait=29.0)
    await swept_once(world)
    assert world.deleted == [ORPHAN.id]
    assert world.told == [f"Machine {ORPHAN.id} is billed and has no resource: deleted."]
