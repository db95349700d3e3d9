"""What can go wrong with a call, named by what to do next (design 6).

CloudError
├── NotDone                 known not to have happened
│   ├── Refused             the request is wrong: say so, wait for a new generation
│   ├── OutOfStock          remember the refusal, try the next offer
│   ├── QuotaExceeded       stop launching for a while, say so
│   ├── NoMoney             stop launching for a while, say so
│   ├── NotFound            there is no such thing
│   ├── BadState            read again, decide again
│   ├── Throttled           the whole account slows down
│   ├── Unauthorized        no calls with that key
│   └── NotSent             never left this process: breaker open, claim too old, lease lost, key rejected
│       └── Unreachable     no connection to be had
└── Unknown                 may have happened: look, never repeat
    └── IncompleteList      the pages do not add up to one list: conclude nothing from it

`NotDone` and `Unknown` never share a class. The table from HTTP status and reason is in `verdict.py`.
"""

from http import HTTPStatus


class CloudError(Exception):
    """A call to Novita that did not answer what was asked; its text is for people and never holds a secret.

    `retry_after` is the number of seconds after which a repetition makes sense, where that is known. `status` is the
    HTTP status, where there was an answer.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class NotDone(CloudError):
    """Known not to have happened."""


class Refused(NotDone):
    """The request is wrong; only a change of the spec can mend it."""


class OutOfStock(NotDone):
    """No machine of that kind is free there now."""


class QuotaExceeded(NotDone):
    """The account may not have more machines."""


class NoMoney(NotDone):
    """The account cannot pay."""


class NotFound(NotDone):
    """There is no such machine, template or product."""


class BadState(NotDone):
    """The machine is not in a state that allows this."""


class Throttled(NotDone):
    """Too many calls; `retry_after` says when to go on, where Novita says it."""


class Unauthorized(NotDone):
    """The key is not accepted."""


class NotSent(NotDone):
    """The call never left this process, or never came through to Novita."""


class Unreachable(NotSent):
    """No connection could be made."""


class Unknown(CloudError):
    """May have happened: no answer, a broken connection, a 5xx, an answer that makes no sense."""


class IncompleteList(Unknown):
    """The pages do not add up to one complete list."""


def is_outage(error: CloudError) -> bool:
    """Whether Novita could not be spoken to: what breakers count and reads repeat. Never a 4xx, never a list's sums."""
    if isinstance(error, IncompleteList) or (error.status is not None and _is_4xx(error.status)):
        return False
    return isinstance(error, Unknown | Unreachable)


def _is_4xx(status: int) -> bool:
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
