"""What can go wrong with a call, named by what to do next.

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
│   │   └── NotPermitted    the key is good, and may not do this
│   └── NotSent             never came to Novita: breaker open, claim too old, lease lost, key rejected, no connection
└── Unknown                 may have happened: look, never repeat
    └── IncompleteList      the pages do not add up to one list: conclude nothing from it

`NotDone` and `Unknown` never share a class. The table from HTTP status and reason is in `verdict.py`.
"""


class CloudError(Exception):
    """A call to Novita that did not answer what was asked; its text is for people and never holds a secret.

    `retry_after` is the number of seconds after which a repetition makes sense, where that is known. In an `outage`
    Novita could not be spoken to: breakers count it, reads are repeated. A 4xx is none.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, outage: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_outage = outage


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


class NotPermitted(Unauthorized):
    """The key is accepted, but not for this; what else it may do it may go on doing."""


class NotSent(NotDone):
    """The call never left this process, or was stopped before it came to Novita."""


class Unknown(CloudError):
    """May have happened: no answer, a broken connection, a 5xx, an answer that makes no sense."""


class IncompleteList(Unknown):
    """The pages do not add up to one complete list."""
