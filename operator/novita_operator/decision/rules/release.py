"""Deletion: the machine first, the finalizer last, and never by age."""

from novita_operator.decision.absence import find_out, is_absent, look_for_kin
from novita_operator.decision.actions import AwaitList, Decision, Delete, DeleteCause, Release, Rest
from novita_operator.decision.situation import Situation, Trace
from novita_operator.model.machine import GOING_AWAY
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import DeletionPolicy

_DELETING = "The machine is being deleted at Novita."


def release(s: Situation) -> Decision | None:
    """Only machines that the list shows as ours are deleted: an id in status alone proves nothing."""
    if not s.instance.is_deleting:
        return None
    if s.instance.spec.deletion_policy is DeletionPolicy.RETAIN:
        return _let_go(s, _known_ids(s))
    for machine in s.ours:
        if not s.is_being_deleted(machine):
            return Decision(Delete(machine.id, DeleteCause.RESOURCE_DELETED), Reason.DELETING, _DELETING, quiet=True)
    if s.ours:
        return Decision(Rest(), Reason.DELETING, _DELETING, quiet=True)
    if s.trace is not None and s.trace.machine_id is not None and not is_absent(s, s.trace):
        return find_out(s, s.trace, Reason.DELETING, _DELETING, quiet=True)
    return _let_go(s)


def _stripped(s: Situation) -> Trace | None:
    """What a claim named that was taken off the object, or came back from a backup, unrecorded: it may yet land.

    What status says of an earlier life is no record: of that machine no id is believed, so nothing has looked for it.
    """
    claim = s.remembered or s.instance.restored_claim if s.claim is None else None
    if claim is None or s.is_not_done(claim):
        return None
    is_recorded = claim.machine == s.instance.status.machine_name and s.is_of_this_life(claim.machine)
    is_shown = any(machine.name == claim.machine for machine in s.ours)
    return None if is_recorded or is_shown else Trace(claim.machine, None)


def _let_go(s: Situation, retained: tuple[str, ...] = ()) -> Decision:
    """Only once a list that is younger than this version of the object has shown every machine with our mark."""
    if not s.instance.has_finalizer:
        return Decision(Rest(), Reason.DELETING, "No machine is left; others still hold the object.", quiet=True)
    open_launch = _stripped(s)
    if open_launch is not None and not is_absent(s, open_launch):
        return find_out(s, open_launch, Reason.DELETING, _DELETING, quiet=True)
    if s.fleet is None or s.fleet.begun < s.version_read or s.fleet.suspect:
        return Decision(AwaitList(), Reason.DELETING, _DELETING, quiet=True)
    if not s.ours and not _is_accounted_for(s):
        unseen = look_for_kin(s, s.version_read, Reason.DELETING, _DELETING)
        if unseen is not None:
            return unseen
    return Decision(Release(retained), Reason.DELETING, "No machine is left to delete.", quiet=True)


def _is_accounted_for(s: Situation) -> bool:
    """Whether the claim speaks of the last launch, and what became of that is known by more than the list."""
    if s.claim is None or s.is_overtaken(s.claim):
        return False
    return s.was_recorded or s.is_not_done(s.claim)


def _known_ids(s: Situation) -> tuple[str, ...]:
    """Every machine of ours that the list shows, and the recorded one, shown or not; none that is being deleted."""
    recorded = s.trace.machine_id if s.trace is not None else None
    stays = {machine.id: machine.state not in GOING_AWAY and not s.is_being_deleted(machine) for machine in s.ours}
    if recorded is not None:
        stays.setdefault(recorded, recorded not in s.deleted)
    return tuple(machine_id for machine_id, is_left in stays.items() if is_left)
