"""Memory: what is newer stays, ages are counted from the right moment, and a new UID is a new object."""

from dataclasses import dataclass, field, replace

import pytest

from build import MACHINE_ID, NAME, NOW, OTHER_NAME, POLICY, UID, claim, fleet, instance, machine, poisoned, recorded
from novita_operator.control.clock import Clock
from novita_operator.control.memory import Memory, Sight
from novita_operator.control.workqueue import Urgency
from novita_operator.decision.situation import CallResult, CreateCall
from novita_operator.model.instance import GpuInstance

OTHER_UID = "0b9c0c0e-2222-4222-8333-444455556666"


@dataclass
class Stage:
    seconds: float = 100.0
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        self.memory = Memory(POLICY, Clock(lambda: NOW, lambda: self.seconds), started=self.seconds)

    def at(self, seconds: float, seen: GpuInstance) -> None:
        self.seconds = seconds
        self.memory.remember(seen)


def test_an_echo_of_an_older_version_changes_nothing_after_an_own_write():
    stage = Stage()
    stage.at(100, instance(resourceVersion="9"))
    stage.at(101, instance(resourceVersion="12", claim=claim()))
    before = replace(stage.memory.entries[UID])
    for version in ("9", "10", "12"):
        stage.at(102, instance(resourceVersion=version))
    assert stage.memory.entries[UID] == before


def test_versions_are_compared_as_numbers():
    stage = Stage()
    stage.at(100, instance(resourceVersion="99"))
    stage.at(101, instance(resourceVersion="100", claim=claim()))
    assert stage.memory.entries[UID].instance.claim == claim()


def test_every_newer_version_asks_for_a_list_that_is_younger():
    stage = Stage()
    stage.at(100, instance(resourceVersion="1"))
    stage.at(105, instance(resourceVersion="2"))
    assert stage.memory.situation(UID, None).version_read == 105


def test_absence_is_counted_from_the_first_sight_of_the_claim_with_its_present_record():
    stage = Stage()
    seen = []
    for number, version in enumerate(
        (
            instance(claim=claim()),
            instance(claim=claim(), labels={"a": "b"}),
            instance(claim=claim(), status=recorded()),
            instance(claim=claim(), status=recorded(state="Running")),
            instance(claim=claim(machine=OTHER_NAME), status=recorded()),
            instance(claim=claim(machine=OTHER_NAME), status=recorded(machineName=OTHER_NAME, instanceId="m-2")),
            instance(claim=claim(machine=OTHER_NAME)),
        )
    ):
        metadata = version.metadata.model_copy(update={"resource_version": str(number + 1)})
        stage.at(100.0 + number, version.model_copy(update={"metadata": metadata}))
        seen.append(stage.memory.situation(UID, None).trace_seen)
    assert seen == [100, 100, 102, 102, 104, 105, 106]


def test_absence_of_the_machine_of_an_earlier_life_is_counted_from_the_first_sight_of_its_claim():
    stage = Stage()
    seen = []
    restored = claim(uid=OTHER_UID)
    for number, version in enumerate(
        (
            instance(status=recorded()),
            instance(claim=restored, status=recorded()),
            instance(claim=restored, status=recorded(), labels={"a": "b"}),
            instance(claim=claim(uid=OTHER_UID, machine=OTHER_NAME), status=recorded()),
        )
    ):
        metadata = version.metadata.model_copy(update={"resource_version": str(number + 1)})
        stage.at(100.0 + number, version.model_copy(update={"metadata": metadata}))
        seen.append(stage.memory.situation(UID, None).trace_seen)
    assert seen == [100, 101, 101, 103]


def test_a_claim_that_was_stripped_is_remembered():
    stage = Stage()
    stage.at(100, instance(resourceVersion="1", claim=claim()))
    stage.at(101, instance(resourceVersion="2"))
    situation = stage.memory.situation(UID, None)
    assert (situation.claim, situation.remembered) == (None, claim())


def test_an_object_of_the_same_name_with_another_uid_begins_with_nothing():
    stage = Stage()
    stage.at(100, instance(claim=claim(), status=recorded()))
    stage.memory.entries[UID].proved_gone = NAME
    stage.memory.forget(UID)
    stage.at(101, instance(uid=OTHER_UID, resourceVersion="2"))
    situation = stage.memory.situation(OTHER_UID, None)
    assert (situation.remembered, situation.create_call, situation.proved_gone) == (None, None, "")
    assert situation.trace_seen == situation.version_read == 101
    assert set(stage.memory.entries) == {OTHER_UID}


@pytest.mark.parametrize(
    ("result", "outlives_a_strip"),
    [(CallResult.CREATED, True), (CallResult.UNCERTAIN, True), (CallResult.NOT_DONE, False)],
)
def test_a_create_call_counts_no_more_when_another_claim_follows_its_own_or_may_have_unseen(
    result: CallResult, *, outlives_a_strip: bool
):
    """What was refused permits the next launch at once: not where somebody else may have launched meanwhile."""
    call = CreateCall(NAME, result)
    stage = Stage()
    stage.at(100, instance(resourceVersion="1", claim=claim(machine=OTHER_NAME)))
    stage.memory.entries[UID].create_call = call
    stage.at(101, instance(resourceVersion="2", claim=claim()))
    assert stage.memory.entries[UID].create_call == call
    stage.at(102, instance(resourceVersion="3"))
    stage.at(103, instance(resourceVersion="4", claim=claim()))
    assert stage.memory.entries[UID].create_call == (call if outlives_a_strip else None)
    stage.at(104, instance(resourceVersion="5", claim=claim(machine=OTHER_NAME)))
    assert stage.memory.entries[UID].create_call is None


