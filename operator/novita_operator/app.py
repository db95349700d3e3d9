"""Wiring: the one place that reads settings and puts the parts together."""

import asyncio
import contextlib
import gc
import logging
import random
import secrets
import socket
import string
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version

from prometheus_client import ProcessCollector

from novita_operator import metrics
from novita_operator.cloud.breaker import REST_SECONDS
from novita_operator.cloud.errors import CloudError
from novita_operator.cloud.novita import CALL_SECONDS, Novita
from novita_operator.cloud.pacing import Gate
from novita_operator.cluster.connection import Connection, connect
from novita_operator.cluster.errors import ClusterError
from novita_operator.cluster.identity import cluster_id
from novita_operator.cluster.instances import Instances
from novita_operator.cluster.lease import Durations, Elector
from novita_operator.cluster.pulse import Pulse
from novita_operator.cluster.recorder import Recorder
from novita_operator.cluster.retained import Retained
from novita_operator.control.act import Hands
from novita_operator.control.audit import Audit
from novita_operator.control.cadence import Cadence
from novita_operator.control.catalogue import Catalogue
from novita_operator.control.clock import Clock, system_clock
from novita_operator.control.fleet import FleetPoller
from novita_operator.control.gauges import Gauges
from novita_operator.control.launch import Launcher
from novita_operator.control.memory import Memory
from novita_operator.control.orphans import Sweep
from novita_operator.control.poisoned import Quarantine
from novita_operator.control.reconciler import Reconciler
from novita_operator.control.setbacks import Setbacks
from novita_operator.control.workqueue import WorkQueue
from novita_operator.decision.situation import Policy
from novita_operator.health import Dependency, Health
from novita_operator.lifecycle import Life, Operator, Pace, heed_signals
from novita_operator.settings import OrphanPolicy, Settings

VERSION = version("novita-gpu-operator")
FAILED = 3
"""Exit code of a command that could not do its work."""

_LOOK_AGAIN_SECONDS = 60.0
_RETRY_SECONDS = 2.0
_STALE_AFTER_POLLS = 3
_COLLECT_EVERY = 20_000
"""New objects between two looks for cycles: at Python's 700 a tenth of a start with 10,000 resources goes into them."""
_TOKEN_LETTERS = string.ascii_lowercase + string.digits

logger = logging.getLogger(__name__)


def run(settings: Settings, *, leader_elect: bool) -> int:
    """Run the operator until SIGTERM or SIGINT; returns the exit code, which is 1 if it had to give up by itself."""
    gc.set_threshold(_COLLECT_EVERY)
    return asyncio.run(or_one_line(_run(settings, leader_elect=leader_elect)))


async def or_one_line(command: Awaitable[int]) -> int:
    """What stands against it (an API, an address in use) is told in one line; a traceback would only hide it."""
    try:
        return await command
    except (ClusterError, CloudError, OSError) as error:
        logger.error("%s", error)  # noqa: TRY400  as said
        return FAILED


async def _run(settings: Settings, *, leader_elect: bool) -> int:
    stop = asyncio.Event()
    heed_signals(stop)
    async with contextlib.AsyncExitStack() as stack:
        dependencies: dict[str, Callable[[], Dependency]] = {}
        health = Health(settings.http_address, dependencies)
        logger.info("version %s serves http://%s", VERSION, "{}:{}".format(*await health.start()))
        stack.push_async_callback(health.stop)
        connection = await open_connection(stack)
        cluster = settings.cluster_id or await _cluster_id(connection, stop)
        if not cluster:
            return 0
        metrics.BUILD_INFO.labels(VERSION).set(1)
        ProcessCollector(registry=metrics.REGISTRY)
        clock = system_clock()
        cloud = await stack.enter_async_context(open_cloud(settings, clock))
        parts = _assemble(settings, clock, cloud, connection, cluster, leader_elect=leader_elect)
        dependencies.update(_dependencies(parts))
        return await Life(parts, _pace(settings), health, stop).live()


async def _cluster_id(connection: Connection, stop: asyncio.Event) -> str:
    """The mark's first part; waits for the API server, and is empty if the end comes first."""
    while not stop.is_set():
        try:
            return await cluster_id(connection)
        except ClusterError as error:
            logger.warning("the cluster's id is not known yet: %s", error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_SECONDS):
                await stop.wait()
    return ""


