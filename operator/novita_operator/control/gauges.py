"""Metrics that are read from memory when somebody scrapes: what is gone from memory, or not known, has no series.

Only the process that acts tells of them: with two replicas each resource would count, and cost, twice.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from novita_operator.control.catalogue import Catalogue
from novita_operator.control.memory import Memory, Sight
from novita_operator.control.orphans import Sweep
from novita_operator.control.workqueue import WorkQueue
from novita_operator.model.instance import GpuInstance
from novita_operator.model.reasons import ConditionType, Reason, State
from novita_operator.model.status import Condition

_OBJECT = ("namespace", "gpuinstance")


class _Family(NamedTuple):
    name: str
    help: str
    labels: tuple[str, ...] = ()

    def gauge(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self.name, self.help, labels=self.labels)


INSTANCES = _Family("novita_gpu_instances", "Resources, by state.", ("state",))
INFO = _Family(
    "novita_gpu_instance_info",
    "One resource, always 1; join on it for its facts.",
    (*_OBJECT, "state", "reason", "product", "region", "billing_mode"),
)
PRICE = _Family("novita_gpu_instance_hourly_price_dollars", "USD per hour of a resource's machine.", _OBJECT)
READY = _Family("novita_gpu_instance_ready", "1 while the resource is as wanted, else 0.", _OBJECT)
DEADLINE = _Family(
    "novita_gpu_instance_ready_deadline_timestamp_seconds",
    "When a resource that is not as wanted should have been: since when it is not, plus its own startup timeout.",
    _OBJECT,
)
STALLED = _Family("novita_gpu_instance_stalled", "1 while waiting alone does not mend it: somebody must act.", _OBJECT)
UNREADABLE = _Family(
    "novita_gpu_instance_unreadable",
    "1 for a resource that cannot be understood: it is left alone.",
    _OBJECT,
)
FLEET_AGE = _Family("novita_fleet_age_seconds", "Age of the last complete list of the machines.")
FLEET_MACHINES = _Family("novita_fleet_machines", "Machines in that list, ours and foreign ones.", ("owner",))
FLEET_STALE = _Family("novita_fleet_stale", "1 while there is no list that is fresh enough to act on.")
FLEET_SUSPECT = _Family("novita_fleet_suspect", "1 while too many machines vanished at once to believe it.")
KEY_ACCEPTED = _Family("novita_api_credentials_valid", "1 while Novita accepts the key, 0 after it was rejected.")
ORPHANS = _Family("novita_operator_orphans", "Machines of ours whose resource is gone: a money leak.")
RETAINED = _Family("novita_operator_retained", "Machines that were left running on purpose.")
QUEUE_LONGEST_WAIT = _Family(
    "novita_operator_workqueue_longest_wait_seconds", "How long the oldest of the waiting objects has waited."
)
CACHES = _Family("novita_operator_cache_requests", "Look-ups in a cache, by result (hit or miss).", ("cache", "result"))
GAUGES = (
    INSTANCES,
    INFO,
    PRICE,
    READY,
    DEADLINE,
    STALLED,
    UNREADABLE,
    FLEET_AGE,
    FLEET_MACHINES,
    FLEET_STALE,
    FLEET_SUSPECT,
    KEY_ACCEPTED,
    ORPHANS,
    RETAINED,
    QUEUE_LONGEST_WAIT,
)


def families() -> Iterator[Metric]:
    """Everything that the collector yields, without values."""
    yield from (family.gauge() for family in GAUGES)
    yield CounterMetricFamily(*CACHES[:2], labels=CACHES.labels)


class Gauges(Collector):
    """The one collector over memory; register it once."""

    def __init__(
        self, memory: Memory, catalogue: Catalogue, sweep: Sweep, queue: WorkQueue, *, may_act: Callable[[], bool]
    ) -> None:
        self._memory = memory
        self._catalogue = catalogue
        self._sweep = sweep
        self._queue = queue
        self._may_act = may_act

    def describe(self) -> Iterator[Metric]:
        return families()

    def collect(self) -> Iterator[Metric]:
        """Called at every scrape."""
        if not self._may_act():
            return
        yield from self._resources()
        yield from self._each()
        yield from self._fleet()
        yield from self._orphans()
        yield _single(QUEUE_LONGEST_WAIT, self._queue.longest_wait())
        yield self._caches()

    def _resources(self) -> Iterator[Metric]:
        by_state, unreadable = INSTANCES.gauge(), UNREADABLE.gauge()
        counts = Counter(instance.status.state or State.PENDING for instance in self._memory.instances())
        for state in State:
            by_state.add_metric([state], counts[state])
        for found in self._memory.unreadable.values():
            unreadable.add_metric([found.namespace, found.name], 1)
        yield from (by_state, unreadable)

    def _each(self) -> Iterator[Metric]:
        """What is told of each resource by itself."""
        info, price, ready = INFO.gauge(), PRICE.gauge(), READY.gauge()
        deadline, stalled = DEADLINE.gauge(), STALLED.gauge()
        for instance in self._memory.instances():
            labels, status = [instance.metadata.namespace, instance.metadata.name], instance.status
            condition = status.condition(ConditionType.READY)
            why = condition.reason if condition is not None else None
            facts = (status.state, why, status.product_name, status.region, status.billing_mode)
            info.add_metric([*labels, *(fact or "" for fact in facts)], 1)
            ready.add_metric(labels, condition is not None and condition.status == "True")
            if status.instance_id and (amount := _amount(status.hourly_price or "")) is not None:
                price.add_metric(labels, amount)
            if (late_from := self._deadline(instance, condition)) is not None:
                deadline.add_metric(labels, late_from)
            if status.condition(ConditionType.STALLED) is not None:
                stalled.add_metric(labels, 1)
        yield from (info, price, ready, deadline, stalled)

    def _deadline(self, instance: GpuInstance, ready: Condition | None) -> float | None:
        """Unix seconds; None of a resource that is as wanted or frozen, and of all while nobody can know."""
        fleet = self._memory.fleet
        if self._memory.sight() is not Sight.SEEING or (fleet is not None and fleet.suspect):
            return None
        if ready is not None and (ready.status == "True" or ready.reason == Reason.PAUSED):
            return None
        since = instance.metadata.creation_timestamp if ready is None else ready.last_transition_time
        return since.timestamp() + self._memory.policy.startup_seconds(instance.spec) if since is not None else None

    def _fleet(self) -> Iterator[Metric]:
        fleet = self._memory.fleet
        if fleet is not None:
            ours = sum(len(group) for group in fleet.ours.values())
            machines = FLEET_MACHINES.gauge()
            machines.add_metric(["ours"], ours)
            machines.add_metric(["foreign"], len(fleet.machines) - ours)
            yield machines
            yield _single(FLEET_AGE, self._memory.clock.boot() - fleet.begun)
            yield _single(FLEET_SUSPECT, fleet.suspect)
        yield _single(FLEET_STALE, self._memory.sight_left() < 0)
        if self._memory.key_accepted is not None:
            yield _single(KEY_ACCEPTED, self._memory.key_accepted)

    def _orphans(self) -> Iterator[Metric]:
        found = self._sweep.found
        if found is not None:
            retained = sum(orphan.is_retained for orphan in found)
            yield _single(ORPHANS, len(found) - retained)
            yield _single(RETAINED, retained)

    def _caches(self) -> Metric:
        family = CounterMetricFamily(*CACHES[:2], labels=CACHES.labels)
        for cache, (hits, misses) in self._catalogue.counts().items():
            family.add_metric([cache, "hit"], hits)
            family.add_metric([cache, "miss"], misses)
        return family


def _amount(text: str) -> float | None:
    """None where somebody wrote something else into the status: one object must not end the whole scrape."""
    try:
        amount = float(text)
    except ValueError:
        return None
    return amount if math.isfinite(amount) else None


def _single(family: _Family, value: float) -> Metric:
    gauge = family.gauge()
    gauge.add_metric([], value)
    return gauge
