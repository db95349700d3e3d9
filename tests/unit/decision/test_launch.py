from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from build import (
    BOOT,
    ELSEWHERE,
    NAME,
    NOW,
    OTHER_NAME,
    POLICY,
    REGION,
    claim,
    fleet,
    instance,
    machine,
    market,
    product,
    recorded,
    situation,
    spec,
)
from novita_operator.decision.actions import AwaitList, Decision, Launch, ReadAlone, ReadKin, ReadMarket, Rest
from novita_operator.decision.decide import decide
from novita_operator.decision.rules.launch import launch
from novita_operator.decision.situation import Account, CallResult, CreateCall, Hold, Kin, Reading, Situation
from novita_operator.model.machine import MachineState
from novita_operator.model.market import Market, Offer, Shelf
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode
from novita_operator.model.status import Placement

OFFER = Offer("4090.16c62g", "RTX 4090 24GB", REGION.id, REGION.name, BillingMode.SPOT, 1, Decimal("0.18"))
GONE = instance(claim=claim(), status=recorded(instanceId=None))


RESTORED = instance(claim=claim(), status=recorded(machineName=OTHER_NAME, instanceId="m-2", launches=2))
"""Somebody put an older claim back."""


def launches(number: int, retry: int = 0) -> Decision:
    return Decision(Launch(OFFER, number, retry), Reason.LAUNCHING, "Launching RTX 4090 24GB in US-CA-06.")


