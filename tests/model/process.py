# ruff: noqa: ARG002  the ports ask for more than the model needs
"""A process of the model: the operator's real parts, wired as `app` does it, over a line to the world."""

import asyncio
import itertools
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from build import CLUSTER, NOW, POLICY, REGION, product
from model.line import Kind, Line
from model.world import Finding, World
from novita_operator import handlers
from novita_operator.cloud import paging
from novita_operator.cloud.port import Admission, Fence
from novita_operator.cluster.connection import Connection, Json
from novita_operator.cluster.errors import Unreachable
from novita_operator.cluster.instances import Instances
from novita_operator.cluster.recorder import Recorder
from novita_operator.cluster.retained import Retained
from novita_operator.control.act import Hands
from novita_operator.control.audit import Audit
from novita_operator.control.cadence import Cadence
from novita_operator.control.catalogue import Catalogue
from novita_operator.control.clock import Clock
from novita_operator.control.fleet import FleetPoller
from novita_operator.control.launch import Launcher
from novita_operator.control.memory import Memory
from novita_operator.control.orphans import Sweep
from novita_operator.control.poisoned import Quarantine
from novita_operator.control.reconciler import Reconciler
from novita_operator.control.setbacks import Setbacks
from novita_operator.control.workqueue import WorkQueue
from novita_operator.model.claim import CLAIM_ANNOTATION, Claim
from novita_operator.model.machine import Machine
from novita_operator.model.market import Order, Product, Region, Template
from novita_operator.model.resource import BillingMode

_FAST, _SLOW, _SWEEP, _AUDIT = 10.0, 30.0, 45.0, 60.0
_WORKERS = 2
_REFUSAL_PACE = 20.0
_LONGEST_RETRY = 30.0
_RETRY = 2.0
_FRESH = 1.0
"""Seconds after a halt in which what was judged before it may be out of date, and acted on all the same."""
_RUNS = itertools.count(1)


class Process:
    """One run: born with an empty memory and an identity of its own. `crash` is called in the midst of a call."""

    def __init__(self, world: World, name: str, clock: Clock, crash: Callable[[], None]) -> None:
        self.line = Line(name, world.plan, crash, world.cluster.edit_all)
        self.watches = True
        self._world = world
        self._heard = 0
        policy = replace(POLICY, startup_timeout=45.0, look_again=20.0)
        self.memory = Memory(policy, clock, started=clock.boot())
        self.queue = WorkQueue(world.time, longest_retry=_LONGEST_RETRY)
        steps, api = _Novita(self.line, world), _ApiServer(self.line, world)
        instances, retained = Instances(api), Retained(api, "home")
        cadence = Cadence(self.memory, fast=_FAST, slow=_SLOW, random=lambda: 0.5)
        self.poller = FleetPoller(steps, self.memory, self.queue, cadence)
        setbacks = Setbacks(self.memory, pace=_REFUSAL_PACE, random=lambda: 0.0)
        recorder = Recorder(api, instance=name, now=clock.now)
        self.launcher = Launcher(
            steps,
            instances,
            self.memory,
            setbacks,
            identity=f"{name}-{next(_RUNS)}",
            lull=self.poller.lull,
            may_act=_leads,
            token=world.fresh_token,
        )
        hands = Hands(steps, instances, retained, recorder, self.memory, self.launcher, setbacks, may_act=_leads)
        quarantine = Quarantine(self.memory, recorder, may_act=_leads)
        catalogue = Catalogue(steps, ttl=600, default_region="")
        self.reconciler = Reconciler(
            self.memory, self.queue, cadence, catalogue, hands, instances, recorder, quarantine, may_act=_leads
        )
        looks = _Novita(self.line, world, Kind.SWEEP_MACHINES, Kind.SWEEP_DELETE)
        reads = _ApiServer(self.line, world, Kind.SWEEP_OBJECTS)
        self.sweep = Sweep(looks, Instances(reads), Retained(reads, "home"), cluster_id=CLUSTER, namespaces=())
        audits = Instances(_ApiServer(self.line, world, Kind.AUDIT))
        self.audit = Audit(audits, self.memory, self.queue, quarantine, namespaces=())
        self._sweeps = partial(self.sweep.run, recorder, interval=_SWEEP, deletes=True, fence=_no_fence)
        self._tasks = [asyncio.ensure_future(self._act()), asyncio.ensure_future(self._audit())]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        self.relist()

    def die(self) -> None:
        """kill -9."""
        self.line.cut()
        self.watches = False
        for task in self._tasks:
            task.cancel()

    def relist(self) -> None:
        """A watch begins, or comes back after a gap: it skips what was between, and does not tell what is gone."""
        self._heard = len(self._world.cluster.past)
        for body in list(self._world.cluster.objects.values()):
            handlers.observe({"type": None, "object": body}, self.memory, self.queue, _is_readable)

    def hear(self) -> None:
        """What the watch brings; nothing while it is broken, and later what came while the process was frozen."""
        if not self.watches or not self.line.awake.is_set():
            return
        for event in self._world.cluster.past[self._heard :]:
            handlers.observe(event, self.memory, self.queue, _is_readable)
        self._heard = len(self._world.cluster.past)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that must not end has ended."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._world.finds(Finding.BROKEN, "".join(traceback.format_exception(error)))

    async def _act(self) -> None:
        """As `lifecycle.Life` does it."""
        await self.poller.poll()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.poller.run())
            group.create_task(self._sweeps())
            for _ in range(_WORKERS):
                group.create_task(self.reconciler.work())

    async def _audit(self) -> None:
        try:
            await self.audit.audit()
        except Unreachable:
            await asyncio.sleep(_RETRY)
        await self.audit.run(interval=_AUDIT)


