"""What a call that failed means for the next one: which reason people read, and when it may be tried again."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

from novita_operator.cloud.errors import (
    BadState,
    CloudError,
    NoMoney,
    NotDone,
    NotFound,
    NotPermitted,
    NotSent,
    OutOfStock,
    QuotaExceeded,
    Refused,
    Throttled,
    Unauthorized,
)
from novita_operator.control.memory import Memory
from novita_operator.decision.situation import Hold, Situation
from novita_operator.model.market import Shelf
from novita_operator.model.reasons import Reason

_SPREAD = 0.2


class _Meaning(NamedTuple):
    """`seconds` until the next try; None means the pace of refusals, and infinity waits for a new generation."""

    reason: Reason
    text: str
    seconds: float | None = None


_FOREVER = float("inf")
_MEANINGS: Mapping[type[NotDone], _Meaning] = {
    Refused: _Meaning(Reason.REFUSED, "Novita refused the request; correct the spec. {}", _FOREVER),
    NotFound: _Meaning(Reason.REFUSED, "Novita does not know a part of the request. {}"),
    OutOfStock: _Meaning(Reason.NO_STOCK, "No GPU is free for the machine just now."),
    QuotaExceeded: _Meaning(Reason.QUOTA_EXCEEDED, "The account may not have more machines. {}"),
    NoMoney: _Meaning(Reason.NO_MONEY, "The Novita account cannot pay: top it up."),
    Throttled: _Meaning(Reason.THROTTLED, "Novita asks for fewer calls.", 10.0),
    Unauthorized: _Meaning(Reason.KEY_REJECTED, "Novita rejects the API key. {}"),
    NotPermitted: _Meaning(Reason.KEY_REJECTED, "Novita does not let this API key do that. {}"),
    NotSent: _Meaning(Reason.NOVITA_UNREACHABLE, "The call could not be sent: {}", 5.0),
    BadState: _Meaning(Reason.RETRYING, "Novita is busy with it: {}", 10.0),
}


class Setbacks:
    """Keeps refusals in memory. `pace`: seconds for which one is remembered; `random`, from 0 to 1, spreads that."""

    def __init__(self, memory: Memory, *, pace: float, random: Callable[[], float]) -> None:
        self._memory = memory
        self._pace = pace
        self._random = random

    def remember(self, s: Situation, error: NotDone, shelf: Shelf | None = None) -> None:
        """Stock belongs to the `shelf` that was tried, money to the account, everything else to this object."""
        hold = self._hold(s, error)
        if isinstance(error, OutOfStock) and shelf is not None and hold.until is not None:
            self._memory.refusals[shelf] = hold.until
        elif isinstance(error, NoMoney):
            self._memory.hold = hold
        elif entry := self._memory.entries.get(s.uid):
            entry.hold = hold

    def _hold(self, s: Situation, error: NotDone) -> Hold:
        meaning = _MEANINGS[type(error)]
        message = meaning.text.format(error)
        if meaning.seconds == _FOREVER:
            return Hold(meaning.reason, message, s.instance.generation, None)
        seconds = (meaning.seconds or self._pace) * (1 + _SPREAD * self._random())
        until = s.now + timedelta(seconds=max(seconds, error.retry_after or 0.0))
        return Hold(meaning.reason, message, s.instance.generation, until)


def reason_of(error: CloudError) -> Reason:
    """The word for people; what may have happened is told as Novita being out of reach."""
    return _MEANINGS[type(error)].reason if isinstance(error, NotDone) else Reason.NOVITA_UNREACHABLE
