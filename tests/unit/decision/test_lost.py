from typing import Any

import pytest

from build import BOOT, NAME, OTHER_NAME, claim, fleet, foreign, instance, machine, market, recorded, situation, spec
from novita_operator.decision.actions import Action, AwaitList, Decision, Launch, ReadAlone, Rest
from novita_operator.decision.decide import decide
from novita_operator.decision.rules.lost import lost
from novita_operator.decision.situation import Reading, Situation
from novita_operator.model.machine import MachineState
from novita_operator.model.reasons import Reason

LAUNCHED = instance(claim=claim(), status=recorded())
VANISHED = f"Machine {NAME} is not in Novita's list: making sure before it is replaced."


def vanished(action: Action, **fields: Any) -> Decision:
    return Decision(action, Reason.VANISHED, VANISHED, **fields)


def not_shown_yet(again: float) -> Decision:
    text = "The machine was launched; Novita's list does not show it yet."
    return Decision(Rest(), Reason.STARTING, text, again=again, quiet=True)


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(
            situation(LAUNCHED, trace_seen=BOOT - 10.5),
            not_shown_yet(59.5),
            id="a list may lag behind a launch, silently",
        ),
        pytest.param(
            situation(LAUNCHED, trace_seen=BOOT - 40, fleet=fleet(begun=BOOT - 31)),
            not_shown_yet(30.0),
            id="time alone tells nothing: it takes a list",
        ),
        pytest.param(
            situation(LAUNCHED, trace_seen=BOOT - 11),
            vanished(Rest(), again=59.0),
            id="a list begun after the list lag says it",
        ),
        pytest.param(
            situation(LAUNCHED, trace_seen=BOOT - 70.5),
            vanished(AwaitList()),
            id="a list begun before window and lag were over does not count",
        ),
        pytest.param(
            situation(LAUNCHED, trace_seen=BOOT - 71),
            vanished(ReadAlone(NAME, "m-1", BOOT - 1)),
            id="a list that counts is followed by a single read, by id",
        ),
        pytest.param(
            situation(LAUNCHED, alone=Reading(NAME, BOOT - 1, machine())),
            vanished(AwaitList()),
            id="a single read that shows it sends back to the list",
        ),
        pytest.param(
            situation(LAUNCHED, alone=Reading(NAME, BOOT - 5, machine())),
            vanished(ReadAlone(NAME, "m-1", BOOT - 1)),
            id="each further list is followed by its own single read",
        ),
        pytest.param(
            situation(LAUNCHED, alone=Reading(OTHER_NAME, BOOT - 1, None)),
            vanished(ReadAlone(NAME, "m-1", BOOT - 1)),
            id="a single read of another machine proves nothing",
        ),
        pytest.param(
            situation(LAUNCHED, trace_seen=BOOT - 73, alone=Reading(NAME, BOOT - 3.5, None)),
            vanished(ReadAlone(NAME, "m-1", BOOT - 1)),
            id="a single read after a list that did not count proves nothing",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(suspect=True)),
            Decision(Rest(), Reason.BRAKED, "Too many machines vanished from Novita's list at once to believe it."),
            id="when much vanishes at once nothing is concluded",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(foreign(id="m-1"))),
            Decision(
                Rest(),
                Reason.NOT_OURS,
                "Machine m-1 no longer bears the name and the mark that the operator gave it: it is not touched.",
            ),
            id="a machine that lost its mark is there, but not ours",
        ),
        pytest.param(
            situation(
                instance(claim=claim(), status=recorded(), spec=spec(powerState="Stopped")), trace_seen=BOOT - 71
            ),
            vanished(ReadAlone(NAME, "m-1", BOOT - 1)),
            id="a stopped machine is missed as well",
        ),
    ],
)
def test_what_a_list_does_not_show_is_not_gone(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(
            situation(LAUNCHED, alone=Reading(NAME, BOOT - 1, None), market=market()), id="two readings do not show it"
        ),
        pytest.param(
            situation(LAUNCHED, trace_seen=BOOT - 71, alone=Reading(NAME, BOOT - 1, None), market=market()),
            id="two readings of just the right age do not show it",
        ),
        pytest.param(
            situation(LAUNCHED, alone=Reading(NAME, BOOT - 1, machine(MachineState.REMOVED)), market=market()),
            id="the single read says removed",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(MachineState.REMOVED)), trace_seen=BOOT - 1, market=market()),
            id="the list says removed",
        ),
        pytest.param(
            situation(LAUNCHED, proved_gone=NAME, trace_seen=BOOT - 1, market=market()), id="it was proved before"
        ),
    ],
)
def test_a_machine_that_is_proved_absent_is_replaced(s: Situation) -> None:
    action = decide(s).action
    assert isinstance(action, Launch)
    assert (action.launch, action.retry) == (2, 1)


def test_another_machine_s_proof_is_none() -> None:
    assert decide(situation(LAUNCHED, proved_gone=OTHER_NAME)) == vanished(ReadAlone(NAME, "m-1", BOOT - 1))


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(situation(), id="nothing was launched"),
        pytest.param(situation(instance(status=recorded())), id="there is no claim"),
        pytest.param(situation(instance(claim=claim())), id="nothing is recorded"),
        pytest.param(situation(LAUNCHED, fleet=fleet(machine())), id="it is shown"),
    ],
)
def test_nothing_is_lost(s: Situation) -> None:
    assert lost(s) is None
