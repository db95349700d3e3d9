"""Wanted and not there: choose an offer, then claim and create."""

from novita_operator.decision.absence import find_out, is_absent, look_for_kin
from novita_operator.decision.actions import AwaitList, Decision, Launch, ReadMarket, Rest
from novita_operator.decision.choose import choose
from novita_operator.decision.rules import retries
from novita_operator.decision.situation import Situation
from novita_operator.model.claim import MOST_LAUNCHES, Claim
from novita_operator.model.reasons import Reason


def launch(s: Situation) -> Decision | None:
    if s.machine is not None:
        return None
    if not s.wants_running:
        return Decision(Rest(), Reason.STOPPED, "Nothing runs, as wanted; no machine is kept.")
    return _not_safe(s) or _not_now(s) or _at_the_market(s)


def _not_safe(s: Situation) -> Decision | None:
    """Whether another machine of this object may exist that the claim does not speak of.

    A claim that somebody put back (a restore) may hide a later one; one of our own that was refused does not.
    """
    if s.ours:
        return Decision(Rest(), Reason.DUPLICATE, "Another machine with this resource's mark is being removed first.")
    if s.fleet is None or s.fleet.suspect:
        return Decision(Rest(), Reason.BRAKED, "Too many machines vanished from Novita's list at once to believe it.")
    if s.claim is not None and s.is_not_done(s.claim) and not s.is_overtaken(s.claim):
        return None
    since = s.version_read if s.claim is None else s.trace_seen
    if s.fleet.begun < since:
        return Decision(AwaitList(), Reason.LAUNCHING, "Waiting for a list of the machines at Novita.", quiet=True)
    if s.claim is not None and (later := _told_of_later(s, s.claim)):
        return later
    return look_for_kin(s, since, Reason.LAUNCHING, "Making sure that no machine was launched before.")


def _told_of_later(s: Situation, claim: Claim) -> Decision | None:
    """Where status tells of a later launch than the claim, that machine too must be proved absent."""
    if s.told is None or not s.is_overtaken(claim) or is_absent(s, s.told):
        return None
    return find_out(s, s.told, Reason.LAUNCH_UNCERTAIN, f"The claim is older than the launch of {s.told.name}.")


def _not_now(s: Situation) -> Decision | None:
    waiting = retries.not_now(s, "The machine is gone.") if _is_again(s) else None
    return waiting or retries.held_back(s)


def _at_the_market(s: Situation) -> Decision:
    if s.market is None:
        return Decision(ReadMarket(), Reason.LAUNCHING, "Looking for an offer.", quiet=True)
    choice = choose(s.instance.spec, s.market, s.policy.default_region, s.account.refusals, s.now)
    if choice.offer is None:
        again = min(s.policy.look_again, choice.again or s.policy.look_again)
        return Decision(Rest(), choice.reason, choice.message, again=again, placement=choice.looked_at)
    return Decision(
        Launch(choice.offer, launch=_launches(s) + 1, retry=retries.spent(s) + _is_again(s)),
        Reason.LAUNCHING,
        f"Launching {choice.offer.product_name} in {choice.offer.region}.",
    )


def _is_again(s: Situation) -> bool:
    """Whether the machine of the last launch is known to have existed: another one is a retry."""
    return s.was_recorded or (s.told is not None and s.claim is not None and s.is_overtaken(s.claim))


def _launches(s: Situation) -> int:
    known = max(s.instance.status.launches or 0, s.claim.launch if s.claim is not None else 0)
    return min(known, MOST_LAUNCHES - 1)
