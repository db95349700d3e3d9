"""Without a fresh and complete list of the fleet nothing is created, stopped, moved or deleted."""

from novita_operator.decision.actions import Decision, Rest
from novita_operator.decision.situation import Situation
from novita_operator.model.reasons import Reason


def blind(s: Situation) -> Decision | None:
    if s.account.key_accepted is False:
        return Decision(
            Rest(),
            Reason.KEY_REJECTED,
            "Novita does not accept the API key: give the operator a valid one.",
        )
    if s.fleet is not None and s.boot - s.fleet.begun <= s.policy.fleet_max_age:
        return None
    just_started = s.fleet is None and s.boot - s.started <= s.policy.fleet_max_age
    trouble = s.account.trouble or "no answer yet"
    return Decision(
        Rest(),
        Reason.NOVITA_UNREACHABLE,
        f"No complete list of the machines at Novita ({trouble}): nothing is done until there is one.",
        quiet=just_started,
    )
