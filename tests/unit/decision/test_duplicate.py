import pytest

from build import BOOT, NAME, NOW, OTHER_NAME, claim, fleet, foreign, instance, machine, recorded, situation, spec
from novita_operator.decision.actions import Decision, Delete, DeleteCause, PutBack, Rest
from novita_operator.decision.decide import decide
from novita_operator.decision.situation import Situation
from novita_operator.model.machine import MachineState
from novita_operator.model.reasons import Reason

LAUNCHED = instance(claim=claim(), status=recorded())
RETAINING = instance(claim=claim(), status=recorded(), spec=spec(deletionPolicy="Retain"), deletionTimestamp=NOW)
DUPLICATE = machine(id="m-2", name=OTHER_NAME)


def deletes(machine_id: str) -> Decision:
    return Decision(
        Delete(machine_id, DeleteCause.DUPLICATE),
        Reason.DUPLICATE,
        f"Machine {machine_id} bears this resource's mark, but the claim names another: deleted.",
    )


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(), DUPLICATE)),
            deletes("m-2"),
            id="the one that the claim names stays",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(DUPLICATE)), deletes("m-2"), id="even while the claimed one is not shown"
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(), DUPLICATE, suspect=True)),
            deletes("m-2"),
            id="what a suspect list shows is deleted all the same",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(id="m-0"), machine())),
            deletes("m-0"),
            id="of two with the claimed name the recorded one stays",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(), machine(MachineState.EXITED, id="m-2", name=OTHER_NAME))),
            deletes("m-2"),
            id="a stopped duplicate has a billed disk",
        ),
        pytest.param(
            situation(
                LAUNCHED,
                fleet=fleet(machine(), DUPLICATE, machine(id="m-3", name=OTHER_NAME)),
                deleted={"m-2": BOOT - 1},
            ),
            deletes("m-3"),
            id="one after the other",
        ),
        pytest.param(
            situation(
                LAUNCHED,
                fleet=fleet(
                    machine(),
                    machine(MachineState.REMOVING, id="m-2", name=OTHER_NAME),
                    machine(id="m-3", name=OTHER_NAME),
                ),
            ),
            deletes("m-3"),
            id="one that goes already is passed by",
        ),
        pytest.param(
            situation(RETAINING, fleet=fleet(machine(), DUPLICATE)),
            deletes("m-2"),
            id="a deletion that retains retains one machine, not two",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(), DUPLICATE), deleted={"m-2": BOOT - 11.5}),
            deletes("m-2"),
            id="one whose delete did not take is deleted again",
        ),
    ],
)
def test_a_machine_with_our_mark_that_the_claim_does_not_name_is_deleted(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(), DUPLICATE), deleted={"m-2": BOOT - 1}),
            id="it was deleted a moment ago",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(), DUPLICATE), deleted={"m-2": BOOT - 11}),
            id="the list was begun within the lag after its delete",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(), machine(MachineState.TO_REMOVE, id="m-2", name=OTHER_NAME))),
            id="it is being removed",
        ),
        pytest.param(
            situation(LAUNCHED, fleet=fleet(machine(), machine(MachineState.REMOVED, id="m-2", name=OTHER_NAME))),
            id="it is removed",
        ),
        pytest.param(situation(LAUNCHED, fleet=fleet(machine(), foreign())), id="it is not ours"),
        pytest.param(situation(LAUNCHED, fleet=fleet(machine())), id="there is none"),
    ],
)
def test_the_claimed_machine_runs_on_while_the_other_needs_no_hand(s: Situation) -> None:
    assert decide(s) == Decision(Rest(), Reason.RUNNING, "The machine runs.")


def test_a_deletion_that_does_not_retain_deletes_all_for_its_own_cause() -> None:
    deleting = instance(claim=claim(), status=recorded(), deletionTimestamp=NOW)
    for shown in (fleet(machine(), DUPLICATE), fleet(DUPLICATE, machine())):
        action = decide(situation(deleting, fleet=shown)).action
        assert isinstance(action, Delete)
        assert action.cause is DeleteCause.RESOURCE_DELETED


def test_without_a_claim_no_machine_is_a_duplicate() -> None:
    action = decide(situation(instance(), fleet=fleet(machine(), DUPLICATE))).action
    assert isinstance(action, PutBack)
    assert action.claim.machine == NAME


def test_without_a_record_the_lesser_id_of_two_with_the_claimed_name_is_the_machine() -> None:
    shown = fleet(machine(id="m-8"), machine(id="m-7"))
    subject = situation(instance(claim=claim()), fleet=shown)
    assert subject.machine is not None
    assert subject.machine.id == "m-7"
    assert [stranger.id for stranger in subject.strangers] == ["m-8"]
