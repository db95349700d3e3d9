"""The order of thought. Read `RULES` from top to bottom and you know the product."""

from collections.abc import Callable

from novita_operator.decision.actions import Decision
from novita_operator.decision.rules.blind import blind
from novita_operator.decision.rules.claim import lost_claim, unresolved_claim
from novita_operator.decision.rules.duplicate import duplicate
from novita_operator.decision.rules.launch import launch
from novita_operator.decision.rules.lost import lost
from novita_operator.decision.rules.motion import in_motion
from novita_operator.decision.rules.paused import paused
from novita_operator.decision.rules.power import power
from novita_operator.decision.rules.release import release
from novita_operator.decision.rules.startup import startup_timeout
from novita_operator.decision.situation import Situation

Rule = Callable[[Situation], Decision | None]

RULES: tuple[Rule, ...] = (
    paused,  # somebody froze the object: touch nothing
    blind,  # no fresh list of the fleet: conclude nothing, do nothing
    lost_claim,  # the object lost its claim or finalizer: put them back, never launch over them
    unresolved_claim,  # a launch whose outcome is not recorded: look for it
    duplicate,  # a machine with our mark that the claim does not name: delete it
    release,  # the resource is being deleted: machine first, finalizer last
    lost,  # the recorded machine is not in the list: prove it before saying so
    in_motion,  # Novita is at work on it: wait
    startup_timeout,  # it never came up: delete it, so that the next launch may try elsewhere
    launch,  # wanted and not there: choose an offer, claim, create
    power,  # there and still: start or stop as wanted, else rest
)


def decide(situation: Situation) -> Decision:
    """The first rule that has something to say."""
    return next(decision for rule in RULES if (decision := rule(situation)) is not None)
