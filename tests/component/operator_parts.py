"""An operator's parts inside the test's process, wired as `app` does it, under a clock that the test turns.

Nothing runs by itself: a test says when memory learns, when the fleet is listed, and which object is looked at.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from component.operator_fixtures import FOREIGN, WRITES
from component.relay import Relay, relayed
from controlplane.plane import ControlPlane
from leaks import check_cluster
from novita_operator.cloud.novita import Novita
from novita_operator.cloud.pacing import Gate
from novita_operator.cluster.connection import Connection, connect
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
from novita_operator.decision.situation import Policy
from novita_operator.model.claim import Claim
from novita_operator.model.instance import GpuInstance
from novita_operator.model.naming import MARK_ENV, Mark, machine_name
from novita_simulator.client import Simulator
from novita_simulator.running import running
from stage import KEY, install_account

CLUSTER_ID = "cluster-1"
HOME = "home-of-parts"
W = 60.0
LAG = 10.0
FIRST_RETRY = 0.05
_BEGIN = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
_FAST, _SLOW = 10.0, 30.0
_LONG_ENOUGH = 600.0


@dataclass
class HandClock:
    """Stands still until it is turned."""

    seconds: float = 1000.0

    def turn(self, seconds: float) -> None:
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(lambda: _BEGIN + timedelta(seconds=int(self.seconds)), lambda: self.seconds)


@dataclass
class Parts:
    """One operator. `before_claim` is done whenever a launch token is drawn: the next write is the claim."""

    clock: HandClock
    memory: Memory
    relay: Relay
    cloud: Novita
    instances: Instances
    queue: WorkQueue
    poller: FleetPoller
    reconciler: Reconciler
    sweep: Sweep
    audit: Audit
    recorder: Recorder
    before_claim: Callable[[], None] = lambda: None
    may_act: bool = True

    def known(self, name: str = "trainer") -> GpuInstance:
        """The object as memory has it."""
        return next(each for each in self.memory.instances() if each.metadata.name == name)

    def uid(self, name: str = "trainer") -> str:
        return self.known(name).uid

    def claim(self, name: str = "trainer") -> Claim:
        found = self.known(name).claim
        assert found is not None, "there is no claim"
        return found

    def reason(self, name: str = "trainer", kind: str = "Ready") -> str:
        """Why the condition stands as it does, empty while there is none."""
        condition = self.known(name).status.condition(kind)
        return condition.reason if condition is not None else ""

    async def learn(self) -> None:
        """As the watch would: memory has every object as it stands."""
        await self.audit.audit()

    async def look(self, name: str = "trainer") -> None:
        """One step for one object; what goes wrong with it is raised."""
        await self.reconciler.step(self.uid(name))

    async def see(self, name: str = "trainer") -> None:
        """List the fleet, then look."""
        await self.poller.poll()
        await self.look(name)

    async def launch(self, name: str = "trainer") -> None:
        """Learn, list, look: what a new object needs."""
        await self.learn()
        await self.see(name)

    @contextlib.asynccontextmanager
    async def at_work(self, workers: int = 4) -> AsyncIterator[None]:
        """With the workers' loops, as in the operator, that take keys from the queue."""
        tasks = [asyncio.create_task(self.reconciler.work()) for _ in range(workers)]
        try:
            yield
        finally:
            await self.queue.shut_down()
            await asyncio.gather(*tasks)


StartParts = Callable[..., Awaitable[Parts]]


@pytest.fixture
def still_novita() -> Iterator[Simulator]:
    """A pretend Novita whose time the test turns; no hand may be laid on a foreign machine."""
    with running(speed=0) as simulator:
        yield simulator
        touched = {asked.name for asked in simulator.journal() if asked.operation in WRITES}
        assert not touched & FOREIGN, "a foreign machine was touched"


@pytest.fixture(scope="session")
def parts_kubeconfig(plane: ControlPlane, crd: None) -> Path:  # noqa: ARG001  it must be served
    """The rights of the table, for all namespaces; one account for the session, since each takes half a second."""
    plane.kubectl("create", "namespace", HOME)
    return install_account(plane, HOME)


