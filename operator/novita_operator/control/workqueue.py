"""Who is looked at next: client-go's workqueue, in asyncio.

Events, the fleet poller, timers and failed steps all end in `add`. A key waits once however often it is added, has at
most one step in flight, and is handed out again if it was added meanwhile.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from novita_operator.metrics import QUEUE_ADDS, QUEUE_BUSY, QUEUE_DEPTH, QUEUE_RETRIES, QUEUE_WAIT_SECONDS


class Urgency(IntEnum):
    """Lower goes first: what ends a bill, then what somebody waits for, then the rest."""

    DELETE = 0
    STOP = 1
    CREATE = 2
    REST = 3


class _Ticket(NamedTuple):
    """A place in the line. Tickets sort by urgency, then by the order in which their keys came."""

    urgency: Urgency
    number: int
    key: str
    since: float


class _Later(NamedTuple):
    when: float
    key: str
    urgency: Urgency


class WorkQueue:
    """The keys to look at; used from one event loop only.

    Nothing that is added is lost before `shut_down`. A delayed key is never early, and of several delays the earliest
    holds. A key that waits takes the most urgent rank it was added with, and keeps its place among its equals.
    """

    def __init__(self, clock: Callable[[], float], *, first_retry: float = 0.5, longest_retry: float = 300) -> None:
        """`clock` gives monotonic seconds; the waits between retries double from `first_retry` to `longest_retry`."""
        self._clock = clock
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._numbers = itertools.count()
        self._tickets: dict[str, _Ticket] = {}
        self._line: list[_Ticket] = []
        self._later: dict[str, _Later] = {}
        self._timetable: list[_Later] = []
        self._timer: asyncio.TimerHandle | None = None
        self._failures: dict[str, int] = {}
        self._busy: set[str] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    def add(self, key: str, urgency: Urgency = Urgency.REST) -> None:
        """Have `key` looked at as soon as there is a hand for it."""
        if self._closed:
            return
        ticket = self._tickets.get(key)
        if ticket is None:
            QUEUE_ADDS.inc()
            ticket = _Ticket(urgency, next(self._numbers), key, self._clock())
        elif urgency < ticket.urgency:
            ticket = ticket._replace(urgency=urgency)
        else:
            return
        self._tickets[key] = ticket
        QUEUE_DEPTH.set(len(self._tickets))
        if key not in self._busy:
            self._line_up(ticket)

    def add_after(self, key: str, seconds: float, urgency: Urgency = Urgency.REST) -> None:
        """Add `key` in so many seconds, or earlier if it is due earlier already."""
        if self._closed:
            return
        if seconds <= 0:
            self.add(key, urgency)
            return
        later = _Later(self._clock() + seconds, key, urgency)
        if waiting := self._later.get(key):
            later = _Later(min(later.when, waiting.when), key, min(later.urgency, waiting.urgency))
        if later != waiting:
            self._later[key] = later
            heapq.heappush(self._timetable, later)
            if self._timetable[0] is later:
                self._set_timer()

    def add_rate_limited(self, key: str, urgency: Urgency = Urgency.REST, *, eager: bool = False) -> None:
        """Add `key` after a wait that doubles with every call until `forget`; `eager`: the first waits for nothing."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        QUEUE_RETRIES.inc()
        if eager and failures == 0:
            self.add(key, urgency)
            return
        # An exponent without an end would overflow after a thousand failures.
        self.add_after(key, min(self._first_retry * 2.0 ** min(failures, 64), self._longest_retry), urgency)

    def forget(self, key: str) -> None:
        """The step of `key` went well: its next retry begins with the shortest wait again."""
        self._failures.pop(key, None)

    def retry_now(self) -> None:
        """What they all failed for is mended: none of them waits any longer, and their waits begin anew."""
        for key in self._failures:
            later = self._later.get(key)
            self.add(key, later.urgency if later else Urgency.REST)
        self._failures.clear()

    async def get(self) -> str | None:
        """The next key, when there is one; its step must end with `done`. None once the queue is shut down."""
        while not self._closed:
            if ticket := self._next():
                return self._hand_out(ticket)
            self._wake.clear()
            await self._wake.wait()
        return None

    def done(self, key: str) -> None:
        """The step of `key` has ended, well or not."""
        self._busy.remove(key)
        QUEUE_BUSY.set(len(self._busy))
        if ticket := self._tickets.get(key):
            self._line_up(ticket)
        if not self._busy:
            self._idle.set()

    def longest_wait(self) -> float:
        """Seconds that the oldest of the waiting keys has waited, 0 if none waits."""
        return max((self._clock() - ticket.since for ticket in self._tickets.values()), default=0.0)

    def is_busy(self) -> bool:
        """Whether somebody waits for a step."""
        return bool(self._tickets) and not self._closed

    async def shut_down(self) -> None:
        """Hand nothing out any more, and return when the last step in flight is done."""
        self._closed = True
        self._wake.set()
        if self._timer:
            self._timer.cancel()
        await self._idle.wait()

    def _line_up(self, ticket: _Ticket) -> None:
        heapq.heappush(self._line, ticket)
        self._wake.set()

    def _next(self) -> _Ticket | None:
        while self._line:
            ticket = heapq.heappop(self._line)
            # A ticket that was raised meanwhile stands in the line a second time, further ahead.
            if self._tickets.get(ticket.key) is ticket:
                return ticket
        return None

    def _hand_out(self, ticket: _Ticket) -> str:
        del self._tickets[ticket.key]
        self._busy.add(ticket.key)
        self._idle.clear()
        QUEUE_DEPTH.set(len(self._tickets))
        QUEUE_BUSY.set(len(self._busy))
        QUEUE_WAIT_SECONDS.observe(self._clock() - ticket.since)
        return ticket.key

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        wait = max(0, self._timetable[0].when - self._clock())
        self._timer = asyncio.get_running_loop().call_later(wait, self._release)

    def _release(self) -> None:
        while self._timetable and self._timetable[0].when <= self._clock():
            later = heapq.heappop(self._timetable)
            if self._later.get(later.key) is later:
                del self._later[later.key]
                self.add(later.key, later.urgency)
        if self._timetable:
            self._set_timer()
