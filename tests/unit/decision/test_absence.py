from dataclasses import replace
from typing import Any

import pytest

from build import (
    BOOT,
    MACHINE_ID,
    NAME,
    OTHER_NAME,
    POLICY,
    claim,
    fleet,
    foreign,
    instance,
    machine,
    recorded,
    situation,
)
from novita_operator.decision.absence import counts_from, find_out, is_absent, look_for_kin
from novita_operator.decision.actions import Action, AwaitList, Decision, ReadAlone, ReadKin, Rest
from novita_operator.decision.situation import Kin, Reading, Situation, Trace
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import MachineState
from novita_operator.model.reasons import Reason

RECORDED = Trace(NAME, MACHINE_ID)
NAMED = Trace(NAME, None)
READ = Reading(NAME, BOOT - 1, None)
REMOVED = machine(MachineState.REMOVED)


@pytest.mark.parametrize(
    ("trace", "s"),
    [
        pytest.param(RECORDED, situation(alone=READ), id="list and single read, both late enough, do not show it"),
        pytest.param(NAMED, situation(alone=READ), id="the same by name"),
        pytest.param(RECORDED, situation(alone=READ, trace_seen=BOOT - 71), id="the list began just late enough"),
        pytest.param(
            RECORDED,
            situation(alone=READ, trace_seen=BOOT - 7, policy=replace(POLICY, claim_window=5.0, list_lag=1.0)),
            id="late enough is the window and the lag, as set",
        ),
        pytest.param(
            RECORDED,
            situation(alone=READ, trace_seen=BOOT, deleted={MACHINE_ID: BOOT - 1}),
            id="after an acknowledged delete readings count at any age",
        ),
        pytest.param(RECORDED, situation(alone=READ._replace(machine=REMOVED)), id="the single read says removed"),
        pytest.param(
            RECORDED, situation(fleet=fleet(REMOVED), trace_seen=BOOT), id="the list says removed, of this id"
        ),
        pytest.param(RECORDED, situation(proved_gone=NAME, trace_seen=BOOT), id="it was proved before"),
        pytest.param(
            RECORDED,
            situation(alone=READ, fleet=fleet(machine(id="m-9", name=OTHER_NAME))),
            id="another machine of ours is another machine",
        ),
        pytest.param(
            NAMED,
            situation(alone=READ, fleet=fleet(foreign(name=NAME))),
            id="the name without the mark is not shown",
        ),
        pytest.param(
            NAMED, situation(alone=READ, fleet=fleet(REMOVED)), id="the name of a removed machine is not shown"
        ),
        pytest.param(
            RECORDED,
            situation(alone=READ, fleet=fleet(suspect=True)),
            id="two readings hold though a later list is suspect",
        ),
    ],
)
def test_it_is_absent(trace: Trace, s: Situation) -> None:
    assert is_absent(s, trace)


@pytest.mark.parametrize(
    ("trace", "s"),
    [
        pytest.param(RECORDED, situation(), id="the list alone does not prove it"),
        pytest.param(RECORDED, situation(alone=READ, trace_seen=BOOT - 70.5), id="the list began too early"),
        pytest.param(RECORDED, situation(alone=READ._replace(name=OTHER_NAME)), id="another machine was asked for"),
        pytest.param(RECORDED, situation(alone=READ._replace(machine=machine())), id="the single read shows it"),
        pytest.param(RECORDED, situation(alone=READ, fleet=fleet(machine())), id="a later list shows it"),
        pytest.param(
            RECORDED, situation(proved_gone=NAME, fleet=fleet(machine())), id="it came back, whatever was proved before"
        ),
        pytest.param(NAMED, situation(proved_gone=NAME, fleet=fleet(machine())), id="it came back, known by name"),
        pytest.param(
            RECORDED,
            situation(alone=READ, fleet=fleet(foreign(id=MACHINE_ID))),
            id="whatever bears the id is shown, name and mark or not",
        ),
        pytest.param(
            RECORDED,
            situation(alone=READ, fleet=fleet(machine(id="m-9"))),
            id="whatever bears the name and the mark is shown, under another id or not",
        ),
        pytest.param(RECORDED, situation(proved_gone=NAME, fleet=None), id="without a list nothing is absent"),
        pytest.param(RECORDED, situation(proved_gone=OTHER_NAME), id="another machine was proved gone"),
        pytest.param(
            RECORDED,
            situation(alone=READ, deleted={MACHINE_ID: BOOT - 0.5}),
            id="the list began before the acknowledgement",
        ),
        pytest.param(
            RECORDED,
            situation(alone=READ, trace_seen=BOOT, deleted={"m-2": BOOT - 9}),
            id="another machine's delete was acknowledged",
        ),
        pytest.param(
            NAMED,
            situation(fleet=fleet(REMOVED)),
            id="without an id the list's word that something is removed proves nothing",
        ),
    ],
)
def test_it_is_not_proved_absent(trace: Trace, s: Situation) -> None:
    assert not is_absent(s, trace)


def decided(action: Action, **fields: Any) -> Decision:
    return Decision(action, Reason.VANISHED, "Looking.", **fields)


