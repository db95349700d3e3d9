from typing import Any

import pytest

from build import BOOT, NAME, NOW, OTHER_NAME, claim, fleet, foreign, instance, machine, recorded, situation, spec
from novita_operator.decision.actions import (
    Action,
    AwaitList,
    Decision,
    Delete,
    DeleteCause,
    ReadAlone,
    ReadKin,
    Release,
    Rest,
)
from novita_operator.decision.decide import decide
from novita_operator.decision.situation import CallResult, CreateCall, Kin, Reading, Situation
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import GOING_AWAY, MachineState
from novita_operator.model.reasons import Reason

BEING_DELETED = "The machine is being deleted at Novita."


def deleting(**fields: Any) -> GpuInstance:
    return instance(**{"claim": claim(), "status": recorded(), "deletionTimestamp": NOW, **fields})


def retaining(**fields: Any) -> GpuInstance:
    return deleting(spec=spec(deletionPolicy="Retain"), **fields)


def step(action: Action, message: str = BEING_DELETED, **fields: Any) -> Decision:
    return Decision(action, Reason.DELETING, message, **{"quiet": True, **fields})


def deletes(machine_id: str = "m-1") -> Decision:
    return step(Delete(machine_id, DeleteCause.RESOURCE_DELETED))


def releases(*retained: str) -> Decision:
    return step(Release(retained), "No machine is left to delete.")


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(situation(deleting(), fleet=fleet(machine())), deletes(), id="the machine goes first"),
        *(
            pytest.param(
                situation(deleting(), fleet=fleet(machine(state))),
                deletes(),
                id=f"a machine that is {state} is deleted",
            )
            for state in MachineState
            if state is not MachineState.REMOVED
        ),
        pytest.param(
            situation(deleting(finalizers=[]), fleet=fleet(machine())),
            deletes(),
            id="the machine goes even if somebody took the finalizer",
        ),
        pytest.param(
            situation(deleting(claim=None, status={}, finalizer=True), fleet=fleet(machine())),
            deletes(),
            id="the machine goes even if claim and status are lost",
        ),
        pytest.param(
            situation(
                deleting(), fleet=fleet(machine(), machine(id="m-2", name=OTHER_NAME)), deleted={"m-1": BOOT - 1}
            ),
            deletes("m-2"),
            id="every machine with the mark goes",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(machine(), suspect=True)),
            deletes(),
            id="what a suspect list shows is deleted",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(machine(), begun=BOOT - 60), version_read=BOOT),
            deletes(),
            id="what a list shows is deleted, though it was read before the deletion was seen",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(machine()), deleted={"m-1": BOOT - 0.5}),
            step(Rest()),
            id="a delete that Novita acknowledged is not repeated while the list still shows the machine",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(machine()), deleted={"m-1": BOOT - 11}),
            step(Rest()),
            id="a list begun within the lag does not say that the delete did not take",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(machine()), deleted={"m-1": BOOT - 11.5}),
            deletes(),
            id="a delete that did not take is repeated: a list begun later than the lag shows the machine going on",
        ),
        *(
            pytest.param(
                situation(deleting(), fleet=fleet(machine(state)), deleted={"m-1": BOOT - 9999}),
                step(Rest()),
                id=f"a delete that took is not repeated, however long the machine is {state}",
            )
            for state in sorted(GOING_AWAY)
        ),
        pytest.param(
            situation(deleting(), deleted={"m-1": BOOT - 0.5}),
            step(AwaitList()),
            id="a list begun before the acknowledgement proves nothing",
        ),
        pytest.param(
            situation(deleting(), deleted={"m-1": BOOT - 1}, trace_seen=BOOT),
            step(ReadAlone(NAME, "m-1", BOOT - 1)),
            id="after an acknowledged delete a list counts at any age, and a single read must follow",
        ),
        pytest.param(
            situation(deleting(), deleted={"m-1": BOOT - 1}, trace_seen=BOOT, alone=Reading(NAME, BOOT - 1, machine())),
            step(AwaitList()),
            id="while a single read shows the machine the finalizer stays",
        ),
        pytest.param(
            situation(deleting(), deleted={"m-1": BOOT - 1}, trace_seen=BOOT, alone=Reading(NAME, BOOT - 1, None)),
            releases(),
            id="two readings after the acknowledgement release the object",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(machine(MachineState.REMOVED)), trace_seen=BOOT),
            releases(),
            id="Novita's word that the machine is removed releases the object",
        ),
        pytest.param(
            situation(deleting(), trace_seen=BOOT),
            step(Rest(), again=70.0),
            id="a machine that is not shown is not gone: never by age",
        ),
        pytest.param(
            situation(deleting()),
            step(ReadAlone(NAME, "m-1", BOOT - 1)),
            id="a machine that vanished is asked for alone",
        ),
        pytest.param(
            situation(deleting(), alone=Reading(NAME, BOOT - 1, None)),
            releases(),
            id="a machine proved absent holds nothing back",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(suspect=True)),
            Decision(Rest(), Reason.BRAKED, "Too many machines vanished from Novita's list at once to believe it."),
            id="from a suspect list nothing is concluded",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(suspect=True), proved_gone=NAME),
            step(AwaitList()),
            id="no finalizer goes by a suspect list",
        ),
        pytest.param(
            situation(deleting(), fleet=fleet(foreign(id="m-1"))),
            Decision(
                Rest(),
                Reason.NOT_OURS,
                "Machine m-1 no longer bears the name and the mark that the operator gave it: it is not touched.",
            ),
            id="a machine that lost its mark is not touched, and the object waits",
        ),
        pytest.param(
            situation(deleting(claim=None, finalizer=True)),
            step(ReadAlone(NAME, "m-1", BOOT - 1)),
            id="a machine that only status remembers is looked for",
        ),
        pytest.param(
            situation(deleting(claim=None, status={}, finalizer=True)),
            releases(),
            id="an object that never launched is released",
        ),
        pytest.param(
            situation(deleting(claim=None, status=recorded(instanceId=None), finalizer=True)),
            releases(),
            id="an object whose machine is gone from status is released",
        ),
        pytest.param(
            situation(
                deleting(claim=None, status={}, finalizer=True), fleet=fleet(begun=BOOT - 2), version_read=BOOT - 1.5
            ),
            step(AwaitList()),
            id="no finalizer goes by a list from before this version of the object",
        ),
        pytest.param(
            situation(deleting(claim=None, status={}, finalizer=True), version_read=BOOT - 1),
            releases(),
            id="a list begun with this version of the object is young enough",
        ),
        pytest.param(
            situation(deleting(claim=None, status={}), version_read=BOOT),
            step(Rest(), "No machine is left; others still hold the object."),
            id="an object without our finalizer is others' business",
        ),
        pytest.param(
            situation(deleting(status={}), create_call=CreateCall(NAME, CallResult.NOT_DONE), trace_seen=BOOT),
            releases(),
            id="a launch known not done holds nothing back",
        ),
        pytest.param(
            situation(deleting(claim=None, status={}, finalizer=True), remembered=claim(), trace_seen=BOOT),
            step(Rest(), again=70.0),
            id="a claim that was stripped while its launch was open is resolved first",
        ),
        pytest.param(
            situation(
                deleting(claim=None, status={}, finalizer=True),
                remembered=claim(),
                create_call=CreateCall(OTHER_NAME, CallResult.NOT_DONE),
            ),
            step(ReadAlone(NAME, None, BOOT - 1)),
            id="a stripped claim is looked for by name",
        ),
        pytest.param(
            situation(
                deleting(claim=None, status={}, finalizer=True),
                remembered=claim(),
                alone=Reading(NAME, BOOT - 1, None),
            ),
            releases(),
            id="a stripped claim that led to nothing holds nothing back",
        ),
        pytest.param(
            situation(
                deleting(claim=None, status={}, finalizer=True),
                remembered=claim(),
                create_call=CreateCall(NAME, CallResult.NOT_DONE),
                trace_seen=BOOT,
            ),
            releases(),
            id="a stripped claim whose call was not done holds nothing back",
        ),
        pytest.param(
            situation(deleting(claim=None, finalizer=True), remembered=claim(), proved_gone=NAME, trace_seen=BOOT),
            releases(),
            id="a stripped claim whose machine was recorded is no open launch",
        ),
        pytest.param(
            situation(
                deleting(claim=None, finalizer=True),
                remembered=claim(),
                deleted={"m-1": BOOT - 5},
                alone=Reading(NAME, BOOT - 1, None),
                trace_seen=BOOT - 10,
            ),
            releases(),
            id="nor is its absence proved later than that of the recorded machine",
        ),
        pytest.param(
            situation(
                deleting(claim=claim(launch=2), finalizer=True), remembered=claim(machine=OTHER_NAME), proved_gone=NAME
            ),
            releases(),
            id="the claim on the object goes before what is remembered",
        ),
        pytest.param(
            situation(retaining(), fleet=fleet(machine())), releases("m-1"), id="Retain notes the machine and lets go"
        ),
        pytest.param(
            situation(retaining(), fleet=fleet()),
            releases("m-1"),
            id="Retain notes the recorded machine even if the list does not show it",
        ),
        pytest.param(
            situation(
                retaining(claim=None, status={}, finalizer=True),
                fleet=fleet(machine(), machine(id="m-2", name=OTHER_NAME)),
            ),
            releases("m-1", "m-2"),
            id="Retain without a claim notes every machine with the mark",
        ),
        pytest.param(
            situation(retaining(), fleet=fleet(machine(), machine(MachineState.REMOVING, id="m-2", name=OTHER_NAME))),
            releases("m-1"),
            id="Retain does not note a duplicate that is being removed",
        ),
        pytest.param(
            situation(
                retaining(), fleet=fleet(machine(), machine(id="m-2", name=OTHER_NAME)), deleted={"m-2": BOOT - 1}
            ),
            releases("m-1"),
            id="Retain does not note a duplicate that was deleted",
        ),
        pytest.param(
            situation(retaining(), fleet=fleet(machine()), deleted={"m-1": BOOT - 1}),
            releases(),
            id="Retain does not note the machine while its delete may take",
        ),
        pytest.param(
            situation(retaining(), fleet=fleet(machine()), deleted={"m-1": BOOT - 11.5}),
            releases("m-1"),
            id="Retain notes a machine whose delete did not take",
        ),
        pytest.param(
            situation(retaining(), fleet=fleet(machine(MachineState.TO_REMOVE))),
            releases(),
            id="Retain does not note a machine that is being removed",
        ),
        pytest.param(
            situation(retaining(), deleted={"m-1": BOOT - 1}),
            releases(),
            id="Retain does not note a recorded machine that was deleted",
        ),
        pytest.param(
            situation(retaining(claim=None, status={}, finalizer=True)), releases(), id="Retain with nothing to retain"
        ),
        pytest.param(
            situation(retaining(), fleet=fleet(machine(), begun=BOOT - 2), version_read=BOOT - 1.5),
            step(AwaitList()),
            id="Retain too waits for a list that may show a machine more",
        ),
        pytest.param(
            situation(retaining(finalizers=[]), fleet=fleet(machine())),
            step(Rest(), "No machine is left; others still hold the object."),
            id="Retain touches no machine of an object without our finalizer",
        ),
        pytest.param(
            situation(retaining(claim=None, status={}, finalizer=True), remembered=claim(), trace_seen=BOOT),
            step(Rest(), again=70.0),
            id="Retain waits for an open launch, else it could not note the machine",
        ),
        pytest.param(
            situation(deleting(claim=None, status={}, finalizer=True), is_newborn=False),
            step(ReadKin(BOOT - 1)),
            id="where nothing names a machine, all of the object are asked for",
        ),
        pytest.param(
            situation(deleting(claim=None, finalizer=True), is_newborn=False, proved_gone=NAME),
            step(ReadKin(BOOT - 1)),
            id="the machine in status is gone; without a claim nobody knows what was launched after it",
        ),
        pytest.param(
            situation(
                deleting(claim=None, status={}, finalizer=True), is_newborn=False, kin=Kin(BOOT - 1, is_shown=False)
            ),
            releases(),
            id="and when there is none it goes",
        ),
        pytest.param(
            situation(retaining(claim=None, status={}, finalizer=True), fleet=fleet(machine()), is_newborn=False),
            releases("m-1"),
            id="Retain asks for no more than the list shows",
        ),
        *(
            pytest.param(
                situation(deleting(claim=claim(), status=status), proved_gone=NAME, is_newborn=False, **known),
                expected,
                id=why,
            )
            for why, status, known, expected in (
                (
                    "a claim without a record may hide another launch",
                    {},
                    {},
                    step(ReadKin(BOOT - 1)),
                ),
                ("and when there is none, it goes", {}, {"kin": Kin(BOOT - 1, is_shown=False)}, releases()),
                (
                    "of a launch that was not done nothing is left",
                    {},
                    {"create_call": CreateCall(NAME, CallResult.NOT_DONE)},
                    releases(),
                ),
                (
                    "a claim that was put back says nothing of the later launch",
                    recorded(machineName=OTHER_NAME, launches=2),
                    {"create_call": CreateCall(NAME, CallResult.NOT_DONE)},
                    step(ReadKin(BOOT - 1)),
                ),
                (
                    "not even if its machine is the recorded one",
                    recorded(launches=2),
                    {},
                    step(ReadKin(BOOT - 1)),
                ),
            )
        ),
    ],
)
def test_a_deletion_takes_the_machine_first_and_the_finalizer_last(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


@pytest.mark.parametrize("power", ["Running", "Stopped"])
def test_a_deleted_object_neither_launches_nor_starts(power: str) -> None:
    subject = deleting(spec=spec(powerState=power))
    assert decide(situation(subject, proved_gone=NAME)) == releases()
    assert decide(situation(subject, fleet=fleet(machine(MachineState.EXITED)))) == deletes()
