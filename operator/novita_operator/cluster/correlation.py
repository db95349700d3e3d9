"""Which notices become Events, and which only count a repeat: pure, so that time can be turned by hand.

The figures are client-go's: a series ends six minutes after its last repeat; 25 Events at once for one object, then
one each five minutes.
"""

from collections import OrderedDict
from dataclasses import dataclass

from novita_operator.model.notice import Notice

SERIES_SECONDS = 360.0
BURST = 25.0
REFILL_SECONDS = 300.0
REMEMBERED = 2048
"""Series, and objects, that are remembered; the ones longest silent are forgotten first."""


@dataclass(slots=True)
class Series:
    """One Event and its repeats; times in Unix seconds. `number` tells series of the same second apart."""

    notice: Notice
    number: int
    first: float
    last: float
    count: int = 1
    posted: bool = False


@dataclass(slots=True)
class Bucket:
    """What one object may still say."""

    tokens: float
    at: float

    def take(self, now: float) -> bool:
        """Take a token if there is one, after what came in since the last time."""
        self.tokens = min(BURST, self.tokens + max(0.0, now - self.at) / REFILL_SECONDS)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Correlator:
    """Remembers what was told lately."""

    def __init__(self) -> None:
        self._series: OrderedDict[Notice, Series] = OrderedDict()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._number = 0

    def take(self, notice: Notice, now: float) -> Series | None:
        """The series to post for this notice, or None if its object has said too much; repeats count all the same."""
        allowed = self._bucket(notice.subject.uid, now).take(now)
        series = self._series.get(notice)
        if series is not None and now - series.last <= SERIES_SECONDS:
            series.count += 1
            series.last = now
            self._series.move_to_end(notice)
        elif allowed:
            series = self._begin(notice, now)
        return series if allowed else None

    def _begin(self, notice: Notice, now: float) -> Series:
        self._number += 1
        series = self._series[notice] = Series(notice, self._number, now, now)
        self._series.move_to_end(notice)
        _forget(self._series)
        return series

    def _bucket(self, uid: str, now: float) -> Bucket:
        bucket = self._buckets.setdefault(uid, Bucket(BURST, now))
        self._buckets.move_to_end(uid)
        _forget(self._buckets)
        return bucket


def _forget(memory: "OrderedDict[Notice, Series] | OrderedDict[str, Bucket]") -> None:
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