NO_MACHINE_WANTED = Decision(Rest(), Reason.STOPPED, "Nothing runs, as wanted; no machine is kept.")
WAITS_FOR_LIST = Decision(AwaitList(), Reason.LAUNCHING, "Waiting for a list of the machines at Novita.", quiet=True)
BRAKED = Decision(Rest(), Reason.BRAKED, "Too many machines vanished from Novita's list at once to believe it.")
ANOTHER = Decision(Rest(), Reason.DUPLICATE, "Another machine with this resource's mark is being removed first.")


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(situation(market=market()), launches(1), id="what is wanted and not there is launched"),
        pytest.param(
            situation(instance(status={"launches": 2**40}), market=market()),
            launches(2**31 - 1),
            id="a count that somebody wrote by hand does not spoil the claim",
        ),
        pytest.param(
            situation(market=market(), version_read=BOOT - 1),
            launches(1),
            id="a list begun with this version of the object allows the first claim",
        ),
        pytest.param(
            situation(market=market(), is_newborn=False),
            Decision(
                ReadKin(BOOT - 1), Reason.LAUNCHING, "Making sure that no machine was launched before.", quiet=True
            ),
            id="before the first claim of an object that may have lived before a second reading is made",
        ),
        pytest.param(
            situation(market=market(), version_read=BOOT - 0.5),
            WAITS_FOR_LIST,
            id="a list begun before this version of the object does not",
        ),
        pytest.param(
            situation(instance(spec=spec(powerState="Stopped")), version_read=BOOT),
            NO_MACHINE_WANTED,
            id="created stopped, nothing is launched and all is as wanted",
        ),
        pytest.param(
            situation(instance(claim=claim(), status=recorded(), spec=spec(powerState="Stopped")), proved_gone=NAME),
            NO_MACHINE_WANTED,
            id="a machine that went while it was stopped is not replaced before it is wanted",
        ),
        pytest.param(
            situation(fleet=fleet(suspect=True), market=market()), BRAKED, id="a suspect list allows no launch"
        ),
        pytest.param(
            situation(fleet=fleet(suspect=True), market=market(), version_read=BOOT),
            BRAKED,
            id="a suspect list is told of before a missing one",
        ),
        pytest.param(
            situation(
                GONE,
                proved_gone=NAME,
                fleet=fleet(machine(id="m-2", name=OTHER_NAME)),
                deleted={"m-2": BOOT - 1},
                market=market(),
            ),
            ANOTHER,
            id="while another machine with the mark is being deleted nothing is launched",
        ),
        pytest.param(
            situation(
                GONE,
                proved_gone=NAME,
                fleet=fleet(machine(MachineState.REMOVING, id="m-2", name=OTHER_NAME), suspect=True),
                market=market(),
            ),
            ANOTHER,
            id="while another machine with the mark is being removed nothing is launched",
        ),
        pytest.param(
            situation(),
            Decision(ReadMarket(), Reason.LAUNCHING, "Looking for an offer.", quiet=True),
            id="first the market is read",
        ),
        pytest.param(
            situation(GONE, proved_gone=NAME, version_read=BOOT, market=market()),
            launches(2, retry=1),
            id="a claim whose machine is proved absent needs no newer list",
        ),
        pytest.param(
            situation(RESTORED, proved_gone=NAME, market=market()),
            Decision(
                ReadAlone(OTHER_NAME, "m-2", BOOT - 1),
                Reason.LAUNCH_UNCERTAIN,
                f"The claim is older than the launch of {OTHER_NAME}.",
            ),
            id="where status tells of a later launch than the claim, that machine is looked for too",
        ),
        pytest.param(
            situation(RESTORED, proved_gone=NAME, alone=Reading(OTHER_NAME, BOOT - 1, None), market=market()),
            launches(3, retry=1),
            id="and when it is absent as well, the next launch may follow, as a retry",
        ),
        pytest.param(
            situation(
                instance(
                    claim=claim(),
                    status=recorded(
                        machineName=OTHER_NAME,
                        instanceId="m-2",
                        launches=2,
                        retries={"generation": 1, "count": 3, "lastTime": NOW.isoformat()},
                    ),
                ),
                proved_gone=NAME,
                alone=Reading(OTHER_NAME, BOOT - 1, None),
                market=market(),
            ),
            Decision(
                Rest(),
                Reason.TOO_MANY_RETRIES,
                "The machine is gone. Tried 3 times for this generation of the spec and gave up: "
                "change the spec to try again.",
            ),
            id="a claim that is put back again and again buys no machine again and again",
        ),
        pytest.param(
            situation(
                instance(claim=claim(), status={"launches": 2}),
                proved_gone=NAME,
                kin=Kin(BOOT - 1, is_shown=False),
                market=market(),
            ),
            launches(3),
            id="a later launch of which no machine is known is no retry",
        ),
        pytest.param(
            situation(RESTORED, create_call=CreateCall(NAME, CallResult.NOT_DONE), market=market()),
            Decision(
                ReadAlone(OTHER_NAME, "m-2", BOOT - 1),
                Reason.LAUNCH_UNCERTAIN,
                f"The claim is older than the launch of {OTHER_NAME}.",
            ),
            id="even if the claim that was put back is known to have come to nothing",
        ),
        pytest.param(
            situation(instance(claim=claim(), status={"launches": 2}), proved_gone=NAME, market=market()),
            launches(3),
            id="a later launch of which status tells no name is looked for no further",
        ),
        pytest.param(
            situation(
                instance(claim=claim(launch=2), status=recorded(machineName=OTHER_NAME, launches=2)),
                proved_gone=NAME,
                market=market(),
            ),
            launches(3),
            id="status that tells of the claim's own launch tells of no later one",
        ),
        pytest.param(
            situation(GONE, proved_gone=NAME, is_newborn=False, market=market()),
            Decision(
                ReadKin(BOOT - 1), Reason.LAUNCHING, "Making sure that no machine was launched before.", quiet=True
            ),
            id="a claim may have been put back over a later one, which slipped from the list: a second reading",
        ),
        pytest.param(
            situation(GONE, proved_gone=NAME, is_newborn=False, kin=Kin(BOOT - 1, is_shown=False), market=market()),
            launches(2, retry=1),
            id="and when it shows nothing either, the next launch may follow",
        ),
        pytest.param(
            situation(
                GONE,
                proved_gone=NAME,
                is_newborn=False,
                trace_seen=BOOT - 5,
                kin=Kin(BOOT - 6, is_shown=False),
                market=market(),
            ),
            Decision(
                ReadKin(BOOT - 1), Reason.LAUNCHING, "Making sure that no machine was launched before.", quiet=True
            ),
            id="what was read before this claim was seen says nothing",
        ),
        pytest.param(
            situation(GONE, proved_gone=NAME, trace_seen=BOOT - 0.5, market=market()),
            WAITS_FOR_LIST,
            id="a claim that came after the list may have been put back over a later one",
        ),
        pytest.param(
            situation(
                instance(claim=claim(launch=5), status={"launches": 4}),
                create_call=CreateCall(NAME, CallResult.NOT_DONE),
                trace_seen=BOOT,
                market=market(),
            ),
            launches(6),
            id="a claim of our own that was refused needs no newer list",
        ),
        pytest.param(
            situation(
                instance(claim=claim(launch=5), status={"launches": 4}),
                create_call=CreateCall(NAME, CallResult.NOT_DONE),
                market=market(),
            ),
            launches(6),
            id="a launch that was not done is followed by the next number and is no retry",
        ),
        pytest.param(
            situation(
                instance(claim=claim(launch=1), status=recorded(launches=9, instanceId=None)),
                proved_gone=NAME,
                market=market(),
            ),
            launches(10, retry=1),
            id="status may remember more launches than a rebuilt claim",
        ),
        pytest.param(
            situation(
                instance(status=recorded(launches=3, instanceId=None)),
                proved_gone=NAME,
                market=market(),
            ),
            launches(4),
            id="status remembers the launches when the claim is lost",
        ),
        pytest.param(
            situation(
                instance(claim=claim(at=NOW - timedelta(seconds=10)), status=recorded(instanceId=None)),
                proved_gone=NAME,
                market=market(),
            ),
            launches(2, retry=1),
            id="the first retry follows at once",
        ),
        pytest.param(
            situation(
                instance(claim=claim(retry=1, at=NOW - timedelta(seconds=10)), status=recorded(instanceId=None)),
                proved_gone=NAME,
                market=market(),
            ),
            Decision(Rest(), Reason.RETRYING, "The machine is gone. The operator tries again shortly.", again=20.0),
            id="the second retry waits",
        ),
        pytest.param(
            situation(
                instance(claim=claim(retry=3), status=recorded(instanceId=None)), proved_gone=NAME, market=market()
            ),
            Decision(
                Rest(),
                Reason.TOO_MANY_RETRIES,
                "The machine is gone. "
                "Tried 3 times for this generation of the spec and gave up: change the spec to try again.",
            ),
            id="there is no fourth retry",
        ),
        pytest.param(
            situation(
                instance(claim=claim(retry=3)), create_call=CreateCall(NAME, CallResult.NOT_DONE), market=market()
            ),
            launches(2, retry=3),
            id="a third retry that was not done is not yet spent",
        ),
        pytest.param(
            situation(hold=Hold(Reason.REFUSED, "Novita refused it.", 1, None), market=market()),
            Decision(Rest(), Reason.REFUSED, "Novita refused it."),
            id="a refused request waits for another spec",
        ),
        pytest.param(
            situation(market=Market(missing=(Reason.TEMPLATE_NOT_FOUND, "Novita knows no template t-1."))),
            Decision(Rest(), Reason.TEMPLATE_NOT_FOUND, "Novita knows no template t-1.", again=60.0),
            id="a missing template is told and looked for again",
        ),
        pytest.param(
            situation(market=market({REGION: [product(deployable=False)]})),
            Decision(
                Rest(),
                Reason.NO_STOCK,
                "No RTX 4090 24GB is free in the wanted regions just now.",
                again=60.0,
                placement=(
                    Placement(
                        product_id="4090.16c62g",
                        region="US-CA-06",
                        billing_mode=BillingMode.SPOT,
                        hourly_price="0.18",
                        verdict="no stock",
                    ),
                ),
            ),
            id="what was passed over is told",
        ),
        pytest.param(
            situation(
                market=market(),
                account=Account(key_accepted=True, refusals={OFFER.shelf: NOW + timedelta(seconds=45)}),
            ),
            Decision(
                Rest(),
                Reason.NO_STOCK,
                "No RTX 4090 24GB is free in the wanted regions just now.",
                again=45.0,
                placement=(
                    Placement(
                        product_id="4090.16c62g",
                        region="US-CA-06",
                        billing_mode=BillingMode.SPOT,
                        hourly_price="0.18",
                        verdict="no stock when last tried",
                        blocked_until=NOW + timedelta(seconds=45),
                    ),
                ),
            ),
            id="a remembered refusal is told, with its end",
        ),
        pytest.param(
            situation(
                market=market(),
                account=Account(key_accepted=True, refusals={OFFER.shelf: NOW + timedelta(seconds=45)}),
                policy=replace(POLICY, look_again=5.0),
            ),
            Decision(
                Rest(),
                Reason.NO_STOCK,
                "No RTX 4090 24GB is free in the wanted regions just now.",
                again=5.0,
                placement=(
                    Placement(
                        product_id="4090.16c62g",
                        region="US-CA-06",
                        billing_mode=BillingMode.SPOT,
                        hourly_price="0.18",
                        verdict="no stock when last tried",
                        blocked_until=NOW + timedelta(seconds=45),
                    ),
                ),
            ),
            id="the market is looked at again before a long refusal lifts",
        ),
        pytest.param(
            situation(
                market=market({ELSEWHERE: [product()], REGION: [product()]}),
                policy=replace(POLICY, default_region="us-ca-6"),
            ),
            launches(1),
            id="the operator's region is taken where the spec names none",
        ),
    ],
)
def test_a_launch_is_made_only_when_it_is_safe_and_possible(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


def test_a_machine_is_never_launched_beside_one_that_is_there() -> None:
    assert (
        launch(situation(instance(claim=claim(), status=recorded()), fleet=fleet(machine()), market=market())) is None
    )


def test_without_any_list_nothing_is_launched() -> None:
    assert launch(situation(fleet=None, market=market())) == BRAKED


def test_a_shelf_is_one_product_in_one_region_in_one_mode_and_size() -> None:
    assert OFFER.shelf == Shelf("4090.16c62g", "us-ca-6", BillingMode.SPOT, 1)


@pytest.mark.parametrize(
    ("launch", "told", "is_overtaken"), [(1, 2, True), (2, 2, False), (3, 2, False), (0, None, False), (1, None, False)]
)
def test_a_claim_is_overtaken_by_a_later_launch(launch: int, told: int | None, *, is_overtaken: bool) -> None:
    s = situation(instance(status={} if told is None else {"launches": told}))
    assert s.is_overtaken(claim(launch=launch)) is is_overtaken
