from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from build import (
    BOOT,
    ELSEWHERE,
    NAME,
    NOW,
    OTHER_NAME,
    REGION,
    claim,
    fleet,
    instance,
    machine,
    market,
    recorded,
    situation,
    spec,
)
from novita_operator.decision.actions import Action, AwaitList, Decision, Launch, PutBack, ReadAlone, Record, Rest, Stop
from novita_operator.decision.decide import decide
from novita_operator.decision.rules.claim import ADOPTED, lost_claim, unresolved_claim
from novita_operator.decision.rules.startup import COMING_UP_NOTE
from novita_operator.decision.situation import CallResult, CreateCall, Reading, Situation
from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER, Bargain, Claim
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import Fleet, MachineState
from novita_operator.model.naming import Mark
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode

LONG_AGO = NOW - timedelta(days=9)
OTHER = machine(id="m-2", name=OTHER_NAME, created=LONG_AGO)
STRIPPED = situation(instance(), remembered=claim())


def put_back(kept: Claim) -> Decision:
    return Decision(PutBack(kept), Reason.LAUNCHED, "The object lost its claim or finalizer: written back.")


def rebuilt(**fields: Any) -> Claim:
    return Claim.model_validate(
        {
            "uid": claim().uid,
            "machine": NAME,
            "launch": 1,
            "by": ADOPTED,
            "at": NOW,
            "generation": 1,
            "bargain": Bargain(
                product_id="4090.16c62g",
                product_name="RTX 4090 24GB",
                region_id=REGION.id,
                region=REGION.name,
                billing_mode=BillingMode.SPOT,
                hourly_price="",
            ),
            **fields,
        }
    )


def uncertain(action: Action | None = None, **fields: Any) -> Decision:
    return Decision(
        Rest() if action is None else action,
        Reason.LAUNCH_UNCERTAIN,
        f"The launch of {NAME} got no answer: looking for it at Novita before anything else is tried.",
        **fields,
    )


LATER_LAUNCH = Decision(
    ReadAlone(OTHER_NAME, "m-1", BOOT - 1),
    Reason.LAUNCH_UNCERTAIN,
    f"Making sure what became of machine {OTHER_NAME} before anything is launched.",
)


