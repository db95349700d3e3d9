"""What people and tools read: one function per condition. Decisions never read these back.

Ready means "observed equals desired", so a wanted stop is `Ready=True, reason=Stopped`; `Reconciling` and `Stalled`
stand only while true. So `kubectl wait`, Helm, Flux and Argo CD (all kstatus) tell the truth.
"""

from collections.abc import Callable
from typing import NamedTuple

from novita_operator.decision.actions import Decision
from novita_operator.decision.situation import Situation
from novita_operator.model.machine import MachineState, SpotStatus
from novita_operator.model.reasons import NEEDS_PEOPLE, ConditionType, Reason
from novita_operator.model.status import LONGEST_MESSAGE, Condition

_AS_WANTED = frozenset({Reason.RUNNING, Reason.STOPPED})
_NOT_KNOWN = frozenset(
    {Reason.NOVITA_UNREACHABLE, Reason.KEY_REJECTED, Reason.UNKNOWN_STATE, Reason.BRAKED, Reason.PAUSED}
)
_NOT_SEEN = _NOT_KNOWN | {Reason.VANISHED, Reason.LAUNCH_UNCERTAIN, Reason.NOT_OURS}


class Fact(NamedTuple):
    """A condition before it is dated."""

    status: str
    reason: Reason
    message: str = ""


def ready(_: Situation, d: Decision) -> Fact:
    return Fact(readiness(d.reason), d.reason, d.message)


def readiness(reason: Reason) -> str:
    """The status of `Ready` for this reason."""
    if reason in _AS_WANTED:
        return "True"
    return "Unknown" if reason in _NOT_KNOWN else "False"


def running(s: Situation, d: Decision) -> Fact:
    if d.reason in _NOT_SEEN:
        return Fact("Unknown", d.reason)
    if s.machine is not None and s.machine.state is MachineState.RUNNING:
        return Fact("True", Reason.RUNNING)
    return Fact("False", d.reason)


def launched(s: Situation, machine_id: str | None) -> Fact:
    if machine_id is None:
        return Fact("False", Reason.NOT_LAUNCHED)
    bargain = s.claim.bargain if s.claim is not None else None
    terms = "" if bargain is None else f": {bargain}"
    return Fact("True", Reason.LAUNCHED, f"Machine {machine_id} was launched{terms}.")


def credentials_valid(s: Situation, _: Decision) -> Fact:
    if s.account.key_accepted is None:
        return Fact("Unknown", Reason.NOT_TRIED)
    if s.account.key_accepted:
        return Fact("True", Reason.KEY_ACCEPTED)
    return Fact("False", Reason.KEY_REJECTED, "Novita does not accept the API key.")


def spot_reclaim(s: Situation, _: Decision) -> Fact | None:
    machine = s.machine
    if machine is None:
        return None
    if machine.is_reclaimed:
        return Fact("True", Reason.SPOT_RECLAIMED, "Novita took the spot machine back.")
    if machine.spot in {SpotStatus.NOTIFIED, SpotStatus.RECLAIMING}:
        when = f" at {machine.reclaim_at:%Y-%m-%dT%H:%M:%SZ}" if machine.reclaim_at else " within the hour"
        return Fact("True", Reason.SPOT_RECLAIM_ANNOUNCED, f"Novita takes the spot machine back{when}.")
    return None


def reconciling(_: Situation, d: Decision) -> Fact | None:
    if d.reason in _AS_WANTED | NEEDS_PEOPLE | {Reason.PAUSED}:
        return None
    return Fact("True", d.reason, d.message)


def stalled(_: Situation, d: Decision) -> Fact | None:
    return Fact("True", d.reason, d.message) if d.reason in NEEDS_PEOPLE else None


_BY_TYPE: tuple[tuple[ConditionType, Callable[[Situation, Decision], Fact | None]], ...] = (
    (ConditionType.READY, ready),
    (ConditionType.RUNNING, running),
    (ConditionType.CREDENTIALS_VALID, credentials_valid),
    (ConditionType.SPOT_RECLAIM, spot_reclaim),
    (ConditionType.RECONCILING, reconciling),
    (ConditionType.STALLED, stalled),
)


def conditions(s: Situation, d: Decision, machine_id: str | None) -> tuple[Condition, ...]:
    """All conditions that stand, dated; a date moves only when the condition's status does."""
    facts = {kind: judge(s, d) for kind, judge in _BY_TYPE} | {ConditionType.LAUNCHED: launched(s, machine_id)}
    return tuple(_dated(s, kind, fact) for kind, fact in facts.items() if fact is not None)


def _dated(s: Situation, kind: ConditionType, fact: Fact) -> Condition:
    before = s.instance.status.condition(kind)
    unmoved = before is not None and before.status == fact.status
    return Condition(
        type=kind,
        status=fact.status,
        reason=fact.reason,
        message=fact.message[:LONGEST_MESSAGE],
        observed_generation=s.instance.generation,
        last_transition_time=before.last_transition_time if before is not None and unmoved else s.now,
    )