def test_to_forget_what_is_not_known_is_nothing():
    stage = Stage()
    stage.at(100, instance(resourceVersion="1"))
    stage.memory.forget("uid-2")
    assert set(stage.memory.entries) == {UID}


@pytest.mark.parametrize(
    ("known", "urgency"),
    [
        (instance(claim=claim(), deletionTimestamp="2026-11-21T12:00:00Z"), Urgency.DELETE),
        (instance(spec={"image": "a", "productName": "b", "powerState": "Stopped"}, claim=claim()), Urgency.STOP),
        (instance(), Urgency.CREATE),
        (instance(claim=claim()), Urgency.REST),
    ],
)
def test_what_ends_a_bill_is_the_most_urgent(known: GpuInstance, urgency: Urgency):
    stage = Stage()
    stage.at(100, known)
    assert stage.memory.urgency(UID) is urgency
    assert stage.memory.urgency("nobody") is Urgency.REST


def test_sight_is_lost_when_the_list_is_too_old_or_never_came():
    stage = Stage()
    assert stage.memory.sight() is Sight.NOT_YET
    stage.seconds += POLICY.fleet_max_age + 1
    assert stage.memory.sight() is Sight.BLIND
    stage.memory.fleet = fleet(machine(id=MACHINE_ID), begun=stage.seconds)
    assert stage.memory.sight() is Sight.SEEING
    stage.memory.key_accepted = False
    assert stage.memory.sight() is Sight.KEY_REJECTED


def test_the_answer_to_an_own_write_brings_nothing_back_whose_end_was_told_before():
    stage = Stage()
    stage.at(100, instance(resourceVersion="1"))
    stage.memory.forget(UID)
    stage.memory.keep_up(instance(resourceVersion="2"))
    assert stage.memory.entries == {}


def test_a_read_that_shows_less_than_was_known_before_it_tells_of_a_restore_and_is_believed():
    stage = Stage()
    stage.at(100, known := instance(resourceVersion="1000", claim=claim()))
    stage.seconds = 105
    stage.memory.reread(known, instance(resourceVersion="900"))
    situation = stage.memory.situation(UID, None)
    assert situation.instance.metadata.resource_version == "900"
    assert (situation.version_read, situation.trace_seen) == (105, 105)
    assert situation.remembered == claim(), "what was claimed since the backup may be running"


def test_a_read_that_the_watch_overtook_changes_nothing():
    stage = Stage()
    stage.at(100, known := instance(resourceVersion="1000"))
    stage.at(101, instance(resourceVersion="1002"))
    stage.memory.reread(known, instance(resourceVersion="1001"))
    assert stage.memory.entries[UID].instance.metadata.resource_version == "1002"


def test_a_read_that_finds_another_object_of_the_name_makes_it_known():
    stage = Stage()
    stage.at(100, known := instance(resourceVersion="1000"))
    stage.memory.reread(known, instance(uid=OTHER_UID, resourceVersion="1001"))
    assert set(stage.memory.entries) == {UID, OTHER_UID}


def test_an_account_of_sight_says_why_it_is_lost_and_what_is_under_way():
    stage = Stage()
    assert stage.memory.account_of_sight() == "no list yet"
    stage.memory.asked = stage.seconds
    stage.seconds += POLICY.fleet_max_age + 1
    under_way = f"asked for one {POLICY.fleet_max_age + 1:.0f} s ago, it is not complete yet"
    assert stage.memory.account_of_sight() == f"no fresh list: {under_way}"
    stage.memory.trouble = "HTTP 503"
    assert stage.memory.account_of_sight() == f"no fresh list: HTTP 503; {under_way}"
    stage.memory.fleet = fleet(machine(id=MACHINE_ID), begun=stage.seconds)
    assert stage.memory.account_of_sight() == "the list is fresh: HTTP 503"
    assert not stage.memory.sees_well()
    stage.memory.trouble = ""
    assert stage.memory.account_of_sight() == "the list is fresh"
    assert stage.memory.sees_well()


def test_a_list_that_is_not_believed_is_fresh_and_yet_not_well():
    stage = Stage()
    stage.memory.fleet = fleet(machine(id=MACHINE_ID), begun=stage.seconds, suspect=True)
    assert stage.memory.sight() is Sight.SEEING
    assert not stage.memory.sees_well()
    assert stage.memory.account_of_sight().startswith("the list is fresh: Braked: Too many machines vanished")


def test_an_object_in_memory_keeps_no_sets_of_the_fields_that_were_given():
    known = instance(claim=claim(), status=recorded())
    assert known.claim is not None
    assert [part.model_fields_set for part in (known, known.spec, known.status, known.claim)] == [set()] * 4


def test_the_watch_may_tell_late_of_the_creation_of_what_the_audit_set_aside():
    stage = Stage()
    stage.memory.set_aside(poisoned("11"))
    stage.memory.see_born(instance(resourceVersion="10"))
    assert (stage.memory.entries, stage.memory.unreadable) == ({}, {UID: poisoned("11")})


def test_an_echo_of_an_older_version_sets_nothing_aside():
    stage = Stage()
    stage.at(100, instance(resourceVersion="12"))
    assert not stage.memory.set_aside(poisoned("11"))
    assert set(stage.memory.entries) == {UID}
