"""The two clocks: one for people, one for ages. Both come in as values, so that tests turn them by hand."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple


class Clock(NamedTuple):
    """`now` is the wall clock in whole seconds, UTC; `boot` seconds of a clock that runs while the machine sleeps."""

    now: Callable[[], datetime]
    boot: Callable[[], float]


def system_clock() -> Clock:
    """This machine's clocks."""
    return Clock(
        now=lambda: datetime.now(UTC).replace(microsecond=0),
        boot=lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    )
