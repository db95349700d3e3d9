"""What a scrape tells of memory: only what is known, and only by the process that acts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient, Configuration
from prometheus_client import CollectorRegistry

from build import BOOT, NOW, POLICY, UID, fleet, instance, spec
from novita_operator.cloud.novita import Novita
from novita_operator.cloud.pacing import Gate
from novita_operator.cluster.connection import Connection
from novita_operator.cluster.instances import Instances
from novita_operator.cluster.retained import Retained
from novita_operator.control.catalogue import Catalogue
from novita_operator.control.clock import Clock
from novita_operator.control.gauges import Gauges
from novita_operator.control.memory import Memory
from novita_operator.control.orphans import Sweep
from novita_operator.control.workqueue import WorkQueue
from novita_operator.model.instance import GpuInstance

DEADLINE = "novita_gpu_instance_ready_deadline_timestamp_seconds"
OBJECT = {"namespace": "default", "gpuinstance": "trainer"}
TIMEOUT = 300


class Scraped:
    """A memory, and what a scrape of it shows; nothing here ever calls anybody."""

    def __init__(self, memory: Memory, registry: CollectorRegistry) -> None:
        self.memory = memory
        self.registry = registry

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@asynccontextmanager
async def scraped(*known: GpuInstance, may_act: bool = True) -> AsyncIterator[Scraped]:
    memory = Memory(POLICY, Clock(lambda: NOW, lambda: BOOT), started=BOOT)
    memory.fleet = fleet()
    for each in known:
        memory.remember(each)
    gate = Gate(calls_per_minute=100, clock=lambda: BOOT, random=lambda: 0.0)
    connection = Connection(ApiClient(Configuration()))
    async with Novita(key=str, gate=gate, version="test") as cloud:
        sweep = Sweep(cloud, Instances(connection), Retained(connection, "home"), cluster_id="", namespaces=())
        catalogue = Catalogue(cloud, ttl=1, default_region="")
        registry = CollectorRegistry()
        registry.register(Gauges(memory, catalogue, sweep, WorkQueue(lambda: BOOT), may_act=lambda: may_act))
        yield Scraped(memory, registry)
    await connection.close()


def resource(*conditions: tuple[str, str, str], **metadata: Any) -> GpuInstance:
    """With these conditions (type, status, reason), all as old as a minute."""
    since = (NOW - timedelta(minutes=1)).isoformat()
    return instance(
        spec=spec(startup={"timeoutSeconds": TIMEOUT}),
        status={
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "lastTransitionTime": since}
                for kind, status, reason in conditions
            ]
        },
        **metadata,
    )


async def test_who_stands_by_tells_of_no_resource_though_it_knows_them():
    async with scraped(resource(("Ready", "True", "Running")), may_act=False) as shown:
        assert list(shown.registry.collect()) == []


async def test_a_resource_that_is_not_ready_is_due_after_its_own_timeout():
    async with scraped(resource(("Ready", "False", "NoStock"))) as shown:
        assert shown.value(DEADLINE, **OBJECT) == NOW.timestamp() - 60 + TIMEOUT


async def test_one_that_nobody_has_looked_at_is_due_from_its_creation_on():
    async with scraped(resource(creationTimestamp=NOW.isoformat())) as shown:
        assert shown.value(DEADLINE, **OBJECT) == NOW.timestamp() + TIMEOUT


@pytest.mark.parametrize(("status", "reason"), [("True", "Running"), ("True", "Stopped"), ("Unknown", "Paused")])
async def test_nothing_is_due_of_what_is_as_wanted_or_frozen(status: str, reason: str):
    async with scraped(resource(("Ready", status, reason))) as shown:
        assert shown.value(DEADLINE, **OBJECT) is None


@pytest.mark.parametrize("reason", ["UnknownState", "NovitaUnreachable"])
async def test_one_that_novita_tells_nothing_of_is_late_as_long_as_the_others_are_seen(reason: str):
    async with scraped(resource(("Ready", "Unknown", reason))) as shown:
        assert shown.value(DEADLINE, **OBJECT) is not None
        shown.memory.fleet = fleet(suspect=True)
        assert shown.value(DEADLINE, **OBJECT) is None
        shown.memory.fleet = fleet(begun=BOOT - POLICY.fleet_max_age - 1)
        assert shown.value(DEADLINE, **OBJECT) is None


async def test_stalled_is_shown_while_it_stands():
    async with scraped(resource(("Ready", "False", "Refused"), ("Stalled", "True", "Refused"))) as shown:
        assert shown.value("novita_gpu_instance_stalled", **OBJECT) == 1
        shown.memory.forget(UID)
        shown.memory.remember(resource(("Ready", "True", "Running")))
        assert shown.value("novita_gpu_instance_stalled", **OBJECT) is None


async def test_the_fleet_is_stale_once_its_list_is_too_old_to_act_on():
    async with scraped() as shown:
        shown.memory.fleet = fleet(begun=BOOT - POLICY.fleet_max_age)
        assert shown.value("novita_fleet_stale") == 0
        shown.memory.fleet = fleet(begun=BOOT - POLICY.fleet_max_age - 1)
        assert shown.value("novita_fleet_stale") == 1
