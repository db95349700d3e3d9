"""A circuit breaker: when nobody answers, stop asking for a while, then let one call find out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from novita_operator.cloud.errors import NotSent

FAILURES = 5
REST_SECONDS = 30.0


class Position(Enum):
    """The value is what the gauge shows."""

    CLOSED = 0.0
    PROBING = 0.5
    OPEN = 1.0


class Breaker:
    """Opens after so many failures in a row, rests so many seconds, then passes exactly one call, the probe.

    `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        failures: int = FAILURES,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        self._clock = clock
        self._limit = failures
        self._rest = rest_seconds
        self._failed = 0
        self._until = 0.0
        self._era = 0
        self._move(Position.CLOSED)

    @property
    def position(self) -> Position:
        return self._position

    def shown(self) -> Position:
        """For people: once the rest is over nobody is held back any more, though the next call may be hours away."""
        if self._position is Position.OPEN and self._clock() >= self._until:
            return Position.PROBING
        return self._position

    def enter(self) -> "Leave":
        """Leave for one call; the caller must end it.

        Raises:
            NotSent: the breaker is open, or a probe is under way; `retry_after` says for how long, where it is known.
        """
        if self._position is Position.OPEN:
            self._probe()
        elif self._position is Position.PROBING:
            raise NotSent("Novita did not answer lately, and one call is finding out whether it does again")
        return Leave(self, self._era)

    def _probe(self) -> None:
        if (rest := self._until - self._clock()) > 0:
            raise NotSent("Novita did not answer lately: no calls for a while", retry_after=rest)
        self._move(Position.PROBING)

    def is_current(self, leave: "Leave") -> bool:
        """Whether nothing has changed since that leave was given; what happens to older calls tells nothing new."""
        return leave.era == self._era

    def succeed(self) -> None:
        self._failed = 0
        if self._position is not Position.CLOSED:
            self._move(Position.CLOSED)

    def fail(self) -> None:
        self._failed += 1
        if self._position is Position.PROBING or self._failed >= self._limit:
            self._until = self._clock() + self._rest
            self._move(Position.OPEN)

    def abandon(self) -> None:
        """A call ended without a word; if it was the probe, the next call is."""
        if self._position is Position.PROBING:
            self._move(Position.OPEN)

    def _move(self, position: Position) -> None:
        self._era += 1
        self._failed = 0
        self._position = position


@dataclass(slots=True, eq=False)
class Leave:
    """One call's way through a breaker. The first end counts, and only while the breaker still stands as it stood."""

    breaker: Breaker
    era: int
    _has_ended: bool = field(default=False, init=False)

    def check(self) -> None:
        """Raise `NotSent` if the breaker has opened since."""
        if not self.breaker.is_current(self):
            raise NotSent("Novita stopped answering while this call waited for its turn")

    def succeed(self) -> None:
        self._end(self.breaker.succeed)

    def fail(self) -> None:
        self._end(self.breaker.fail)

    def abandon(self) -> None:
        self._end(self.breaker.abandon)

    def _end(self, tell: Callable[[], None]) -> None:
        if not self._has_ended and self.breaker.is_current(self):
            tell()
        self._has_ended = True