@pytest_asyncio.fixture
async def start_parts(
    plane: ControlPlane, parts_kubeconfig: Path, namespace: str, still_novita: Simulator, tmp_path: Path
) -> AsyncIterator[StartParts]:
    """Puts operators together; each has its own identity, clock, memory and connections."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(**policy: float) -> Parts:
            target = tmp_path / f"kubeconfig-{secrets.token_hex(4)}"
            relay = await stack.enter_async_context(relayed(parts_kubeconfig, target))
            connection = await connect(target)
            stack.push_async_callback(connection.close)
            clock = HandClock()
            cloud = await stack.enter_async_context(_cloud(still_novita.url, clock.clock()))
            return _assemble(namespace, clock, connection, relay, cloud, policy)

        yield start
    check_cluster(plane.kubeconfig)


def planted(novita: Simulator, instance: GpuInstance, token: str, *, cluster_id: str = CLUSTER_ID) -> str:
    """Id of a running machine with the name and the mark that we would give it, which no call of ours made."""
    mark = instance.mark(cluster_id)
    (machine,) = novita.plant(machine_name(mark, token), envs={MARK_ENV: str(mark)})
    return machine.id


def orphaned(novita: Simulator, namespace: str, name: str, *, cluster_id: str = CLUSTER_ID) -> str:
    """Id of a machine of ours whose resource there never was."""
    mark = Mark(cluster_id, namespace, name, f"uid-of-{name}")
    (machine,) = novita.plant(machine_name(mark, "aaaaaaaa"), envs={MARK_ENV: str(mark)})
    return machine.id


def alive(novita: Simulator, parts: Parts, name: str = "trainer") -> list[str]:
    """Names of the machines that bear the object's mark and are there."""
    mark = str(parts.known(name).mark(CLUSTER_ID))
    return [m.name for m in novita.machines() if m.envs.get(MARK_ENV) == mark and m.status not in _GONE]


_GONE = {"toRemove", "removing", "removed"}


def _cloud(url: str, clock: Clock) -> Novita:
    gate = Gate(calls_per_minute=100_000, clock=clock.boot, random=lambda: 0.0)
    return Novita(key=lambda: KEY, gate=gate, version="test", base_url=url, create_seconds=W / 4)


def _assemble(
    namespace: str, hand: HandClock, connection: Connection, relay: Relay, cloud: Novita, policy: dict[str, float]
) -> Parts:
    """`app._assemble` with other sources of time, chance and tokens, and without an elector."""
    clock, identity = hand.clock(), f"test-{secrets.token_hex(4)}"
    base = Policy(cluster_id=CLUSTER_ID, claim_window=W, list_lag=LAG, startup_timeout=_LONG_ENOUGH)
    memory = Memory(replace(base, **policy), clock, started=clock.boot())  # type: ignore[arg-type]
    queue = WorkQueue(asyncio.get_running_loop().time, first_retry=FIRST_RETRY)
    cloud.hide(memory.secrets)
    instances, recorder = Instances(connection), Recorder(connection, instance=identity, now=clock.now)
    catalogue = Catalogue(cloud, ttl=_LONG_ENOUGH, default_region="")
    cadence = Cadence(memory, fast=_FAST, slow=_SLOW, random=lambda: 0.5)
    poller = FleetPoller(cloud, memory, queue, cadence)
    setbacks = Setbacks(memory, pace=300, random=lambda: 0.0)
    retained = Retained(connection, HOME)

    def may_act() -> bool:
        return parts.may_act

    def token() -> str:
        parts.before_claim()
        return secrets.token_hex(4)

    launcher = Launcher(
        cloud,
        instances,
        memory,
        setbacks,
        identity=identity,
        lull=poller.lull,
        may_act=may_act,
        token=token,
    )
    quarantine = Quarantine(memory, recorder, may_act=may_act)
    hands = Hands(cloud, instances, retained, recorder, memory, launcher, setbacks, may_act=may_act)
    parts = Parts(
        clock=hand,
        memory=memory,
        relay=relay,
        cloud=cloud,
        instances=instances,
        queue=queue,
        poller=poller,
        reconciler=Reconciler(
            memory, queue, cadence, catalogue, hands, instances, recorder, quarantine, may_act=may_act
        ),
        sweep=Sweep(cloud, instances, retained, cluster_id=CLUSTER_ID, namespaces=(namespace,)),
        audit=Audit(instances, memory, queue, quarantine, namespaces=(namespace,)),
        recorder=recorder,
    )
    return parts
