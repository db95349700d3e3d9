"""Relaunch is bounded: billing starts before a machine runs, so an endless loop would be an endless bill."""

from novita_operator.decision.actions import Decision, Rest
from novita_operator.decision.situation import Situation
from novita_operator.model.reasons import Reason

MOST = 3
_PAUSES = (0, 30, 120)
"""Seconds since the last launch or start before the first, second and third retry."""


def spent(s: Situation) -> int:
    """Launches and starts beyond the first in this generation; the claim remembers them if status is lost."""
    counts = [0]
    if s.instance.status.retries is not None and s.instance.status.retries.generation == s.instance.generation:
        counts.append(s.instance.status.retries.count)
    if s.claim is not None and s.claim.generation == s.instance.generation:
        counts.append(s.claim.retry)
    return max(counts)


def not_now(s: Situation, what: str) -> Decision | None:
    """Why the next retry must wait, or must not be; None if it may go ahead."""
    if spent(s) >= MOST:
        return Decision(
            Rest(),
            Reason.TOO_MANY_RETRIES,
            f"{what} Tried {MOST} times for this generation of the spec and gave up: change the spec to try again.",
        )
    wait = _pause_left(s)
    if wait > 0:
        return Decision(Rest(), Reason.RETRYING, f"{what} The operator tries again shortly.", again=wait)
    return None


def held_back(s: Situation) -> Decision | None:
    """What Novita refused before and is not asked again yet."""
    if s.held is None:
        return None
    again = None if s.held.until is None else (s.held.until - s.now).total_seconds()
    return Decision(Rest(), s.held.reason, s.held.message, again=again)


def _pause_left(s: Situation) -> float:
    last = s.instance.status.retries
    began = [last.last_time] if last is not None else []
    if s.claim is not None:
        began.append(s.claim.at)
    if not began:
        return 0.0
    return _PAUSES[spent(s)] - (s.now - max(began)).total_seconds()
