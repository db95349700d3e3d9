"""Novita is at work on the machine: wait, and do not ask twice."""

import math

from novita_operator.decision.actions import Decision, Rest
from novita_operator.decision.rules.startup import COMING_UP_NOTE, is_given_up, seconds_left_to_start
from novita_operator.decision.situation import Situation, Verb
from novita_operator.model.machine import COMING_UP, GOING_AWAY, GOING_DOWN, Machine, MachineState
from novita_operator.model.reasons import Reason


def in_motion(s: Situation) -> Decision | None:
    machine = s.machine
    if machine is None:
        return None
    if machine.state in GOING_AWAY or s.is_being_deleted(machine):
        return Decision(Rest(), Reason.RETRYING, "The machine is being removed at Novita.")
    if machine.state in GOING_DOWN:
        return Decision(Rest(), Reason.STOPPING, "The machine is stopping.")
    if machine.state is MachineState.MIGRATING:
        return Decision(Rest(), Reason.STARTING, "Novita moves the machine to another node.")
    if machine.state in COMING_UP:
        return _coming_up(s, machine)
    return _just_asked(s, machine)


def _coming_up(s: Situation, machine: Machine) -> Decision | None:
    left = seconds_left_to_start(s, machine)
    again = left if 0 < left < math.inf else None
    if is_given_up(s, machine):
        return None
    if not s.wants_running:
        return Decision(Rest(), Reason.STOPPING, "The machine is coming up and can be stopped only then.", again=again)
    if left <= 0:
        return Decision(
            Rest(),
            Reason.STARTUP_TIMEOUT,
            "The machine does not come up in time. It ran before, so its disk may hold data: it is not deleted.",
        )
    return Decision(Rest(), Reason.STARTING, COMING_UP_NOTE, again=again)


def _just_asked(s: Situation, machine: Machine) -> Decision | None:
    """After a power call the list may lag: only one that begins later than that may contradict."""
    call = s.power_call
    if call is None or call.machine_id != machine.id or s.fleet is None:
        return None
    if s.fleet.begun > call.at + s.policy.list_lag:
        return None
    if call.verb is Verb.START and machine.state is MachineState.EXITED:
        return Decision(Rest(), Reason.STARTING, COMING_UP_NOTE)
    if call.verb is Verb.STOP and machine.state is MachineState.RUNNING:
        return Decision(Rest(), Reason.STOPPING, "The machine is stopping.")
    return None