def _assemble(
    settings: Settings, clock: Clock, cloud: Novita, connection: Connection, cluster: str, *, leader_elect: bool
) -> Operator:
    identity = f"{socket.gethostname()}-{secrets.token_hex(4)}"
    elector = _elector(settings, connection, clock, identity) if leader_elect else None

    def may_act() -> bool:
        return elector is None or elector.is_leading()

    memory = Memory(_policy(settings, cluster), clock, started=clock.boot())
    cloud.hide(memory.secrets)
    queue = WorkQueue(time.monotonic)
    instances = Instances(connection)
    recorder = Recorder(connection, instance=identity, now=clock.now, is_busy=queue.is_busy)
    quarantine = Quarantine(memory, recorder, may_act=may_act)
    catalogue = Catalogue(cloud, ttl=settings.catalogue_ttl, default_region=settings.default_region)
    cadence = Cadence(memory, fast=settings.fast_poll_interval, slow=settings.poll_interval, random=_random)
    poller = FleetPoller(cloud, memory, queue, cadence)
    setbacks = Setbacks(memory, pace=settings.refusal_ttl, random=_random)
    launcher = Launcher(
        cloud,
        instances,
        memory,
        setbacks,
        identity=identity,
        lull=poller.lull,
        may_act=may_act,
        token=_token,
    )
    retained = Retained(connection, settings.namespace)
    hands = Hands(cloud, instances, retained, recorder, memory, launcher, setbacks, may_act=may_act)
    sweep = sweep_of(settings, cloud, connection, cluster)
    metrics.REGISTRY.register(Gauges(memory, catalogue, sweep, queue, may_act=may_act))
    return Operator(
        memory=memory,
        queue=queue,
        instances=instances,
        poller=poller,
        reconciler=Reconciler(
            memory, queue, cadence, catalogue, hands, instances, recorder, quarantine, may_act=may_act
        ),
        sweep=sweep,
        audit=Audit(instances, memory, queue, quarantine, namespaces=settings.namespaces),
        recorder=recorder,
        quarantine=quarantine,
        pulse=Pulse(connection, returned=queue.retry_now),
        elector=elector,
        namespaces=settings.namespaces,
    )


async def open_connection(stack: contextlib.AsyncExitStack) -> Connection:
    connection = await connect()
    stack.push_async_callback(connection.close)
    return connection


def open_cloud(settings: Settings, clock: Clock) -> Novita:
    return Novita(
        key=settings.key_source(clock.boot),
        gate=Gate(
            calls_per_minute=settings.api_calls_per_minute,
            clock=clock.boot,
            random=_random,
            # A rest that outlasts the poll interval would make the list late that ends it.
            rest_seconds=min(REST_SECONDS, settings.poll_interval),
        ),
        version=VERSION,
        base_url=settings.api_base_url,
        # Less than what the claim leaves it: the breaker hears only of calls that end by their own bound.
        create_seconds=settings.claim_window / 4,
        # What comes when a list is too old to be believed is of no use.
        read_seconds=min(CALL_SECONDS, _STALE_AFTER_POLLS * settings.poll_interval),
    )


def sweep_of(settings: Settings, cloud: Novita, connection: Connection, cluster: str) -> Sweep:
    retained = Retained(connection, settings.namespace)
    return Sweep(cloud, Instances(connection), retained, cluster_id=cluster, namespaces=settings.namespaces)


def _elector(settings: Settings, connection: Connection, clock: Clock, identity: str) -> Elector:
    return Elector(
        connection,
        namespace=settings.namespace,
        identity=identity,
        clock=clock.boot,
        now=clock.now,
        chance=_random,
        durations=Durations(settings.lease_duration),
    )


def _policy(settings: Settings, cluster: str) -> Policy:
    return Policy(
        cluster_id=cluster,
        claim_window=settings.claim_window,
        list_lag=settings.list_lag,
        fleet_max_age=_STALE_AFTER_POLLS * settings.poll_interval,
        startup_timeout=settings.startup_timeout,
        default_region=settings.default_region,
        look_again=min(_LOOK_AGAIN_SECONDS, settings.catalogue_ttl),
    )


def _pace(settings: Settings) -> Pace:
    return Pace(
        workers=settings.workers,
        drain=settings.claim_window / 3,
        audit=settings.audit_interval,
        orphans=settings.orphan_interval,
        deletes_orphans=settings.orphan_policy is OrphanPolicy.DELETE,
    )


def _dependencies(parts: Operator) -> dict[str, Callable[[], Dependency]]:
    """What /readyz lists."""

    def kubernetes() -> Dependency:
        return Dependency(ok=not parts.pulse.trouble, detail=parts.pulse.trouble or "answers")

    def novita() -> Dependency:
        if not parts.may_act():
            return Dependency(ok=True, detail="not asked: standing by")
        return Dependency(ok=parts.memory.sees_well(), detail=parts.memory.account_of_sight())

    def lease() -> Dependency:
        if parts.elector is None:
            return Dependency(ok=True, detail="not used")
        return Dependency(ok=True, detail="leading" if parts.may_act() else "standing by")

    return {"kubernetes": kubernetes, "novita": novita, "lease": lease}


def _token() -> str:
    """A launch token: eight characters, about 41 bits, from the system's randomness."""
    return "".join(secrets.choice(_TOKEN_LETTERS) for _ in range(8))


def _random() -> float:
    return random.random()  # noqa: S311  it spreads waiting times, no more
