"""Metrics that are read from memory when somebody scrapes: what is gone from memory is gone from the metrics."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from novita_operator.control.catalogue import Catalogue
from novita_operator.control.memory import Memory
from novita_operator.model.reasons import State

_OBJECT = ("namespace", "gpuinstance")


class Gauges(Collector):
    """The one collector over memory; register it once."""

    def __init__(self, memory: Memory, catalogue: Catalogue) -> None:
        self._memory = memory
        self._catalogue = catalogue

    def collect(self) -> Iterator[Metric]:
        """Called at every scrape."""
        yield from self._instances()
        yield self._fleet_age()
        yield self._caches()

    def describe(self) -> Iterator[Metric]:
        """The families without values, for the registry's check and for the documentation."""
        yield from families()

    def _instances(self) -> Iterator[Metric]:
        by_state, info, price, ready = (family for family in families()[:4])
        counts = Counter(instance.status.state or State.PENDING for instance in self._memory.instances())
        for state in State:
            by_state.add_metric([state], counts[state])
        for instance in self._memory.instances():
            labels, status = [instance.metadata.namespace, instance.metadata.name], instance.status
            facts = (status.state, status.product_name, status.region, status.billing_mode)
            info.add_metric([*labels, *(fact or "" for fact in facts)], 1)
            condition = status.condition("Ready")
            ready.add_metric(labels, condition is not None and condition.status == "True")
            if status.hourly_price and status.instance_id:
                price.add_metric(labels, float(status.hourly_price))
        yield from (by_state, info, price, ready)

    def _fleet_age(self) -> Metric:
        family = families()[4]
        if self._memory.fleet is not None:
            family.add_metric([], self._memory.clock.boot() - self._memory.fleet.begun)
        return family

    def _caches(self) -> Metric:
        family = families()[5]
        for cache, (hits, misses) in self._catalogue.counts().items():
            family.add_metric([cache, "hit"], hits)
            family.add_metric([cache, "miss"], misses)
        return family


def families() -> tuple[
    GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, CounterMetricFamily
]:
    """Fresh, empty families of everything that this collector yields."""
    return (
        GaugeMetricFamily("novita_gpu_instances", "Resources, by state.", labels=["state"]),
        GaugeMetricFamily(
            "novita_gpu_instance_info",
            "One resource, always 1; join on it for its facts.",
            labels=[*_OBJECT, "state", "product", "region", "billing_mode"],
        ),
        GaugeMetricFamily(
            "novita_gpu_instance_hourly_price_dollars", "USD per hour of a resource's machine.", labels=_OBJECT
        ),
        GaugeMetricFamily("novita_gpu_instance_ready", "1 while the resource is as wanted, else 0.", labels=_OBJECT),
        GaugeMetricFamily("novita_fleet_age_seconds", "Age of the last complete list of the machines."),
        CounterMetricFamily(
            "novita_operator_cache_requests",
            "Look-ups in a cache, by result (hit or miss).",
            labels=["cache", "result"],
        ),
    )
