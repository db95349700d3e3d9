"""The account's call budget: so many calls in any minute, the most urgent first, and silence after "too many calls".

Three tenths of it may go out at once, the rest flows evenly: then no 60 s hold more than the whole. So the pages of a
list of 3,000 machines come together at 100 calls per minute, and whoever is urgent after such a burst waits for one
drop, 0.9 s. What is counted is places; a create uses its own later: 10 s at most for the end of a list, and W/3 for its
claim.
"""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from aiolimiter import AsyncLimiter

from novita_operator.cloud.errors import CloudError, Throttled, Unknown
from novita_operator.cloud.operations import Lane

_MINUTE = 60.0
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_MOST_DOUBLINGS = 6


class Budget:
    """Places are given out one by one; whoever waits may be cancelled at any moment, and its place goes to the next.

    `calls_per_minute` is at least one, `clock` gives monotonic seconds, `random` a number from 0 to 1.
    """

    def __init__(self, *, calls_per_minute: int, clock: Callable[[], float], random: Callable[[], float]) -> None:
        at_once = max(1, calls_per_minute * 3 // 10)
        evenly = max(1, calls_per_minute - at_once)
        self._limiter = AsyncLimiter(at_once, _MINUTE * at_once / evenly)
        self._clock = clock
        self._random = random
        self._waiting: list[tuple[Lane, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._usher: asyncio.Task[None] | None = None
        self._silent_until = 0.0
        self._throttled = 0

    async def place(self, lane: Lane) -> None:
        """Wait until this call may go out."""
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane, next(self._numbers), turn))
        if self._usher is None or self._usher.done():
            self._usher = asyncio.create_task(self._give_out(), name="novita-budget")
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._call_next()
            raise

    def heed(self, error: CloudError | None) -> None:
        """Learn from the end of a call: nobody calls while Novita wants silence."""
        if error is None:
            self._throttled = 0
        elif isinstance(error, Throttled) or (isinstance(error, Unknown) and error.retry_after is not None):
            self._silent_until = max(self._silent_until, self._clock() + self._pause(error))

    async def aclose(self) -> None:
        """Give out no more places; whoever waits is cancelled."""
        for _, _, turn in self._waiting:
            turn.cancel()
        if self._usher is not None:
            self._usher.cancel()
            await asyncio.wait([self._usher])

    async def _give_out(self) -> None:
        """A place that came due in a silence is let go: kept, it would come on top of a whole burst after it."""
        while self._waiting:
            if (silence := self._silent_until - self._clock()) > 0:
                await asyncio.sleep(silence)
                continue
            await self._limiter.acquire()
            if self._silent_until <= self._clock():
                self._call_next()

    def _call_next(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return

    def _pause(self, error: CloudError) -> float:
        if error.retry_after is not None:
            return error.retry_after
        if self._clock() < self._silent_until:
            # Calls that were under way together complain together; that is one complaint.
            return 0.0
        self._throttled += 1
        doubled = _FIRST_PAUSE * 2.0 ** min(self._throttled - 1, _MOST_DOUBLINGS)
        return min(doubled, _LONGEST_PAUSE) * (1 + self._random()) / 2
