"""The one gate through which every attempt passes: breaker, then budget, then the attempt, and its metrics."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from stamina import AsyncRetryingCaller

from novita_operator import metrics
from novita_operator.cloud.breaker import REST_SECONDS, Breaker, Leave
from novita_operator.cloud.budget import Budget
from novita_operator.cloud.errors import CloudError, NotSent, Throttled
from novita_operator.cloud.operations import Lane, Operation

T = TypeVar("T")

ATTEMPTS = 3
RETRY_SECONDS = 20.0


class Gate:
    """One account's gate. `clock` gives monotonic seconds, `random` a number from 0 to 1."""

    def __init__(
        self,
        *,
        calls_per_minute: int,
        clock: Callable[[], float],
        random: Callable[[], float],
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        """`rest_seconds`: how long nobody asks after five outages in a row."""
        self._clock = clock
        self._budget = Budget(calls_per_minute=calls_per_minute, clock=clock, random=random)
        self._breakers = {lane: Breaker(clock=clock, rest_seconds=rest_seconds) for lane in Lane}
        for lane, breaker in self._breakers.items():
            metrics.BREAKER_OPEN.labels(lane.name.lower()).set_function(partial(_openness, breaker))
        self._repeat = AsyncRetryingCaller(attempts=ATTEMPTS, timeout=RETRY_SECONDS).on(_worth_repeating)

    @asynccontextmanager
    async def passage(self, operation: Operation) -> AsyncIterator["Passage"]:
        """Wait for leave to make one attempt.

        Raises:
            NotSent: the breaker of this operation's class is open.
        """
        leave = self._breakers[operation.lane].enter()
        try:
            begun = self._clock()
            await self._budget.place(operation.lane)
            metrics.API_WAIT_SECONDS.labels(operation.label).observe(self._clock() - begun)
            leave.check()
            yield Passage(operation, leave, self._budget, self._clock)
        finally:
            leave.abandon()

    async def once(self, operation: Operation, call: Callable[[], Awaitable[T]]) -> T:
        async with self.passage(operation) as passage:
            return await passage.attempt(call)

    async def repeatedly(self, operation: Operation, call: Callable[[], Awaitable[T]]) -> T:
        """For reads only: up to three attempts, the last begun within 20 s, each through the gate."""
        return await self._repeat(self.once, operation, call)

    async def aclose(self) -> None:
        await self._budget.aclose()


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave for one attempt; nothing waits any more."""

    _operation: Operation
    _leave: Leave
    _budget: Budget
    _clock: Callable[[], float]

    async def attempt(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call, tell breaker, budget and metrics how it ended, and hand its end on."""
        begun, outcome = self._clock(), "cancelled"
        try:
            result = await call()
        except CloudError as error:
            outcome = type(error).__name__
            self._tell(error)
            raise
        else:
            outcome = "ok"
            self._tell(None)
            return result
        finally:
            metrics.API_SECONDS.labels(self._operation.label).observe(self._clock() - begun)
            metrics.API_REQUESTS.labels(self._operation.label, outcome).inc()

    def _tell(self, error: CloudError | None) -> None:
        self._budget.heed(error)
        if error is not None and error.is_outage:
            self._leave.fail()
        elif not isinstance(error, NotSent):
            self._leave.succeed()


def _worth_repeating(error: Exception) -> bool | float:
    """Whether to repeat a read, or after how many seconds; an open breaker, a refusal and a bad list end it."""
    if not isinstance(error, CloudError) or not (error.is_outage or isinstance(error, Throttled)):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= RETRY_SECONDS else False


def _openness(breaker: Breaker) -> float:
    return breaker.shown().value
