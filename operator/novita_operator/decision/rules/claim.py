"""The claim decides; these two rules see that it is there and that its outcome is known before anything else."""

import re
from datetime import datetime

from novita_operator.decision.absence import find_out, is_absent
from novita_operator.decision.actions import Decision, PutBack, Record
from novita_operator.decision.rules.startup import COMING_UP_NOTE
from novita_operator.decision.situation import CallResult, Situation, Trace
from novita_operator.model.claim import MOST_LAUNCHES, PRICE, Bargain, Claim
from novita_operator.model.machine import GOING_AWAY, Machine, MachineState
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode

ADOPTED = "adopted"
"""`by` of a claim that was rebuilt from a machine: no process may call create for it."""
_LOST = "Making sure what became of machine {} before anything is launched."


def lost_claim(s: Situation) -> Decision | None:
    """Losing finalizer, claim and status (`kubectl replace`, a restore) never launches a second machine.

    A restored object has a new UID. It takes over the machine of its earlier life, or proves it absent; what speaks of
    a machine of this life goes before, and an old claim takes nothing from a later launch.
    """
    if s.overtaking is not None and s.instance.has_finalizer:
        return _put_back(_rebuilt(s, s.overtaking))
    if s.instance.is_deleting:
        return None
    if s.claim is not None:
        return None if s.instance.has_finalizer else _put_back(s.claim)
    if s.remembered is not None and _may_come_back(s, s.remembered):
        return _put_back(s.remembered)
    unproved = [trace for trace in (s.told, s.restored) if trace is not None and not is_absent(s, trace)]
    is_shown = any(s.is_of_this_life(machine.name) for machine in s.ours)
    may_be = any(s.is_of_this_life(trace.name) for trace in unproved)
    if s.ours and (is_shown or not may_be):
        return _put_back(_rebuilt(s, _most_likely(s)))
    return next((find_out(s, trace, Reason.LAUNCH_UNCERTAIN, _LOST.format(trace.name)) for trace in unproved), None)


def _may_come_back(s: Situation, remembered: Claim) -> bool:
    """Its machine is shown, or nothing tells of another of this life: no list, and no later launch in status."""
    staying = {machine.name for machine in s.ours if not _goes(s, machine)}
    if remembered.machine in staying:
        return True
    return not s.is_overtaken(remembered) and not any(map(s.is_of_this_life, staying))


def unresolved_claim(s: Situation) -> Decision | None:
    """An unknown outcome is looked up, never repeated: presence speaks at once, absence late."""
    if s.claim is None or s.trace is None or s.instance.recorded_id is not None:
        return None
    found = _found(s, s.trace)
    if found is not None:
        return Decision(Record(found), Reason.STARTING, COMING_UP_NOTE, again=0.0)
    if s.is_not_done(s.claim) or is_absent(s, s.trace):
        return None
    return find_out(
        s,
        s.trace,
        Reason.LAUNCH_UNCERTAIN,
        f"The launch of {s.claim.machine} got no answer: looking for it at Novita before anything else is tried.",
        quiet=_is_told(s),
    )


def _is_told(s: Situation) -> bool:
    """After a restart status still says how the launch stood; only a call of this process is news."""
    return s.was_recorded or (s.create_call is None and s.instance.status.observed_generation == s.instance.generation)


def _found(s: Situation, trace: Trace) -> str | None:
    """Id of the machine that the claim became: by the create call's answer, a list, or a single read not outlived."""
    call = s.create_call
    if call is not None and call.machine == trace.name and call.result is CallResult.CREATED and not s.was_recorded:
        return call.machine_id
    if s.machine is not None:
        return s.machine.id
    alone = s.alone.machine if s.alone is not None and s.alone.name == trace.name else None
    if alone is None or alone.state is MachineState.REMOVED or is_absent(s, trace):
        return None
    return alone.id


def _put_back(claim: Claim) -> Decision:
    return Decision(PutBack(claim), Reason.LAUNCHED, "The object lost its claim or finalizer: written back.")


def _most_likely(s: Situation) -> Machine:
    """One that is not being deleted before one that is; then of this life, in status, in the claim, the oldest."""
    remembered = s.instance.status.instance_id
    return min(
        s.ours,
        key=lambda m: (
            _goes(s, m),
            not s.is_of_this_life(m.name),
            m.id != remembered,
            s.restored is None or m.name != s.restored.name,
            m.created or s.now,
            m.id,
        ),
    )


def _goes(s: Situation, machine: Machine) -> bool:
    return machine.state in GOING_AWAY or s.is_being_deleted(machine)


def _begun(s: Situation, machine: Machine) -> datetime:
    """When Novita says that it was created, if that can be: not before its object, and not in time to come."""
    earliest = s.instance.metadata.creation_timestamp or machine.created or s.now
    return min(max(machine.created or s.now, earliest), s.now)


def _rebuilt(s: Situation, machine: Machine) -> Claim:
    """What a backup's claim says of it stays true; its retries were those of another generation."""
    restored, status = s.instance.restored_claim, s.instance.status
    if restored is not None and restored.machine == machine.name:
        now = {"uid": s.uid, "by": ADOPTED, "at": min(restored.at, s.now), "generation": s.instance.generation}
        return restored.model_copy(update={**now, "retry": 0})
    told = status.hourly_price if status.machine_name == machine.name else None
    return Claim(
        uid=s.uid,
        machine=machine.name,
        launch=min(max(status.launches or 0, 1), MOST_LAUNCHES),
        by=ADOPTED,
        at=_begun(s, machine),
        generation=s.instance.generation,
        bargain=Bargain(
            product_id=machine.product_id,
            product_name=machine.product_name,
            region_id=machine.region_id,
            region=machine.region,
            billing_mode=machine.billing or BillingMode.ON_DEMAND,
            hourly_price=told if told and re.match(PRICE, told) else "",
        ),
    )
