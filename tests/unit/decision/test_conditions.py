from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from build import NOW, claim, fleet, instance, machine, recorded, situation
from novita_operator.decision.actions import Decision, Rest
from novita_operator.decision.conditions import (
    Fact,
    conditions,
    credentials_valid,
    launched,
    ready,
    reconciling,
    running,
    spot_reclaim,
    stalled,
)
from novita_operator.decision.situation import Account, Situation
from novita_operator.model.machine import Machine, MachineState, SpotStatus
from novita_operator.model.reasons import ConditionType, Reason
from novita_operator.model.resource import BillingMode

LAUNCHED = instance(claim=claim(), status=recorded())
NOT_KNOWN = {Reason.NOVITA_UNREACHABLE, Reason.KEY_REJECTED, Reason.UNKNOWN_STATE, Reason.BRAKED, Reason.PAUSED}
NOT_SEEN = NOT_KNOWN | {Reason.VANISHED, Reason.LAUNCH_UNCERTAIN, Reason.NOT_OURS}
AS_WANTED = {Reason.RUNNING, Reason.STOPPED}
FOR_PEOPLE = {
    Reason.PRODUCT_NOT_FOUND,
    Reason.REGION_NOT_FOUND,
    Reason.TEMPLATE_NOT_FOUND,
    Reason.CREDENTIAL_NOT_FOUND,
    Reason.UNSUITABLE,
    Reason.REFUSED,
    Reason.TOO_MANY_RETRIES,
    Reason.STARTUP_TIMEOUT,
    Reason.SPOT_RECLAIMED,
    Reason.NO_MONEY,
    Reason.FROZEN,
    Reason.NOT_OURS,
}


def because(reason: Reason) -> Decision:
    return Decision(Rest(), reason, "A sentence.")


@pytest.mark.parametrize("reason", Reason)
def test_ready_means_that_what_is_seen_is_what_is_wanted(reason: Reason) -> None:
    word = "True" if reason in AS_WANTED else "Unknown" if reason in NOT_KNOWN else "False"
    assert ready(situation(), because(reason)) == Fact(word, reason, "A sentence.")


@pytest.mark.parametrize("reason", Reason)
def test_what_is_not_as_wanted_is_either_worked_on_or_stuck_unless_paused(reason: Reason) -> None:
    told = Fact("True", reason, "A sentence.")
    is_stuck = reason in FOR_PEOPLE
    is_worked_on = not is_stuck and reason not in AS_WANTED | {Reason.PAUSED}
    assert stalled(situation(), because(reason)) == (told if is_stuck else None)
    assert reconciling(situation(), because(reason)) == (told if is_worked_on else None)


@pytest.mark.parametrize("reason", sorted(NOT_SEEN))
def test_running_is_unknown_where_the_machine_is_not_seen(reason: Reason) -> None:
    for shown in (fleet(machine()), fleet()):
        assert running(situation(LAUNCHED, fleet=shown), because(reason)) == Fact("Unknown", reason)


@pytest.mark.parametrize("reason", sorted(frozenset(Reason) - NOT_SEEN))
def test_running_says_what_the_list_shows(reason: Reason) -> None:
    seen = situation(LAUNCHED, fleet=fleet(machine()))
    assert running(seen, because(reason)) == Fact("True", Reason.RUNNING)
    still = situation(LAUNCHED, fleet=fleet(machine(MachineState.EXITED)))
    assert running(still, because(reason)) == Fact("False", reason)
    assert running(situation(LAUNCHED), because(reason)) == Fact("False", reason)


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (Account(), Fact("Unknown", Reason.NOT_TRIED)),
        (Account(key_accepted=True), Fact("True", Reason.KEY_ACCEPTED)),
        (Account(key_accepted=False), Fact("False", Reason.KEY_REJECTED, "Novita does not accept the API key.")),
    ],
)
def test_credentials_are_valid_once_a_call_was_accepted(account: Account, expected: Fact) -> None:
    assert credentials_valid(situation(account=account), because(Reason.RUNNING)) == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param((), None, id="no machine"),
        pytest.param((machine(),), None, id="no notice"),
        pytest.param((machine(spot=SpotStatus.RUNNING),), None, id="a spot machine without a notice"),
        pytest.param(
            (machine(spot=SpotStatus.NOTIFIED, reclaim_at=NOW + timedelta(hours=1)),),
            Fact("True", Reason.SPOT_RECLAIM_ANNOUNCED, "Novita takes the spot machine back at 2026-11-21T13:00:00Z."),
            id="a notice with its time",
        ),
        pytest.param(
            (machine(spot=SpotStatus.RECLAIMING),),
            Fact("True", Reason.SPOT_RECLAIM_ANNOUNCED, "Novita takes the spot machine back within the hour."),
            id="a reclaim under way, without a time",
        ),
        pytest.param(
            (machine(MachineState.EXITED, spot=SpotStatus.TERMINATED),),
            Fact("True", Reason.SPOT_RECLAIMED, "Novita took the spot machine back."),
            id="taken back",
        ),
        pytest.param(
            (machine(MachineState.EXITED, spot=SpotStatus.NOTIFIED, reclaim_at=NOW),),
            Fact("True", Reason.SPOT_RECLAIMED, "Novita took the spot machine back."),
            id="stopped after a notice",
        ),
        pytest.param(
            (machine(MachineState.EXITED, reclaim_at=NOW, stopped=NOW - timedelta(seconds=1)),),
            None,
            id="stopped before the notice ran out",
        ),
        pytest.param(
            (machine(MachineState.EXITED, billing=BillingMode.ON_DEMAND, reclaim_at=NOW),),
            None,
            id="an on-demand machine is not taken back",
        ),
    ],
)
def test_a_spot_reclaim_is_told_from_the_notice_on(shown: tuple[Machine, ...], expected: Fact | None) -> None:
    assert spot_reclaim(situation(LAUNCHED, fleet=fleet(*shown)), because(Reason.RUNNING)) == expected


