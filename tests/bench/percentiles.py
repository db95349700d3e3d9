"""Percentiles, of values and of a histogram's buckets."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, inf

from pydantic import BaseModel, ConfigDict


class Percentiles(BaseModel):
    """In the unit of what was measured."""

    model_config = ConfigDict(frozen=True)

    p50: float
    p95: float
    p99: float


def of_values(values: Sequence[float]) -> Percentiles:
    """By nearest rank."""
    ranked = sorted(values)

    def at(share: float) -> float:
        return round(ranked[max(0, ceil(share * len(ranked)) - 1)], 4)

    return Percentiles(p50=at(0.5), p95=at(0.95), p99=at(0.99))


def of_histogram(buckets: Sequence[tuple[float, float]]) -> Percentiles:
    """From upper bounds and cumulative counts, evenly spread within a bucket, as Prometheus has it."""
    steps = [(0.0, 0.0), *buckets]
    whole = steps[-1][1]

    def at(share: float) -> float:
        rank = share * whole
        for (low, below), (high, up_to) in pairwise(steps):
            if up_to >= rank and up_to > below:
                return round(low if high == inf else low + (high - low) * (rank - below) / (up_to - below), 4)
        return 0.0

    return Percentiles(p50=at(0.5), p95=at(0.95), p99=at(0.99))
