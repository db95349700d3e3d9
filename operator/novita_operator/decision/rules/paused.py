"""Somebody froze the object."""

from novita_operator.decision.actions import Decision, Rest
from novita_operator.decision.situation import Situation
from novita_operator.model.claim import PAUSED_ANNOTATION
from novita_operator.model.reasons import Reason


def paused(s: Situation) -> Decision | None:
    if not s.instance.is_paused:
        return None
    return Decision(
        Rest(), Reason.PAUSED, f"Annotation {PAUSED_ANNOTATION} is true: nothing is done, not even a deletion."
    )