def priced(price: str) -> Situation:
    bargain = claim().bargain
    assert bargain is not None
    return situation(instance(claim=claim(bargain=bargain.model_copy(update={"hourly_price": price}))))


@pytest.mark.parametrize(
    ("s", "machine_id", "expected"),
    [
        pytest.param(situation(), None, Fact("False", Reason.NOT_LAUNCHED), id="nothing was launched"),
        pytest.param(situation(LAUNCHED), None, Fact("False", Reason.NOT_LAUNCHED), id="the machine is gone"),
        pytest.param(
            situation(LAUNCHED),
            "m-1",
            Fact(
                "True",
                Reason.LAUNCHED,
                "Machine m-1 was launched: RTX 4090 24GB in US-CA-06, Spot, 0.18 USD per hour.",
            ),
            id="launched, with its terms",
        ),
        pytest.param(
            priced(""),
            "m-1",
            Fact("True", Reason.LAUNCHED, "Machine m-1 was launched: RTX 4090 24GB in US-CA-06, Spot."),
            id="launched, at a price that nobody remembers",
        ),
        pytest.param(
            situation(instance(claim=claim(bargain=None))),
            "m-1",
            Fact("True", Reason.LAUNCHED, "Machine m-1 was launched."),
            id="launched, on terms that nobody remembers",
        ),
        pytest.param(
            situation(instance(status=recorded())),
            "m-1",
            Fact("True", Reason.LAUNCHED, "Machine m-1 was launched."),
            id="launched, and the claim is lost",
        ),
    ],
)
def test_launched_tells_the_machine_and_its_terms(s: Situation, machine_id: str | None, expected: Fact) -> None:
    assert launched(s, machine_id) == expected


def standing(s: Situation, reason: Reason) -> Mapping[str, str]:
    return {condition.type: condition.status for condition in conditions(s, because(reason), "m-1")}


def test_reconciling_stalled_and_spot_reclaim_stand_only_while_true() -> None:
    always = {"Ready", "Running", "CredentialsValid", "Launched"}
    s = situation(LAUNCHED, fleet=fleet(machine()))
    assert standing(s, Reason.RUNNING).keys() == always
    assert standing(s, Reason.STARTING).keys() == {*always, "Reconciling"}
    assert standing(s, Reason.FROZEN).keys() == {*always, "Stalled"}
    noticed = replace(s, fleet=fleet(machine(spot=SpotStatus.NOTIFIED)))
    assert standing(noticed, Reason.RUNNING).keys() == {*always, "SpotReclaim"}


def test_each_type_stands_once() -> None:
    types = [condition.type for condition in conditions(situation(LAUNCHED), because(Reason.STARTING), "m-1")]
    assert sorted(types) == sorted(set(types))


def dated(before: Mapping[str, Any] | None) -> Any:  # noqa: ANN401  a date or nothing
    subject = instance(generation=3, status={"conditions": [before] if before else []})
    made = {c.type: c for c in conditions(situation(subject), because(Reason.RUNNING), None)}[ConditionType.READY]
    assert (made.status, made.reason, made.message, made.observed_generation) == ("True", "Running", "A sentence.", 3)
    return made.last_transition_time


LONG_AGO = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param(None, NOW, id="a new condition is dated now"),
        pytest.param({"type": "Ready", "status": "True"}, LONG_AGO, id="the same status keeps its date"),
        pytest.param({"type": "Ready", "status": "False"}, NOW, id="another status is dated now"),
        pytest.param({"type": "Running", "status": "True"}, NOW, id="another condition's date is its own"),
    ],
)
def test_a_date_moves_only_with_the_status(before: dict[str, Any] | None, expected: Any):  # noqa: ANN401  see dated
    old = before and {**before, "reason": "Stopped", "lastTransitionTime": LONG_AGO}
    assert dated(old) == expected
