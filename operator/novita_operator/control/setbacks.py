"""What a refused call means for the next one: which reason people read, and when it may be tried again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from novita_operator.cloud.errors import (
    BadState,
    CloudError,
    NoMoney,
    NotFound,
    NotSent,
    OutOfStock,
    QuotaExceeded,
    Refused,
    Throttled,
    Unauthorized,
)
from novita_operator.decision.situation import Hold
from novita_operator.model.reasons import Reason

_SPREAD = 0.2


class _Meaning(NamedTuple):
    reason: Reason
    text: str
    seconds: float | None = None


def _meanings(pace: float) -> Mapping[type[CloudError], _Meaning]:
    return {
        Refused: _Meaning(Reason.REFUSED, "Novita refused the request; correct the spec. {}"),
        NotFound: _Meaning(Reason.REFUSED, "Novita does not know a part of the request. {}", pace),
        OutOfStock: _Meaning(Reason.NO_STOCK, "No GPU is free for the machine just now.", pace),
        QuotaExceeded: _Meaning(
            Reason.QUOTA_EXCEEDED, "The account may not have more machines: delete some, or ask Novita for more.", pace
        ),
        NoMoney: _Meaning(Reason.NO_MONEY, "The Novita account cannot pay: top it up.", pace),
        Throttled: _Meaning(Reason.THROTTLED, "Novita asks for fewer calls.", 10.0),
        Unauthorized: _Meaning(Reason.KEY_REJECTED, "Novita does not accept the API key.", 10.0),
        NotSent: _Meaning(Reason.NOVITA_UNREACHABLE, "The call could not be sent: {}", 5.0),
        BadState: _Meaning(Reason.RETRYING, "Novita is busy with it: {}", 10.0),
    }


def hold_after(error: CloudError, *, generation: int, now: datetime, pace: float, random: float) -> Hold:
    """The hold that a call known not done puts on the next. `pace` is in seconds; `random` from 0 to 1 spreads it."""
    meaning = _meanings(pace)[type(error)]
    message = meaning.text.format(error)
    if meaning.seconds is None:
        return Hold(meaning.reason, message, generation, None)
    seconds = max(meaning.seconds * (1 + _SPREAD * random), error.retry_after or 0.0)
    return Hold(meaning.reason, message, generation, now + timedelta(seconds=seconds))