def found(machine_id: str = "m-1") -> Decision:
    return Decision(Record(machine_id), Reason.STARTING, COMING_UP_NOTE, again=0.0)


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(
            situation(instance(claim=claim(), finalizer=False), fleet=fleet(machine())),
            put_back(claim()),
            id="a lost finalizer is put back with the claim",
        ),
        pytest.param(STRIPPED, put_back(claim()), id="a claim that this process saw is put back as it was"),
        pytest.param(
            situation(instance(status=recorded(machineName=OTHER_NAME, launches=2)), remembered=claim()),
            LATER_LAUNCH,
            id="a claim that is older than the launch in status is not put back over it",
        ),
        pytest.param(
            situation(instance(status=recorded(launches=2)), remembered=claim(), fleet=fleet(machine())),
            put_back(claim()),
            id="unless its machine is there",
        ),
        pytest.param(
            situation(
                instance(finalizer=True),
                remembered=claim(),
                fleet=fleet(OTHER, machine(created=NOW)),
            ),
            put_back(claim()),
            id="of two machines the one that this process saw claimed goes before the older one",
        ),
        pytest.param(
            situation(instance(finalizer=True), remembered=claim(), fleet=fleet(OTHER)),
            put_back(rebuilt(machine=OTHER_NAME, at=LONG_AGO)),
            id="what the list shows goes before a claim for a machine that it does not show",
        ),
        pytest.param(
            situation(
                instance(), remembered=claim(), fleet=fleet(replace(OTHER, state=MachineState.EXITED), suspect=True)
            ),
            put_back(rebuilt(machine=OTHER_NAME, at=LONG_AGO)),
            id="a stopped machine is shown too, and what a suspect list shows is true",
        ),
        pytest.param(
            situation(instance(), remembered=claim(), fleet=fleet(OTHER, machine(MachineState.REMOVING))),
            put_back(rebuilt(machine=OTHER_NAME, at=LONG_AGO)),
            id="a claim for a machine that is being removed goes after one for a machine that stays",
        ),
        pytest.param(
            situation(instance(), remembered=claim(), fleet=fleet(replace(OTHER, state=MachineState.TO_REMOVE))),
            put_back(claim()),
            id="a machine that is being removed is no reason to give up the claim that this process saw",
        ),
        pytest.param(
            situation(instance(), remembered=claim(), fleet=fleet(OTHER), deleted={"m-2": BOOT - 1}),
            put_back(claim()),
            id="a machine whose deletion Novita acknowledged is no reason either",
        ),
        pytest.param(
            situation(instance(), remembered=claim(), fleet=fleet(OTHER), deleted={"m-2": BOOT - 11.5}),
            put_back(rebuilt(machine=OTHER_NAME, at=LONG_AGO)),
            id="a machine whose deletion did not take stays",
        ),
        pytest.param(
            situation(instance(), fleet=fleet(machine())),
            put_back(rebuilt()),
            id="a claim that nobody remembers is rebuilt from the machine with this mark",
        ),
        pytest.param(
            situation(instance(generation=7), fleet=fleet(machine(created=NOW - timedelta(days=1)))),
            put_back(rebuilt(generation=7, at=NOW - timedelta(days=1))),
            id="a rebuilt claim is as old as its machine and of this generation",
        ),
        pytest.param(
            situation(instance(), fleet=fleet(machine(created=NOW + timedelta(days=9)))),
            put_back(rebuilt(at=NOW)),
            id="a machine out of the future is of today",
        ),
        pytest.param(
            situation(instance(creationTimestamp=LONG_AGO), fleet=fleet(machine(created=LONG_AGO - timedelta(days=9)))),
            put_back(rebuilt(at=LONG_AGO)),
            id="a machine older than its resource is as old as that",
        ),
        pytest.param(
            situation(instance(status=recorded(launches=4, hourlyPrice="0.18")), fleet=fleet(machine())),
            put_back(
                rebuilt(
                    launch=4,
                    bargain=rebuilt().bargain.model_copy(update={"hourly_price": "0.18"}),  # type: ignore[union-attr]
                )
            ),
            id="a rebuilt claim keeps the launches and the price that status tells of this machine",
        ),
        pytest.param(
            situation(instance(status=recorded(launches=2**40, hourlyPrice="much")), fleet=fleet(machine())),
            put_back(rebuilt(launch=2**31 - 1)),
            id="what somebody wrote into status by hand does not spoil it",
        ),
        pytest.param(
            situation(
                instance(status=recorded(machineName=OTHER_NAME, hourlyPrice="0.18", instanceId="m-2")),
                fleet=fleet(machine()),
            ),
            put_back(rebuilt()),
            id="the price of another machine is not taken over",
        ),
        pytest.param(
            situation(instance(), fleet=fleet(machine(billing=None, region=ELSEWHERE.name, region_id=ELSEWHERE.id))),
            put_back(
                rebuilt(
                    bargain=Bargain(
                        product_id="4090.16c62g",
                        product_name="RTX 4090 24GB",
                        region_id=ELSEWHERE.id,
                        region=ELSEWHERE.name,
                        billing_mode=BillingMode.ON_DEMAND,
                        hourly_price="",
                    )
                )
            ),
            id="a rebuilt claim says what the list says, and on demand where the list says nothing",
        ),
        pytest.param(
            situation(
                instance(status=recorded()),
                fleet=fleet(machine(id="m-0", name=OTHER_NAME, created=NOW - timedelta(days=9)), machine(created=NOW)),
            ),
            put_back(rebuilt()),
            id="of two machines the one in status is claimed",
        ),
        pytest.param(
            situation(
                instance(),
                fleet=fleet(machine(id="m-0", name=OTHER_NAME), machine(created=NOW - timedelta(days=9))),
            ),
            put_back(rebuilt(at=NOW - timedelta(days=9))),
            id="of two machines the older is claimed",
        ),
        pytest.param(
            situation(instance(), fleet=fleet(machine(id="m-2", name=OTHER_NAME), machine())),
            put_back(rebuilt()),
            id="of two machines of the same age the lesser id is claimed",
        ),
        pytest.param(
            situation(
                instance(status=recorded(machineName=OTHER_NAME, instanceId="m-0")),
                fleet=fleet(
                    machine(MachineState.REMOVING, id="m-0", name=OTHER_NAME, created=NOW - timedelta(days=9)),
                    machine(),
                ),
            ),
            put_back(rebuilt()),
            id="a machine that is being removed is claimed last",
        ),
        pytest.param(
            situation(
                instance(),
                fleet=fleet(machine(id="m-0", name=OTHER_NAME, created=NOW - timedelta(days=9)), machine()),
                deleted={"m-0": BOOT - 1},
            ),
            put_back(rebuilt()),
            id="a machine whose deletion Novita acknowledged is claimed last",
        ),
        pytest.param(
            situation(instance(), fleet=fleet(machine(), suspect=True)),
            put_back(rebuilt()),
            id="what a suspect list shows is true",
        ),
        pytest.param(
            situation(instance(status=recorded()), trace_seen=BOOT - 69.5),
            Decision(
                Rest(),
                Reason.LAUNCH_UNCERTAIN,
                f"Making sure what became of machine {NAME} before anything is launched.",
                again=0.5,
            ),
            id="a machine that only status remembers is looked for before anything is launched",
        ),
        pytest.param(
            situation(instance(status=recorded())),
            Decision(
                ReadAlone(NAME, "m-1", BOOT - 1),
                Reason.LAUNCH_UNCERTAIN,
                f"Making sure what became of machine {NAME} before anything is launched.",
            ),
            id="a machine that only status remembers is asked for alone",
        ),
    ],
)
def test_what_the_object_lost_is_put_back_and_never_launched_over(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(situation(market=market()), id="there never was a claim"),
        pytest.param(
            situation(instance(status=recorded()), alone=Reading(NAME, BOOT - 1, None), market=market()),
            id="the machine in status is proved absent",
        ),
        pytest.param(
            situation(instance(status=recorded()), proved_gone=NAME, market=market()),
            id="the machine in status was proved absent before",
        ),
        pytest.param(
            situation(fleet=fleet(machine(MachineState.REMOVED)), market=market()), id="the machine is removed"
        ),
        pytest.param(
            situation(instance(name="copy", annotations={CLAIM_ANNOTATION: claim().annotation()}), market=market()),
            id="the claim was copied from an object with another name",
        ),
        pytest.param(
            situation(instance(annotations={CLAIM_ANNOTATION: "{"}), market=market()), id="the claim cannot be read"
        ),
        pytest.param(
            situation(fleet=fleet(machine(mark=Mark("cluster-2", "default", "trainer", claim().uid))), market=market()),
            id="the only machine with this UID bears another cluster's mark",
        ),
        pytest.param(
            situation(fleet=fleet(machine(name="trainer")), market=market()),
            id="the only machine with this mark bears a name that we never gave",
        ),
    ],
)
def test_the_first_launch_goes_ahead(s: Situation) -> None:
    assert isinstance(decide(s).action, Launch)


