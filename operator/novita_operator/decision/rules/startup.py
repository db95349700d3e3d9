"""A machine that never comes up is billed all the same: it is deleted, and the next launch tries elsewhere."""

import math

from novita_operator.decision.actions import Decision, Delete, DeleteCause
from novita_operator.decision.situation import Situation
from novita_operator.model.machine import COMING_BACK, COMING_UP, Machine
from novita_operator.model.reasons import Reason

COMING_UP_NOTE = "The machine is coming up."
"""One sentence for the whole way up, so that status is written once for it."""


def startup_timeout(s: Situation) -> Decision | None:
    if s.machine is None or not is_given_up(s, s.machine):
        return None
    return Decision(
        Delete(s.machine.id, DeleteCause.STARTUP_TIMEOUT),
        Reason.STARTUP_TIMEOUT,
        f"Machine {s.machine.name} did not come up within {_timeout(s):.0f} s: deleted, to be launched anew.",
    )


def is_given_up(s: Situation, machine: Machine) -> bool:
    """Late, and never ran: what ran before may hold somebody's data, and is not deleted for being slow."""
    return machine.state in COMING_UP and not _has_run(s, machine) and seconds_left_to_start(s, machine) <= 0


def seconds_left_to_start(s: Situation, machine: Machine) -> float:
    """Counted from the launch or from our last start; without end for a start that was not ours.

    What a restored object took over was launched before it, perhaps long ago, and nobody was there to look after it:
    its time begins with the object.
    A start since which the machine was seen to run has done its work: what comes up now is another's.
    """
    status = s.instance.status
    came_up = status.started_time if s.was_recorded else None
    launched = [] if s.claim is None or _has_run(s, machine) else [s.claim.at, s.instance.metadata.creation_timestamp]
    began = [at for at in launched if at is not None]
    if status.retries is not None and (came_up is None or status.retries.last_time > came_up):
        began.append(status.retries.last_time)
    return _timeout(s) - (s.now - max(began)).total_seconds() if began else math.inf


def _has_run(s: Situation, machine: Machine) -> bool:
    recorded = s.was_recorded and s.instance.status.started_time is not None
    return recorded or machine.stopped is not None or machine.state in COMING_BACK


def _timeout(s: Situation) -> float:
    return s.policy.startup_seconds(s.instance.spec)
