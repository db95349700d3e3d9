"""The machine is there and still: make its power what is wanted."""

from novita_operator.decision.actions import Decision, Rest, Start, Stop
from novita_operator.decision.rules import retries
from novita_operator.decision.rules.startup import COMING_UP_NOTE
from novita_operator.decision.situation import Situation
from novita_operator.model.machine import Machine, MachineState
from novita_operator.model.reasons import Reason


def power(s: Situation) -> Decision:
    """The last rule: always has an answer."""
    machine = s.machine
    if machine is None:
        raise AssertionError("`launch` answers for every object without a machine")
    if machine.state is MachineState.RUNNING:
        return _running(s, machine)
    if machine.state is MachineState.EXITED:
        return _exited(s, machine)
    if machine.state is MachineState.FREEZING:
        return Decision(Rest(), Reason.FROZEN, "Novita froze the machine: look at the account's balance.")
    return Decision(Rest(), Reason.UNKNOWN_STATE, "Novita says a word for the machine's state that is not known here.")


def _running(s: Situation, machine: Machine) -> Decision:
    if not s.wants_running:
        return Decision(Stop(machine.id), Reason.STOPPING, "The machine is stopping.")
    if not machine.has_every_endpoint:
        return Decision(Rest(), Reason.STARTING, "The machine runs; its ports have no address yet.")
    return Decision(Rest(), Reason.RUNNING, "The machine runs.")


def _exited(s: Situation, machine: Machine) -> Decision:
    if not s.wants_running:
        return Decision(Rest(), Reason.STOPPED, "The machine is stopped, as wanted; its disk is kept and billed.")
    if machine.is_reclaimed:
        return Decision(
            Rest(), Reason.SPOT_RECLAIMED, "Novita took the spot machine back. Delete the resource to launch anew."
        )
    waiting = retries.not_now(s, f"The machine stopped by itself{_because(machine)}.") or retries.held_back(s)
    return waiting or Decision(Start(machine.id, retries.spent(s) + 1), Reason.STARTING, COMING_UP_NOTE)


def _because(machine: Machine) -> str:
    return f" ({machine.error})" if machine.error else ""