OLD_CLAIM_IS_BACK: dict[str, Any] = {
    "claim": claim(),
    "status": recorded(machineName=OTHER_NAME, instanceId="m-2", launches=2),
}


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(instance(**OLD_CLAIM_IS_BACK), id="while it lives"),
        pytest.param(
            instance(**OLD_CLAIM_IS_BACK, spec=spec(deletionPolicy="Retain"), deletionTimestamp=NOW),
            id="while it is deleted",
        ),
    ],
)
@pytest.mark.parametrize("shown", [fleet(OTHER), fleet(machine(), OTHER)], ids=["alone", "beside the claimed one"])
def test_an_old_claim_that_somebody_put_back_takes_nothing_from_a_later_launch(subject: GpuInstance, shown: Fleet):
    for proved_gone in ("", NAME):
        s = situation(subject, fleet=shown, proved_gone=proved_gone)
        assert decide(s) == put_back(rebuilt(machine=OTHER_NAME, launch=2, at=LONG_AGO))


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(situation(instance(**OLD_CLAIM_IS_BACK)), id="the later machine is not shown"),
        pytest.param(
            situation(
                instance(claim=claim(), status=recorded(machineName=OTHER_NAME, instanceId="m-2")), fleet=fleet(OTHER)
            ),
            id="the claim is of the same launch as the record",
        ),
        pytest.param(
            situation(instance(claim=claim(), status=recorded(launches=2)), fleet=fleet(machine(), OTHER)),
            id="status names the claimed machine",
        ),
        pytest.param(
            situation(instance(claim=claim(), status={"launches": 2}), fleet=fleet(OTHER)), id="status names none"
        ),
        pytest.param(
            situation(
                instance(**OLD_CLAIM_IS_BACK, finalizer=False, deletionTimestamp=NOW),
                fleet=fleet(OTHER),
            ),
            id="nothing can be written any more",
        ),
    ],
)
def test_a_claim_is_not_changed_without_a_later_machine_that_is_there(s: Situation):
    assert lost_claim(s) is None


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(
            situation(instance(claim=claim(), finalizer=False, deletionTimestamp=NOW)), id="its finalizer is gone"
        ),
        pytest.param(
            situation(instance(finalizer=True, deletionTimestamp=NOW), remembered=claim()), id="its claim is gone"
        ),
        pytest.param(
            situation(instance(deletionTimestamp=NOW), fleet=fleet(machine())), id="its machine is still there"
        ),
    ],
)
def test_nothing_is_put_back_into_an_object_that_is_deleted(s: Situation) -> None:
    assert lost_claim(s) is None


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(
            situation(instance(claim=claim()), create_call=CreateCall(NAME, CallResult.CREATED, "m-7")),
            found("m-7"),
            id="the call answered with an id: recorded, shown or not",
        ),
        pytest.param(
            situation(instance(claim=claim()), fleet=fleet(machine())),
            found(),
            id="the list shows the claim's name with our mark: recorded at once, however young",
        ),
        pytest.param(
            situation(instance(claim=claim()), fleet=fleet(machine(), suspect=True), trace_seen=BOOT),
            found(),
            id="presence speaks at once even in a suspect list",
        ),
        pytest.param(
            situation(
                instance(claim=claim()),
                fleet=fleet(machine()),
                create_call=CreateCall(NAME, CallResult.NOT_DONE),
            ),
            found(),
            id="a machine that is shown was launched, whatever the call said",
        ),
        pytest.param(
            situation(instance(claim=claim()), alone=Reading(NAME, BOOT - 1, machine(id="m-3"))),
            found("m-3"),
            id="a single read shows it where the list does not",
        ),
        pytest.param(
            situation(instance(claim=claim(), status=recorded(instanceId=None)), fleet=fleet(machine())),
            found(),
            id="a machine that came back is recorded again",
        ),
        pytest.param(
            situation(instance(claim=claim(), status=recorded(machineName=OTHER_NAME)), fleet=fleet(machine())),
            found(),
            id="a record under another name counts for nothing",
        ),
        pytest.param(
            situation(instance(claim=claim(), deletionTimestamp=NOW), fleet=fleet(machine())),
            found(),
            id="before a deletion an unresolved claim is resolved",
        ),
        pytest.param(
            situation(
                instance(claim=claim()), create_call=CreateCall(NAME, CallResult.UNCERTAIN), trace_seen=BOOT - 60
            ),
            uncertain(again=10.0),
            id="a list that does not show it says nothing before the window and the lag are over",
        ),
        pytest.param(
            situation(
                instance(claim=claim()),
                create_call=CreateCall(NAME, CallResult.UNCERTAIN),
                trace_seen=BOOT - 70.5,
                fleet=fleet(begun=BOOT - 1),
            ),
            uncertain(AwaitList()),
            id="a list begun before the window and the lag were over does not count",
        ),
        pytest.param(
            situation(
                instance(claim=claim()),
                create_call=CreateCall(NAME, CallResult.UNCERTAIN),
                trace_seen=BOOT - 71,
                fleet=fleet(begun=BOOT - 1),
            ),
            uncertain(ReadAlone(NAME, None, BOOT - 1)),
            id="after a list that counts it is asked for alone, by name",
        ),
        pytest.param(
            situation(
                instance(claim=claim(), deletionTimestamp=NOW), create_call=CreateCall(NAME, CallResult.UNCERTAIN)
            ),
            uncertain(ReadAlone(NAME, None, BOOT - 1)),
            id="before a deletion an unresolved claim is looked for",
        ),
        pytest.param(
            situation(
                instance(claim=claim()),
                create_call=CreateCall(OTHER_NAME, CallResult.NOT_DONE),
            ),
            uncertain(ReadAlone(NAME, None, BOOT - 1)),
            id="what is known of another launch says nothing of this one",
        ),
        pytest.param(
            situation(
                instance(claim=claim()),
                create_call=CreateCall(OTHER_NAME, CallResult.CREATED, "m-2"),
            ),
            uncertain(ReadAlone(NAME, None, BOOT - 1)),
            id="another launch's id is not recorded for this one",
        ),
        pytest.param(
            situation(
                instance(claim=claim(), status=recorded(instanceId=None)),
                create_call=CreateCall(NAME, CallResult.CREATED, "m-1"),
            ),
            uncertain(ReadAlone(NAME, None, BOOT - 1), quiet=True),
            id="the id that the call gave is not recorded twice: the machine was seen to go",
        ),
        pytest.param(
            situation(instance(claim=claim()), alone=Reading(OTHER_NAME, BOOT - 1, machine(id="m-2"))),
            uncertain(ReadAlone(NAME, None, BOOT - 1)),
            id="a read of another name finds nothing",
        ),
        pytest.param(
            situation(instance(claim=claim(), status={"observedGeneration": 1}), trace_seen=BOOT),
            uncertain(again=70.0, quiet=True),
            id="after a restart status keeps what it says of this generation",
        ),
        pytest.param(
            situation(
                instance(claim=claim(), status={"observedGeneration": 1}),
                create_call=CreateCall(OTHER_NAME, CallResult.UNCERTAIN),
                trace_seen=BOOT,
            ),
            uncertain(again=70.0),
            id="a call of this process is news",
        ),
        pytest.param(
            situation(instance(claim=claim(), status={"observedGeneration": 0}), trace_seen=BOOT),
            uncertain(again=70.0),
            id="after a restart a status of an older generation is brought up to date",
        ),
        pytest.param(
            situation(
                instance(claim=claim(), status=recorded(instanceId=None)),
                create_call=CreateCall(NAME, CallResult.UNCERTAIN),
                trace_seen=BOOT,
            ),
            uncertain(again=70.0, quiet=True),
            id="a machine that was recorded and went says nothing new while it is looked for again",
        ),
    ],
)
def test_an_unknown_outcome_is_looked_up_and_never_repeated(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(situation(market=market()), id="there is no claim"),
        pytest.param(
            situation(instance(claim=claim(), status=recorded()), fleet=fleet(machine())), id="the id is recorded"
        ),
        pytest.param(
            situation(instance(claim=claim()), create_call=CreateCall(NAME, CallResult.NOT_DONE), trace_seen=BOOT),
            id="the call is known not done",
        ),
        pytest.param(
            situation(instance(claim=claim()), alone=Reading(NAME, BOOT - 1, None)),
            id="two readings that count do not show it",
        ),
        pytest.param(
            situation(instance(claim=claim()), alone=Reading(NAME, BOOT - 1, machine(MachineState.REMOVED))),
            id="the single read says that it is removed",
        ),
        pytest.param(
            situation(
                instance(claim=claim(), status=recorded(instanceId=None)),
                proved_gone=NAME,
                alone=Reading(NAME, BOOT - 50, machine()),
            ),
            id="it was proved gone after a single read had found it",
        ),
    ],
)
def test_the_claim_is_resolved(s: Situation) -> None:
    assert unresolved_claim(s) is None