@pytest.mark.parametrize(
    ("trace", "s", "expected"),
    [
        pytest.param(RECORDED, situation(trace_seen=BOOT - 69), decided(Rest(), again=1.0), id="it is too early"),
        pytest.param(RECORDED, situation(trace_seen=BOOT - 70), decided(AwaitList()), id="from now on lists count"),
        pytest.param(RECORDED, situation(fleet=None), decided(AwaitList()), id="there is no list"),
        pytest.param(
            RECORDED,
            situation(trace_seen=BOOT - 71),
            decided(ReadAlone(NAME, MACHINE_ID, BOOT - 1)),
            id="the list counts",
        ),
        pytest.param(NAMED, situation(), decided(ReadAlone(NAME, None, BOOT - 1)), id="by name where no id is known"),
        pytest.param(
            RECORDED,
            situation(alone=READ._replace(machine=machine())),
            decided(AwaitList()),
            id="the single read after this very list showed it: another list must come",
        ),
        pytest.param(
            RECORDED,
            situation(alone=Reading(OTHER_NAME, BOOT - 1, machine())),
            decided(ReadAlone(NAME, MACHINE_ID, BOOT - 1)),
            id="a single read of another machine says nothing",
        ),
        pytest.param(
            RECORDED,
            situation(alone=Reading(NAME, BOOT - 1, None), fleet=fleet(suspect=True)),
            Decision(Rest(), Reason.BRAKED, "Too many machines vanished from Novita's list at once to believe it."),
            id="when much vanishes at once nothing is asked",
        ),
        pytest.param(
            RECORDED,
            situation(fleet=fleet(foreign(id=MACHINE_ID), suspect=True)),
            Decision(
                Rest(),
                Reason.NOT_OURS,
                "Machine m-1 no longer bears the name and the mark that the operator gave it: it is not touched.",
            ),
            id="a machine that lost its mark is shown, suspect list or not",
        ),
    ],
)
def test_the_next_step_towards_knowing(trace: Trace, s: Situation, expected: Decision) -> None:
    assert find_out(s, trace, Reason.VANISHED, "Looking.") == expected


@pytest.mark.parametrize("seconds", [69, 70, 71])
def test_looking_can_be_silent(seconds: float) -> None:
    loud = find_out(situation(trace_seen=BOOT - seconds), RECORDED, Reason.VANISHED, "Looking.")
    assert find_out(situation(trace_seen=BOOT - seconds), RECORDED, Reason.VANISHED, "Looking.", quiet=True) == replace(
        loud, quiet=True
    )


def test_readings_count_from_the_first_sight_or_from_the_acknowledgement() -> None:
    s = situation(trace_seen=100.0, deleted={MACHINE_ID: 50.0})
    assert counts_from(s, NAMED) == 170.0
    assert counts_from(s, RECORDED) == 50.0


@pytest.mark.parametrize(
    ("subject", "trace"),
    [
        pytest.param(instance(), None, id="nothing was launched"),
        pytest.param(instance(claim=claim()), NAMED, id="the claim names it, nothing is recorded"),
        pytest.param(
            instance(claim=claim(), status=recorded()), RECORDED, id="the claim names it, status knows its id"
        ),
        pytest.param(
            instance(claim=claim(), status=recorded(machineName=OTHER_NAME)),
            NAMED,
            id="a record of another counts nothing",
        ),
        pytest.param(instance(status=recorded()), RECORDED, id="status alone remembers it"),
        pytest.param(instance(status=recorded(machineName="trainer")), None, id="no name that we gave this object"),
    ],
)
def test_which_machine_the_object_was_launched_as(subject: GpuInstance, trace: Trace | None) -> None:
    assert situation(subject).trace == trace


OLD: dict[str, Any] = {"is_newborn": False, "version_read": BOOT - 2}
"""Read from the API server as it stood: somebody may have launched for it, and all that says so may be lost."""


@pytest.mark.parametrize(
    ("kin", "action"),
    [
        pytest.param(None, ReadKin(BOOT - 1), id="an object that may have lived before is asked for alone"),
        pytest.param(Kin(BOOT - 1, is_shown=False), None, id="which shows no machine"),
        pytest.param(Kin(BOOT - 2, is_shown=False), None, id="for as long as the object is the same"),
        pytest.param(Kin(BOOT - 3, is_shown=False), ReadKin(BOOT - 1), id="and of another version it says nothing"),
        pytest.param(Kin(BOOT - 1, is_shown=True), AwaitList(), id="or shows one that slipped between two pages"),
        pytest.param(Kin(BOOT - 2, is_shown=True), ReadKin(BOOT - 1), id="which the next list may show or not"),
    ],
)
def test_where_nothing_names_a_machine_the_second_reading_asks_for_all_of_the_object(
    kin: Kin | None, action: AwaitList | ReadKin | None
) -> None:
    said = look_for_kin(situation(kin=kin, **OLD), OLD["version_read"], Reason.LAUNCHING, "why")
    assert said == (None if action is None else Decision(action, Reason.LAUNCHING, "why", quiet=True))


def test_without_a_list_there_is_no_second_reading() -> None:
    said = look_for_kin(situation(fleet=None, is_newborn=False), 0, Reason.LAUNCHING, "why")
    assert said == Decision(AwaitList(), Reason.LAUNCHING, "why", quiet=True)


def test_what_nobody_ever_wrote_to_has_no_machine() -> None:
    assert look_for_kin(situation(), 0, Reason.LAUNCHING, "why") is None
