"""A machine that never comes up is billed all the same: it is deleted, and the next launch tries elsewhere."""

from novita_operator.decision.actions import Decision, Delete, DeleteCause
from novita_operator.decision.situation import Situation
from novita_operator.model.machine import COMING_BACK, COMING_UP, Machine
from novita_operator.model.reasons import Reason

COMING_UP_NOTE = "The machine is coming up."
"""One sentence for the whole way up, so that status is written once for it."""


def startup_timeout(s: Situation) -> Decision | None:
    """`in_motion` has kept back what is in time, and what ran before and may hold data."""
    machine = s.machine
    if machine is None or machine.state not in COMING_UP:
        return None
    return Decision(
        Delete(machine.id, DeleteCause.STARTUP_TIMEOUT),
        Reason.STARTUP_TIMEOUT,
        f"Machine {machine.name} did not come up within {timeout(s):.0f} s: deleted, to be launched anew.",
    )


def has_run(s: Situation, machine: Machine) -> bool:
    """Whether the machine ever ran, so that its disk may hold somebody's data."""
    recorded = s.was_recorded and s.instance.status.started_time is not None
    return recorded or machine.stopped is not None or machine.state in COMING_BACK


def seconds_left_to_start(s: Situation) -> float:
    """Counted from the launch or from the last start, whichever came later."""
    began = s.claim.at if s.claim is not None else s.now
    retries = s.instance.status.retries
    if retries is not None:
        began = max(began, retries.last_time)
    return timeout(s) - (s.now - began).total_seconds()


def timeout(s: Situation) -> float:
    return s.instance.spec.startup.timeout_seconds or s.policy.startup_timeout
