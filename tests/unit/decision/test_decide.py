from typing import Any

import pytest

from build import BOOT, NAME, NOW, OTHER_NAME, claim, fleet, instance, machine, market, recorded, situation, spec
from novita_operator.decision.decide import RULES, decide
from novita_operator.decision.situation import Account, Situation
from novita_operator.model.claim import PAUSED_ANNOTATION
from novita_operator.model.machine import MachineState

PAUSED = {PAUSED_ANNOTATION: "true"}
DUPLICATE = machine(id="m-2", name=OTHER_NAME)


def test_the_order_of_thought() -> None:
    assert [rule.__name__ for rule in RULES] == [
        "paused",
        "blind",
        "lost_claim",
        "unresolved_claim",
        "duplicate",
        "release",
        "lost",
        "in_motion",
        "startup_timeout",
        "launch",
        "power",
    ]


def launched(**fields: Any) -> Situation:
    return situation(instance(claim=claim(), status=recorded(), **fields), fleet=fleet(machine()))


@pytest.mark.parametrize(
    ("first", "second", "s"),
    [
        pytest.param(
            "paused", "blind", situation(instance(annotations={**PAUSED}), fleet=None), id="a freeze before blindness"
        ),
        pytest.param(
            "paused",
            "release",
            situation(
                instance(claim=claim(), status=recorded(), annotations={**PAUSED}, deletionTimestamp=NOW),
                fleet=fleet(machine()),
            ),
            id="a freeze before a deletion",
        ),
        pytest.param(
            "blind",
            "lost_claim",
            situation(instance(claim=claim(), finalizer=False), account=Account(key_accepted=False)),
            id="blindness before what was lost",
        ),
        pytest.param(
            "blind",
            "release",
            situation(instance(deletionTimestamp=NOW, finalizer=True), fleet=fleet(begun=BOOT - 100)),
            id="blindness before a deletion",
        ),
        pytest.param(
            "lost_claim",
            "unresolved_claim",
            situation(instance(claim=claim(), finalizer=False), trace_seen=BOOT),
            id="the finalizer before the outcome",
        ),
        pytest.param(
            "lost_claim",
            "launch",
            situation(remembered=claim(), market=market()),
            id="a lost claim is never launched over",
        ),
        pytest.param(
            "unresolved_claim",
            "duplicate",
            situation(instance(claim=claim()), fleet=fleet(DUPLICATE)),
            id="the outcome before a duplicate",
        ),
        pytest.param(
            "unresolved_claim",
            "release",
            situation(instance(claim=claim(), deletionTimestamp=NOW), trace_seen=BOOT),
            id="the outcome before a deletion",
        ),
        pytest.param(
            "unresolved_claim",
            "launch",
            situation(instance(claim=claim()), trace_seen=BOOT, market=market()),
            id="the outcome before another launch",
        ),
        pytest.param(
            "duplicate",
            "release",
            situation(
                instance(claim=claim(), status=recorded(), spec=spec(deletionPolicy="Retain"), deletionTimestamp=NOW),
                fleet=fleet(machine(), DUPLICATE),
            ),
            id="a duplicate before what is retained",
        ),
        pytest.param(
            "duplicate",
            "lost",
            situation(instance(claim=claim(), status=recorded()), fleet=fleet(DUPLICATE)),
            id="a duplicate before a loss",
        ),
        pytest.param(
            "duplicate",
            "power",
            situation(
                instance(claim=claim(), status=recorded(), spec=spec(powerState="Stopped")),
                fleet=fleet(machine(), DUPLICATE),
            ),
            id="a duplicate before a stop",
        ),
        pytest.param(
            "release",
            "lost",
            situation(instance(claim=claim(), status=recorded(), deletionTimestamp=NOW)),
            id="a deletion before a loss",
        ),
        pytest.param(
            "release",
            "launch",
            situation(instance(deletionTimestamp=NOW, finalizer=True), market=market()),
            id="a deleted object launches nothing",
        ),
        pytest.param("release", "power", launched(deletionTimestamp=NOW), id="a deletion before power"),
        pytest.param(
            "lost",
            "launch",
            situation(instance(claim=claim(), status=recorded()), market=market()),
            id="what is not shown is not launched anew",
        ),
        pytest.param(
            "in_motion",
            "startup_timeout",
            situation(
                instance(claim=claim(), status=recorded()),
                fleet=fleet(machine(MachineState.PULLING)),
                deleted={"m-1": BOOT - 1},
            ),
            id="what is being deleted is not given up once more",
        ),
        pytest.param(
            "in_motion",
            "power",
            situation(
                instance(claim=claim(), status=recorded(), spec=spec(powerState="Stopped")),
                fleet=fleet(machine()),
                deleted={"m-1": BOOT},
            ),
            id="what is being deleted is not stopped",
        ),
    ],
)
def test_where_two_rules_could_speak_the_first_one_does(first: str, second: str, s: Situation) -> None:
    rules = {rule.__name__: rule for rule in RULES}
    said = rules[first](s)
    assert said is not None
    assert rules[second](s) not in {None, said}
    assert decide(s) == said


def test_when_a_machine_that_timed_out_is_proved_absent_the_next_is_launched() -> None:
    s = situation(instance(claim=claim(), status=recorded()), proved_gone=NAME, deleted={"m-1": BOOT - 60})
    assert decide(s).message == "Looking for an offer."
