"""Status from what is known, and no more. Nothing that ticks goes in: a status that says the same is not written."""

from datetime import datetime
from typing import Any

from novita_operator.decision.absence import is_absent
from novita_operator.decision.actions import Decision, Record
from novita_operator.decision.conditions import conditions
from novita_operator.decision.rules import retries
from novita_operator.decision.situation import Situation, Verb
from novita_operator.model.machine import Machine, MachineState
from novita_operator.model.reasons import NEEDS_PEOPLE, Reason, State
from novita_operator.model.status import PublishedPort, Retries, Status

_STATES = {
    Reason.RUNNING: State.RUNNING,
    Reason.STOPPED: State.STOPPED,
    Reason.STOPPING: State.STOPPING,
    Reason.LAUNCHING: State.LAUNCHING,
    Reason.LAUNCH_UNCERTAIN: State.LAUNCHING,
    Reason.STARTING: State.STARTING,
    Reason.STARTUP_TIMEOUT: State.STARTING,
    Reason.SPOT_RECLAIMED: State.RECLAIMED,
    Reason.NOVITA_UNREACHABLE: State.UNKNOWN,
    Reason.KEY_REJECTED: State.UNKNOWN,
    Reason.UNKNOWN_STATE: State.UNKNOWN,
    Reason.BRAKED: State.UNKNOWN,
    Reason.VANISHED: State.UNKNOWN,
}


def describe(s: Situation, d: Decision) -> Status:
    """The whole status as it should stand after this decision."""
    machine_id = _machine_id(s, d)
    return Status(
        observed_generation=s.instance.generation,
        state=_state(s, d),
        placement=d.placement,
        launches=max(s.instance.status.launches or 0, s.claim.launch if s.claim else 0) or None,
        retries=_retries(s),
        conditions=conditions(s, d, machine_id),
        instance_id=machine_id,
        machine_name=s.claim.machine if s.claim and machine_id else s.instance.status.machine_name,
        **(_particulars(s) if machine_id is not None else {}),
    )


def _state(s: Situation, d: Decision) -> State | None:
    if d.reason is Reason.PAUSED:
        return s.instance.status.state
    if s.instance.is_deleting:
        return State.DELETING
    return _STATES.get(d.reason, State.FAILED if d.reason in NEEDS_PEOPLE else State.PENDING)


def _machine_id(s: Situation, d: Decision) -> str | None:
    """Id of the machine that the claim names, unless it is known to be gone."""
    if isinstance(d.action, Record):
        return d.action.machine_id
    if s.machine is not None:
        return s.machine.id
    return None if s.trace is None or is_absent(s, s.trace) else s.trace.machine_id


def _particulars(s: Situation) -> dict[str, Any]:
    """What the machine is: the bargain that the claim keeps, and what the list shows of it."""
    machine, before = s.machine, s.instance.status if s.was_recorded or s.claim is None else Status()
    bargain = s.claim.bargain if s.claim else None
    return {
        "product_id": (bargain and bargain.product_id) or (machine and machine.product_id) or before.product_id,
        "product_name": (bargain and bargain.product_name) or (machine and machine.product_name) or before.product_name,
        "region_id": (machine and machine.region_id) or (bargain and bargain.region_id) or before.region_id,
        "region": (machine and machine.region) or (bargain and bargain.region) or before.region,
        "billing_mode": (machine and machine.billing) or (bargain and bargain.billing_mode) or before.billing_mode,
        "hourly_price": (bargain and bargain.hourly_price) or before.hourly_price,
        "created_time": s.claim.at if s.claim else before.created_time,
        "endpoints": before.endpoints if machine is None else _endpoints(machine),
        **_times(s, machine),
    }


def _endpoints(machine: Machine) -> tuple[PublishedPort, ...]:
    if machine.state is not MachineState.RUNNING:
        return ()
    published = sorted(machine.endpoints or (), key=lambda endpoint: endpoint.port)
    return tuple(PublishedPort(port=e.port, protocol=e.protocol, address=e.address) for e in published if e.address)


def _times(s: Situation, machine: Machine | None) -> dict[str, datetime | None]:
    """When it last came up and went down: Novita's word, else the moment when that was first seen."""
    before = s.instance.status if s.was_recorded else Status()
    up, down = before.started_time, before.stopped_time
    was_up_last = up is not None and (down is None or up > down)
    if machine is not None and machine.state is MachineState.RUNNING:
        up = machine.started or (up if was_up_last else None) or s.now
    if machine is not None and machine.state is MachineState.EXITED:
        down = machine.stopped or (None if was_up_last else down) or s.now
    return {"started_time": up, "stopped_time": down}


def _retries(s: Situation) -> Retries | None:
    """How many were spent in this generation, and when the last one was."""
    before = s.instance.status.retries
    call, claim = s.power_call, s.claim
    if call is not None and call.verb is Verb.START and call.generation == s.instance.generation:
        last = max(call.asked, before.last_time) if before is not None else call.asked
        return Retries(generation=call.generation, count=max(call.retry, retries.spent(s)), last_time=last)
    if claim is not None and claim.retry and claim.generation == s.instance.generation:
        last = max(claim.at, before.last_time) if before is not None else claim.at
        return Retries(generation=claim.generation, count=retries.spent(s), last_time=last)
    return before
