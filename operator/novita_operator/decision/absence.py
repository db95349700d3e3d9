"""What "absent" means, everywhere (docs/architecture.md, step 7).

Two readings in a row that do not show the machine: the complete list, and then one that asks for it alone; both begun
at least W + list lag after this process first saw the claim with its present record. After an acknowledged delete,
readings begun after the acknowledgement count at any age. Presence speaks at once.
"""

from novita_operator.decision.actions import AwaitList, Decision, ReadAlone, ReadKin, Rest
from novita_operator.decision.situation import Situation, Trace
from novita_operator.model.machine import Fleet, MachineState
from novita_operator.model.reasons import Reason

_NOT_OURS = "Machine {} no longer bears the name and the mark that the operator gave it: it is not touched."


def is_absent(s: Situation, trace: Trace) -> bool:
    """Whether the machine is proved not to be there."""
    if s.fleet is None or _is_shown(s, trace, s.fleet):
        return False
    if s.proved_gone == trace.name or trace.machine_id in s.fleet.machines:  # there, and not shown: it says `removed`
        return True
    return (
        s.alone is not None
        and s.alone.name == trace.name
        and s.alone.after_list >= counts_from(s, trace)
        and (s.alone.machine is None or s.alone.machine.state is MachineState.REMOVED)
    )


def find_out(s: Situation, trace: Trace, reason: Reason, message: str, *, quiet: bool = False) -> Decision:
    """The next step towards knowing; called while the machine is neither shown nor proved absent."""
    since = counts_from(s, trace)
    if s.fleet is not None and _is_shown(s, trace, s.fleet):
        return Decision(Rest(), Reason.NOT_OURS, _NOT_OURS.format(trace.machine_id))
    if s.fleet is not None and s.fleet.suspect:
        return Decision(Rest(), Reason.BRAKED, "Too many machines vanished from Novita's list at once to believe it.")
    if s.boot < since:
        return Decision(Rest(), reason, message, again=since - s.boot, quiet=quiet)
    if s.fleet is None or s.fleet.begun < since or _was_just_shown_alone(s, trace):
        return Decision(AwaitList(), reason, message, quiet=quiet)
    return Decision(ReadAlone(trace.name, trace.machine_id, s.fleet.begun), reason, message, quiet=quiet)


def look_for_kin(s: Situation, since: float, reason: Reason, message: str) -> Decision | None:
    """The second reading before a launch, for machines of the object by any name; None once both say there is none.

    The first was the list, begun at `since` or later. What nobody ever wrote to has no machine, unless it lived before.
    """
    none_is_there = s.kin is not None and not s.kin.is_shown and s.kin.after_list >= since
    if none_is_there or (s.is_newborn and len(s.lives) == 1):
        return None
    if s.fleet is None or (s.kin is not None and s.kin.is_shown and s.kin.after_list == s.fleet.begun):
        return Decision(AwaitList(), reason, message, quiet=True)
    return Decision(ReadKin(s.fleet.begun), reason, message, quiet=True)


def counts_from(s: Situation, trace: Trace) -> float:
    """The boot clock from which on readings of absence count."""
    acknowledged = s.deleted.get(trace.machine_id or "")
    if acknowledged is not None:
        return acknowledged
    return s.trace_seen + s.policy.claim_window + s.policy.list_lag


def _is_shown(s: Situation, trace: Trace, fleet: Fleet) -> bool:
    """By id in the whole list (a machine may change its name), else by name among those with our mark."""
    shown = fleet.machines.get(trace.machine_id or "")
    if shown is not None:
        return shown.state is not MachineState.REMOVED
    return any(machine.name == trace.name for machine in s.ours)


def _was_just_shown_alone(s: Situation, trace: Trace) -> bool:
    """The list lacks it, the single read has it: an item slipped between pages, or the list lags."""
    return (
        s.alone is not None
        and s.fleet is not None
        and s.alone.name == trace.name
        and s.alone.after_list == s.fleet.begun
        and s.alone.machine is not None
    )