def clock(time: Callable[[], float], *, boot: float, wall: int) -> Clock:
    """The clocks of a computer that started `boot` seconds before the example and runs `wall` seconds ahead."""
    return Clock(now=lambda: NOW + timedelta(seconds=int(time()) + wall), boot=lambda: time() + boot)


class _Admission:
    def __init__(self, line: Line, world: World) -> None:
        self._line = line
        self._world = world

    async def create(self, order: Order, fence: Fence) -> str:
        return await self._line.call(Kind.CREATE, lambda: self._world.cloud.create(order, fence))


class _Novita:
    """The `Cloud` that the parts ask; lists are put together by the real `whole_list`."""

    def __init__(self, line: Line, world: World, lists: Kind = Kind.LIST, deletes: Kind = Kind.DELETE) -> None:
        self._line = line
        self._world = world
        self._lists = lists
        self._deletes = deletes

    @asynccontextmanager
    async def admit_create(self) -> AsyncIterator[Admission]:
        await self._line.call(Kind.ADMIT, _no_fence)
        yield _Admission(self._line, self._world)

    async def machines(self) -> tuple[Machine, ...]:
        return await paging.whole_list(
            lambda number: self._line.call(self._lists, lambda: self._world.cloud.page(number))
        )

    async def machine(self, machine_id: str) -> Machine:
        return await self._line.call(Kind.ALONE, lambda: self._world.cloud.machine(machine_id))

    async def machines_named(self, name: str, *, exactly: bool = True) -> tuple[Machine, ...]:
        return await paging.whole_list(
            lambda number: self._line.call(Kind.ALONE, lambda: self._world.cloud.page(number, name, exactly=exactly))
        )

    async def start(self, machine_id: str, fence: Fence) -> None:
        await self._line.call(Kind.POWER, lambda: self._world.cloud.start(machine_id, fence))

    async def stop(self, machine_id: str, fence: Fence) -> None:
        await self._line.call(Kind.POWER, lambda: self._world.cloud.stop(machine_id, fence))

    async def restart(self, machine_id: str, fence: Fence) -> None:
        raise NotImplementedError

    async def delete(self, machine_id: str, fence: Fence) -> None:
        is_orphan = self._deletes is Kind.SWEEP_DELETE
        if is_orphan or self._world.time() - self._line.resumed > _FRESH:
            self._world.deletes(machine_id, as_orphan=is_orphan)
        await self._line.call(self._deletes, lambda: self._world.cloud.delete(machine_id, fence))

    async def regions(self) -> tuple[Region, ...]:
        return (REGION,)

    async def products(self, region_id: str, billing: BillingMode, gpu_count: int) -> tuple[Product, ...]:
        return (product(),)

    async def template(self, template_id: str) -> Template:
        raise NotImplementedError

    async def registry_credential_ids(self) -> frozenset[str]:
        raise NotImplementedError


class _ApiServer(Connection):
    """The connection under the real `Instances` and `Retained`."""

    def __init__(self, line: Line, world: World, reads: Kind = Kind.READ) -> None:
        self._line = line
        self._world = world
        self._reads = reads

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> Json:
        return await self._line.call(self._reads, lambda: self._world.cluster.get(path))

    async def create(self, path: str, body: Json, *, write: str) -> Json:
        return await self._line.call(Kind.NOTE, lambda: self._world.cluster.create(body))

    async def merge(self, path: str, body: Json, *, write: str) -> Json:
        kinds = {"claim": Kind.CLAIM, "release": Kind.RELEASE, "retained": Kind.NOTE}
        kind = kinds.get(write, Kind.RECORD if "instanceId" in body.get("status", ()) else Kind.STATUS)
        if kind is Kind.CLAIM:
            self._world.intends(Claim.model_validate_json(body["metadata"]["annotations"][CLAIM_ANNOTATION]))
        return await self._line.call(kind, lambda: self._world.cluster.merge(path, body))


def _leads() -> bool:
    """There is no lease here: it is comfort, the claim is safety."""
    return True


def _is_readable(error: Exception) -> None:
    raise AssertionError("every object of the model can be read") from error


def _no_fence() -> None:
    return
