"""What Novita refuses, as it says it: HTTP status, reason and message (API reference 1.2 and 1.3)."""


class Problem(Exception):  # noqa: N818 - it is the answer to a call, not a fault of this program
    """A refusal that goes on the wire with the four-field error body."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class Missing(Problem):
    """Something unknown; which of the variants of "not found" goes out is a quirk."""

    def __init__(self, message: str, reason: str = "RESOURCE_NOT_FOUND") -> None:
        super().__init__(400, reason, message)


def refused(reason: str, message: str) -> Problem:
    return Problem(400, reason, message)


def invalid(message: str) -> Problem:
    return Problem(400, "VALIDATOR_PARAM", message)


def wrong_state(reason: str) -> Problem:
    """Clients know it by its message; which reason stands beside it nobody has told (API reference 3.5 and 7.2)."""
    return Problem(400, reason, "invalid state change")