def test_a_removed_machine_found_by_a_read_too_young_to_prove_absence_is_not_recorded() -> None:
    read = Reading(NAME, BOOT - 1, machine(MachineState.REMOVED))
    assert decide(situation(instance(claim=claim()), alone=read, trace_seen=BOOT)) == uncertain(again=70.0)


def test_a_launch_known_not_done_is_followed_by_the_next_at_once() -> None:
    refused = situation(
        instance(claim=claim(launch=3, retry=1)),
        create_call=CreateCall(NAME, CallResult.NOT_DONE),
        trace_seen=BOOT,
        market=market(),
    )
    action = decide(refused).action
    assert isinstance(action, Launch)
    assert (action.launch, action.retry) == (4, 1)


def test_a_claim_put_back_for_an_object_that_wants_to_stop_leads_to_the_stop() -> None:
    stopped = spec(powerState="Stopped")
    assert isinstance(decide(situation(instance(spec=stopped), fleet=fleet(machine()))).action, PutBack)
    subject = instance(spec=stopped, claim=rebuilt(), status=recorded())
    assert decide(situation(subject, fleet=fleet(machine()))).action == Stop("m-1")


def test_a_guarded_object_has_our_finalizer_and_not_another_s() -> None:
    assert instance(finalizers=[FINALIZER]).has_finalizer
    assert not instance(finalizers=["kopf.zalando.org/KopfFinalizerMarker"]).has_finalizer
