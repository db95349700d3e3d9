"""Which changes are worth telling: a status that stands still is silent, and so is what is merely on its way."""

from collections.abc import Iterator

from novita_operator.decision.actions import Decision
from novita_operator.model.instance import GpuInstance
from novita_operator.model.notice import Notice, NoticeType, Subject
from novita_operator.model.reasons import ConditionType, Reason
from novita_operator.model.status import Condition, Status

SILENT = frozenset(
    {
        Reason.LAUNCHING,
        Reason.STARTING,
        Reason.DELETING,
        Reason.NOT_LAUNCHED,
        Reason.KEY_ACCEPTED,
        Reason.NOT_TRIED,
    }
)
_GOOD = frozenset({Reason.RUNNING, Reason.STOPPED, Reason.STOPPING, Reason.LAUNCHED, Reason.PAUSED})
_TOLD = (ConditionType.LAUNCHED, ConditionType.SPOT_RECLAIM, ConditionType.READY)


def notices(instance: GpuInstance, after: Status, decision: Decision) -> Iterator[Notice]:
    """What is told when `after` takes the place of the instance's status."""
    for kind in _TOLD:
        condition = after.condition(kind)
        if condition is not None and _is_news(instance.status.condition(kind), condition):
            yield notice(instance, decision, Reason(condition.reason), condition.message)


def notice(instance: GpuInstance, decision: Decision, reason: Reason, note: str) -> Notice:
    """One notice about what this decision did."""
    return Notice(Subject.of(instance), kind_of(reason), reason, type(decision.action).__name__, note)


def kind_of(reason: Reason) -> NoticeType:
    """Whether somebody should look."""
    return NoticeType.NORMAL if reason in _GOOD else NoticeType.WARNING


def _is_news(before: Condition | None, after: Condition) -> bool:
    if after.reason in SILENT:
        return False
    return before is None or (before.status, before.reason) != (after.status, after.reason)
