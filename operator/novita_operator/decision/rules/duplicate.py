"""Duplicates that slip through are deleted, whatever the orphan policy says (docs/architecture.md, step 8)."""

from novita_operator.decision.actions import Decision, Delete, DeleteCause
from novita_operator.decision.situation import Situation
from novita_operator.model.machine import GOING_AWAY
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import DeletionPolicy


def duplicate(s: Situation) -> Decision | None:
    """A deleted object's machines are all the business of `release`, unless it retains: then only the claimed one."""
    retains = s.instance.spec.deletion_policy is DeletionPolicy.RETAIN
    if s.claim is None or (s.instance.is_deleting and not retains):
        return None
    for machine in s.strangers:
        if machine.state not in GOING_AWAY and not s.is_being_deleted(machine):
            return Decision(
                Delete(machine.id, DeleteCause.DUPLICATE),
                Reason.DUPLICATE,
                f"Machine {machine.id} bears this resource's mark, but the claim names another: deleted.",
            )
    return None
