"""An object that came back from a backup: a new UID, perhaps no status, and the claim of an earlier life."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from build import (
    BOOT,
    CLUSTER,
    MACHINE_ID,
    NAME,
    NOW,
    OTHER_NAME,
    UID,
    claim,
    fleet,
    instance,
    machine,
    market,
    recorded,
    situation,
    spec,
)
from novita_operator.decision.actions import (
    Action,
    AwaitList,
    Decision,
    Delete,
    DeleteCause,
    Launch,
    PutBack,
    ReadAlone,
    ReadKin,
    Record,
    Release,
    Rest,
    Stop,
)
from novita_operator.decision.decide import decide
from novita_operator.decision.rules.claim import ADOPTED
from novita_operator.decision.situation import Kin, Reading, Situation
from novita_operator.model.claim import Claim
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import Machine, MachineState
from novita_operator.model.naming import Mark, machine_name
from novita_operator.model.reasons import Reason

EARLIER_UID = "99999999-1111-4222-8333-444455556666"
EARLIER_MARK = Mark(CLUSTER, "default", "trainer", EARLIER_UID)
EARLIER_NAME = machine_name(EARLIER_MARK, "aaaaaaaa")
LATER_NAME = machine_name(EARLIER_MARK, "bbbbbbbb")
"""Of a launch after the backup was made."""
BROUGHT = claim(uid=EARLIER_UID, machine=EARLIER_NAME, launch=4, retry=3)
"""The claim that the backup brought."""
LEFT = machine(name=EARLIER_NAME, mark=EARLIER_MARK)
"""The machine of the earlier life."""
ADOPTED_CLAIM = claim(machine=EARLIER_NAME, launch=4, by=ADOPTED)
LOOKING = f"Making sure what became of machine {EARLIER_NAME} before anything is launched."
NONE_THERE = Reading(EARLIER_NAME, BOOT - 1, None)


def restored(brought: Claim = BROUGHT, **fields: Any) -> GpuInstance:
    return instance(claim=brought, **fields)


def adopted(**fields: Any) -> GpuInstance:
    return instance(claim=ADOPTED_CLAIM, status=recorded(machineName=EARLIER_NAME), **fields)


def claimed(s: Situation) -> Claim:
    action = decide(s).action
    assert isinstance(action, PutBack)
    return action.claim


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(situation(restored(), fleet=fleet(LEFT)), id="with the finalizer of the backup"),
        pytest.param(situation(restored(finalizer=False), fleet=fleet(LEFT)), id="without a finalizer"),
        pytest.param(situation(restored(), fleet=fleet(LEFT, suspect=True)), id="what a suspect list shows is true"),
        pytest.param(
            situation(restored(), fleet=fleet(replace(LEFT, state=MachineState.EXITED))), id="a stopped machine"
        ),
        pytest.param(
            situation(restored(status=recorded(machineName=EARLIER_NAME, launches=4)), fleet=fleet(LEFT)),
            id="the status came back too",
        ),
        pytest.param(
            situation(restored(spec=spec(powerState="Stopped")), fleet=fleet(LEFT)), id="it is to be stopped by now"
        ),
        pytest.param(situation(restored(), fleet=fleet(LEFT), trace_seen=BOOT), id="it came this moment"),
        pytest.param(
            situation(
                restored(),
                fleet=fleet(replace(LEFT, id="m-0", name=LATER_NAME, created=NOW - timedelta(days=9)), LEFT),
            ),
            id="of two machines the one in the claim",
        ),
    ],
)
def test_the_machine_of_the_earlier_life_is_taken_over_at_once_with_what_the_claim_says_of_it(s: Situation) -> None:
    assert claimed(s) == ADOPTED_CLAIM


def test_its_retries_were_those_of_another_generation() -> None:
    assert claimed(situation(restored(generation=7), fleet=fleet(LEFT))) == claim(
        machine=EARLIER_NAME, launch=4, by=ADOPTED, generation=7
    )


def test_it_was_not_launched_in_time_to_come_whatever_the_clock_of_the_backup_said() -> None:
    """Else it would be too early for a retry, and for a startup timeout, until then."""
    ahead = restored(claim(uid=EARLIER_UID, machine=EARLIER_NAME, at=NOW + timedelta(days=300)))
    assert claimed(situation(ahead, fleet=fleet(LEFT))).at == NOW


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        pytest.param(restored(), replace(LEFT, name=LATER_NAME), id="a machine that was launched after the backup"),
        pytest.param(
            restored(claim(uid=EARLIER_UID, machine=NAME.replace(NAME[-21:-9], "0123456789ab"))),
            LEFT,
            id="a machine that the earlier life launched, though it had taken over another",
        ),
        pytest.param(
            restored(claim(uid="yet-another", machine=EARLIER_NAME)), LEFT, id="a machine of the life before that"
        ),
        pytest.param(
            instance(status=recorded(machineName=EARLIER_NAME)), LEFT, id="a machine that only a restored status names"
        ),
    ],
)
def test_a_machine_of_any_life_that_the_backup_tells_of_is_taken_over(subject: GpuInstance, left: Machine) -> None:
    assert claimed(situation(subject, fleet=fleet(left))).machine == left.name


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(situation(restored(), fleet=fleet(machine(), replace(LEFT, id="m-0"))), id="shown"),
        pytest.param(
            situation(
                restored(status=recorded(machineName=EARLIER_NAME, instanceId="m-0")),
                fleet=fleet(machine(), replace(LEFT, id="m-0")),
            ),
            id="shown, and status is older",
        ),
        pytest.param(situation(restored(), remembered=claim()), id="remembered, and not shown"),
        pytest.param(
            situation(restored(), remembered=claim(), fleet=fleet(LEFT)), id="remembered, and only the other is shown"
        ),
        pytest.param(
            situation(restored(), remembered=claim(), fleet=fleet(machine(), replace(LEFT, id="m-0"))),
            id="remembered and shown",
        ),
    ],
)
def test_a_backup_applied_over_a_living_object_does_not_take_its_machine_from_it(s: Situation) -> None:
    assert claimed(s).machine == NAME


def test_before_a_machine_of_an_earlier_life_is_taken_over_that_of_this_life_in_status_is_proved_absent() -> None:
    living = restored(status=recorded(instanceId="m-2"))
    assert decide(situation(living, fleet=fleet(LEFT))).action == ReadAlone(NAME, "m-2", BOOT - 1)
    assert claimed(situation(living, fleet=fleet(LEFT), proved_gone=NAME)).machine == EARLIER_NAME


def test_a_life_that_is_being_removed_goes_after_one_that_stays() -> None:
    going = machine(MachineState.REMOVING)
    assert claimed(situation(restored(), fleet=fleet(going, replace(LEFT, id="m-0")))).machine == EARLIER_NAME


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(replace(LEFT, mark=Mark("cluster-2", "default", "trainer", EARLIER_UID)), id="another cluster"),
        pytest.param(replace(LEFT, mark=Mark(CLUSTER, "team-b", "trainer", EARLIER_UID)), id="another namespace"),
        pytest.param(replace(LEFT, mark=Mark(CLUSTER, "default", "other", EARLIER_UID)), id="another name"),
        pytest.param(replace(LEFT, mark=None), id="no mark"),
        pytest.param(replace(LEFT, name="trainer"), id="a name that we never gave"),
        pytest.param(
            replace(
                LEFT,
                name=machine_name(Mark(CLUSTER, "default", "trainer", "third"), "aaaaaaaa"),
                mark=Mark(CLUSTER, "default", "trainer", "third"),
            ),
            id="a life that the backup does not tell of",
        ),
        pytest.param(replace(LEFT, state=MachineState.REMOVED), id="removed already"),
    ],
)
def test_the_mark_decides_whose_machine_it_is(stranger: Machine) -> None:
    s = situation(restored(), fleet=fleet(stranger), alone=NONE_THERE, kin=Kin(BOOT - 1, is_shown=False))
    assert isinstance(decide(replace(s, market=market())).action, Launch)


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(
            situation(restored(), trace_seen=BOOT - 60),
            Decision(Rest(), Reason.LAUNCH_UNCERTAIN, LOOKING, again=10.0),
            id="no list says anything before the window and the lag are over",
        ),
        pytest.param(
            situation(restored(), trace_seen=BOOT - 70.5),
            Decision(AwaitList(), Reason.LAUNCH_UNCERTAIN, LOOKING),
            id="a list begun before that does not count",
        ),
        pytest.param(
            situation(restored()),
            Decision(ReadAlone(EARLIER_NAME, None, BOOT - 1), Reason.LAUNCH_UNCERTAIN, LOOKING),
            id="then it is asked for alone",
        ),
        pytest.param(
            situation(restored(status=recorded(machineName=EARLIER_NAME, instanceId="m-9"))),
            Decision(ReadAlone(EARLIER_NAME, None, BOOT - 1), Reason.LAUNCH_UNCERTAIN, LOOKING),
            id="by name alone: an id out of an earlier life may be another's by now",
        ),
        pytest.param(
            situation(restored(status=recorded(instanceId=None)), proved_gone=NAME),
            Decision(ReadAlone(EARLIER_NAME, None, BOOT - 1), Reason.LAUNCH_UNCERTAIN, LOOKING),
            id="as well as the machine that status names",
        ),
        pytest.param(
            situation(restored(), alone=NONE_THERE),
            Decision(
                ReadKin(BOOT - 1), Reason.LAUNCHING, "Making sure that no machine was launched before.", quiet=True
            ),
            id="and with it whatever else it launched, though nobody has written to the object yet",
        ),
        pytest.param(
            situation(restored(), fleet=fleet(suspect=True)),
            Decision(Rest(), Reason.BRAKED, "Too many machines vanished from Novita's list at once to believe it."),
            id="a suspect list proves nothing",
        ),
    ],
)
def test_a_restored_launch_is_proved_absent_before_another(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


def test_a_restored_object_whose_machine_is_truly_gone_launches_one_anew() -> None:
    proofs = {"proved_gone": EARLIER_NAME, "kin": Kin(BOOT - 1, is_shown=False)}
    action = decide(situation(restored(), market=market(), **proofs)).action
    assert isinstance(action, Launch)
    assert action.retry == 0


def test_a_copy_under_another_name_launches_its_own_at_once() -> None:
    copy = instance(claim=BROUGHT, name="copy")
    assert copy.restored_claim is None
    assert isinstance(decide(situation(copy, fleet=fleet(LEFT), market=market())).action, Launch)


def test_a_copied_object_whose_long_name_looks_alike_never_takes_the_machine() -> None:
    long = "x" * 60
    mark = Mark(CLUSTER, "default", f"{long}-1", EARLIER_UID)
    theirs = replace(LEFT, name=machine_name(mark, "aaaaaaaa"), mark=mark)
    copy = instance(claim=claim(uid=EARLIER_UID, machine=theirs.name), name=f"{long}-2")
    assert copy.restored_claim is not None
    assert decide(situation(copy, fleet=fleet(theirs))).action == ReadAlone(theirs.name, None, BOOT - 1)


@pytest.mark.parametrize(
    ("s", "action"),
    [
        pytest.param(
            situation(instance(claim=ADOPTED_CLAIM), fleet=fleet(LEFT)), Record(MACHINE_ID), id="it is recorded"
        ),
        pytest.param(situation(adopted(), fleet=fleet(LEFT)), Rest(), id="it runs on"),
        pytest.param(
            situation(adopted(spec=spec(powerState="Stopped")), fleet=fleet(LEFT)), Stop(MACHINE_ID), id="it stops"
        ),
        pytest.param(
            situation(adopted(), fleet=fleet(LEFT, replace(LEFT, id="m-2", name=LATER_NAME))),
            Delete("m-2", DeleteCause.DUPLICATE),
            id="another of the same life is a duplicate",
        ),
        pytest.param(
            situation(adopted()), ReadAlone(EARLIER_NAME, MACHINE_ID, BOOT - 1), id="not shown, it is looked for"
        ),
        pytest.param(
            situation(adopted(deletionTimestamp=NOW), fleet=fleet(LEFT)),
            Delete(MACHINE_ID, DeleteCause.RESOURCE_DELETED),
            id="it goes with the object",
        ),
        pytest.param(
            situation(adopted(deletionTimestamp=NOW, spec=spec(deletionPolicy="Retain")), fleet=fleet(LEFT)),
            Release((MACHINE_ID,)),
            id="or is let go as the object says",
        ),
        pytest.param(
            situation(instance(status=recorded(machineName=EARLIER_NAME)), remembered=ADOPTED_CLAIM, fleet=fleet(LEFT)),
            PutBack(ADOPTED_CLAIM),
            id="its claim is put back if it is lost",
        ),
        pytest.param(
            situation(instance(finalizer=True, deletionTimestamp=NOW), remembered=ADOPTED_CLAIM, fleet=fleet(LEFT)),
            Delete(MACHINE_ID, DeleteCause.RESOURCE_DELETED),
            id="it goes with the object, though somebody wiped all that spoke of it",
        ),
    ],
)
def test_a_machine_that_was_taken_over_is_the_object_s_own(s: Situation, action: Action) -> None:
    assert decide(s).action == action


@pytest.mark.parametrize(
    ("s", "action"),
    [
        pytest.param(
            situation(restored(deletionTimestamp=NOW), fleet=fleet(LEFT)),
            Delete(MACHINE_ID, DeleteCause.RESOURCE_DELETED),
            id="the machine goes",
        ),
        pytest.param(
            situation(restored(deletionTimestamp=NOW, spec=spec(deletionPolicy="Retain")), fleet=fleet(LEFT)),
            Release((MACHINE_ID,)),
            id="or is let go",
        ),
        pytest.param(
            situation(restored(deletionTimestamp=NOW)),
            ReadAlone(EARLIER_NAME, None, BOOT - 1),
            id="one that is not shown is looked for",
        ),
        pytest.param(
            situation(
                restored(deletionTimestamp=NOW, status=recorded(machineName=EARLIER_NAME)),
                kin=Kin(BOOT - 1, is_shown=False),
            ),
            ReadAlone(EARLIER_NAME, None, BOOT - 1),
            id="though the status came back too",
        ),
        pytest.param(
            situation(
                restored(deletionTimestamp=NOW),
                alone=NONE_THERE,
                is_newborn=False,
            ),
            ReadKin(BOOT - 1),
            id="and whatever else it launched",
        ),
        pytest.param(
            situation(restored(deletionTimestamp=NOW), alone=NONE_THERE, kin=Kin(BOOT - 1, is_shown=False)),
            Release(),
            id="then the object goes",
        ),
        pytest.param(
            situation(restored(deletionTimestamp=NOW), remembered=claim(machine=OTHER_NAME)),
            ReadAlone(OTHER_NAME, None, BOOT - 1),
            id="the claim that this process saw goes before the backup's",
        ),
        *(
            pytest.param(
                situation(
                    restored(deletionTimestamp=NOW, status=status),
                    fleet=fleet(LEFT, machine(id="m-2", name=OTHER_NAME)),
                    remembered=remembered,
                    deleted={"m-2": BOOT - 1},
                ),
                Rest(),
                id=f"a backup over a launch of this life, which {witness} tells of, gives it no other machine",
            )
            for witness, status, remembered in (
                ("status", recorded(machineName=OTHER_NAME, instanceId="m-2"), None),
                ("this process", {}, claim(machine=OTHER_NAME)),
            )
        ),
    ],
)
def test_a_restored_object_that_is_deleted_before_it_took_its_machine_over(s: Situation, action: Action) -> None:
    assert decide(s).action == action


@pytest.mark.parametrize("launch", [1, 9])
def test_a_claim_that_somebody_changed_makes_a_duplicate_of_what_was_taken_over_and_no_second_machine(
    launch: int,
) -> None:
    """As with any other object: the claim decides, and until the duplicate is gone nothing is launched."""
    changed = instance(claim=claim(machine=OTHER_NAME, launch=launch), status=recorded(machineName=EARLIER_NAME))
    s = situation(changed, fleet=fleet(LEFT), proved_gone=OTHER_NAME, market=market())
    assert decide(s).action == Delete(MACHINE_ID, DeleteCause.DUPLICATE)
    assert decide(replace(s, deleted={MACHINE_ID: BOOT})).action == Rest()


def test_a_life_is_told_by_claim_and_record_and_forgotten_once_both_speak_of_the_present_one() -> None:
    assert len(restored().lives) == 2
    assert len(adopted().lives) == 2
    assert len(instance(claim=claim(), status=recorded(machineName=EARLIER_NAME)).lives) == 2
    assert len(instance(claim=claim(), status=recorded()).lives) == 1
    assert instance().uid == UID


def test_a_backup_over_a_living_object_may_give_it_a_machine_while_it_lives_and_takes_none_along() -> None:
    for deleted, lives in ((None, 2), (NOW, 1)):
        assert len(restored(status=recorded(), deletionTimestamp=deleted).lives) == lives
        assert len(situation(restored(deletionTimestamp=deleted), remembered=claim()).lives) == lives


def test_with_a_claim_of_its_own_an_object_has_the_lives_that_it_tells_of() -> None:
    s = situation(instance(claim=claim()), remembered=ADOPTED_CLAIM)
    assert s.lives == s.instance.lives
