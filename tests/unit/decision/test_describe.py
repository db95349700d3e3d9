from datetime import datetime, timedelta
from typing import Any

import pytest

from build import ELSEWHERE, MACHINE_ID, NAME, NOW, OTHER_NAME, claim, fleet, instance, machine, recorded, situation
from novita_operator.decision.actions import Decision, Record, Rest
from novita_operator.decision.decide import decide
from novita_operator.decision.describe import describe
from novita_operator.decision.situation import PowerCall, Situation, Verb
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import Endpoint, MachineState
from novita_operator.model.reasons import NEEDS_PEOPLE, ConditionType, Reason, State
from novita_operator.model.resource import BillingMode, PortProtocol
from novita_operator.model.status import Placement, PublishedPort, Retries, Status

PUBLISHED = PublishedPort(port=8888, protocol=PortProtocol.HTTP, address="https://a")
LAUNCHED = instance(claim=claim(), status=recorded())
REACHED = instance(claim=claim(), status=recorded(endpoints=[PUBLISHED]))
RUNS = Decision(Rest(), Reason.RUNNING, "The machine runs.")
EARLIER, BEFORE = NOW - timedelta(hours=2), NOW - timedelta(hours=1)

STATES = {
    Reason.RUNNING: State.RUNNING,
    Reason.STOPPED: State.STOPPED,
    Reason.STOPPING: State.STOPPING,
    Reason.LAUNCHING: State.LAUNCHING,
    Reason.LAUNCH_UNCERTAIN: State.LAUNCHING,
    Reason.STARTING: State.STARTING,
    Reason.STARTUP_TIMEOUT: State.STARTING,
    Reason.SPOT_RECLAIMED: State.RECLAIMED,
    Reason.NOVITA_UNREACHABLE: State.UNKNOWN,
    Reason.KEY_REJECTED: State.UNKNOWN,
    Reason.UNKNOWN_STATE: State.UNKNOWN,
    Reason.BRAKED: State.UNKNOWN,
    Reason.VANISHED: State.UNKNOWN,
}


def told(s: Situation, reason: Reason = Reason.RUNNING) -> Status:
    return describe(s, Decision(Rest(), reason, "A sentence."))


def seen(subject: GpuInstance = LAUNCHED, state: MachineState = MachineState.RUNNING, **fields: Any) -> Situation:
    return situation(subject, fleet=fleet(machine(state, **fields)))


def test_a_running_machine_is_told_whole() -> None:
    ports = (Endpoint(8888, PortProtocol.HTTP, "https://a"), Endpoint(22, PortProtocol.TCP, "host:1"))
    s = seen(endpoints=(*ports, Endpoint(80, PortProtocol.HTTP, "")), started=BEFORE)
    assert describe(s, RUNS).model_copy(update={"conditions": ()}) == Status(
        observed_generation=1,
        state=State.RUNNING,
        instance_id=MACHINE_ID,
        machine_name=NAME,
        product_id="4090.16c62g",
        product_name="RTX 4090 24GB",
        region="US-CA-06",
        region_id="us-ca-6",
        billing_mode=BillingMode.SPOT,
        hourly_price="0.18",
        endpoints=(
            PublishedPort(port=22, protocol=PortProtocol.TCP, address="host:1"),
            PublishedPort(port=8888, protocol=PortProtocol.HTTP, address="https://a"),
        ),
        created_time=claim().at,
        started_time=BEFORE,
        launches=1,
    )


def test_the_machine_is_launched_for_as_long_as_its_id_is_told() -> None:
    for s, word in ((seen(), "True"), (situation(), "False")):
        condition = told(s).condition(ConditionType.LAUNCHED)
        assert condition is not None
        assert condition.status == word


def test_before_a_launch_there_is_nothing_to_tell() -> None:
    placement = (
        Placement(product_id="p", region="r", billing_mode=BillingMode.SPOT, hourly_price="1", verdict="no stock"),
    )
    waiting = Decision(Rest(), Reason.NO_STOCK, "None is free.", placement=placement)
    status = describe(situation(instance(generation=4)), waiting)
    assert status.model_copy(update={"conditions": ()}) == Status(
        observed_generation=4, state=State.PENDING, placement=placement
    )
    assert {condition.type for condition in status.conditions} == {
        "Ready",
        "Running",
        "CredentialsValid",
        "Reconciling",
        "Launched",
    }


def test_a_status_that_says_the_same_is_the_same() -> None:
    s = seen()
    once = describe(s, decide(s))
    again = instance(claim=claim(), status=once.model_dump(by_alias=True))
    later = situation(again, fleet=s.fleet, now=NOW + timedelta(hours=1))
    assert describe(later, decide(later)) == once


class TestState:
    @pytest.mark.parametrize("reason", sorted(frozenset(Reason) - {Reason.PAUSED}))
    def test_each_reason_has_its_word(self, reason: Reason) -> None:
        other = State.FAILED if reason in NEEDS_PEOPLE else State.PENDING
        assert told(situation(), reason).state is STATES.get(reason, other)

    @pytest.mark.parametrize("reason", sorted(frozenset(Reason) - {Reason.PAUSED}))
    def test_a_deleted_object_is_deleting_whatever_the_reason(self, reason: Reason) -> None:
        assert told(situation(instance(deletionTimestamp=NOW)), reason).state is State.DELETING

    def test_a_paused_object_keeps_its_word(self) -> None:
        paused = instance(status={"state": "Running"}, deletionTimestamp=NOW)
        assert told(situation(paused), Reason.PAUSED).state is State.RUNNING


class TestMachine:
    def test_the_id_that_is_to_be_recorded(self) -> None:
        status = describe(situation(instance(claim=claim())), Decision(Record("m-7"), Reason.STARTING, ""))
        assert (status.instance_id, status.machine_name) == ("m-7", NAME)

    def test_the_id_that_the_list_shows(self) -> None:
        assert told(seen(id="m-9")).instance_id == "m-9"

    def test_a_machine_that_is_not_shown_keeps_its_id(self) -> None:
        status = told(situation(LAUNCHED), Reason.VANISHED)
        assert (status.instance_id, status.machine_name) == (MACHINE_ID, NAME)
        assert status.product_id == "4090.16c62g"

    def test_a_machine_that_is_proved_absent_loses_its_id_but_not_its_name(self) -> None:
        status = told(situation(LAUNCHED, proved_gone=NAME), Reason.NO_STOCK)
        assert (status.instance_id, status.machine_name) == (None, NAME)
        assert (status.product_id, status.hourly_price, status.created_time) == (None, None, None)

    def test_a_claim_without_a_record_does_not_change_the_recorded_name(self) -> None:
        subject = instance(claim=claim(), status=recorded(machineName=OTHER_NAME, instanceId=None))
        assert told(situation(subject), Reason.LAUNCH_UNCERTAIN).machine_name == OTHER_NAME

    def test_without_a_claim_status_keeps_what_it_remembers(self) -> None:
        remembered = recorded(
            productId="p", productName="P", region="R", regionId="r", billingMode="OnDemand", hourlyPrice="1",
            createdTime=EARLIER, startedTime=BEFORE,
        )  # fmt: skip
        status = told(situation(instance(status=remembered)), Reason.LAUNCH_UNCERTAIN)
        kept = (status.product_id, status.product_name, status.region, status.region_id, status.billing_mode)
        assert kept == ("p", "P", "R", "r", BillingMode.ON_DEMAND)
        assert (status.hourly_price, status.created_time) == ("1", EARLIER)
        assert (status.instance_id, status.machine_name) == (MACHINE_ID, NAME)

    def test_the_bargain_names_the_product_and_the_list_the_place(self) -> None:
        status = told(
            seen(
                product_id="p-2",
                product_name="P2",
                region=ELSEWHERE.name,
                region_id=ELSEWHERE.id,
                billing=BillingMode.ON_DEMAND,
            )
        )
        assert (status.product_id, status.product_name) == ("4090.16c62g", "RTX 4090 24GB")
        assert (status.region, status.region_id, status.billing_mode) == ("CN-HK-01", "cn-hongkong-1", "OnDemand")

    def test_without_a_bargain_the_list_tells_all_but_the_price(self) -> None:
        subject = instance(claim=claim(bargain=None), status=recorded(hourlyPrice="0.2"))
        status = told(seen(subject))
        assert (status.product_id, status.product_name, status.region_id) == ("4090.16c62g", "RTX 4090 24GB", "us-ca-6")
        assert status.hourly_price == "0.2"

    def test_what_the_list_leaves_open_the_bargain_tells(self) -> None:
        status = told(seen(region="", region_id="", billing=None))
        assert (status.region, status.region_id, status.billing_mode) == ("US-CA-06", "us-ca-6", "Spot")

    def test_what_neither_tells_status_remembers(self) -> None:
        remembered = recorded(
            productId="p", productName="P", region="R", regionId="r", billingMode="OnDemand", hourlyPrice="1"
        )
        subject = instance(claim=claim(bargain=None), status=remembered)
        status = told(seen(subject, product_id="", product_name="", region="", region_id="", billing=None))
        kept = (status.product_id, status.product_name, status.region, status.region_id, status.billing_mode)
        assert kept == ("p", "P", "R", "r", BillingMode.ON_DEMAND)

    def test_the_price_of_another_machine_is_not_told_of_this_one(self) -> None:
        subject = instance(claim=claim(bargain=None), status=recorded(machineName=OTHER_NAME, hourlyPrice="9"))
        assert told(seen(subject)).hourly_price is None


class TestEndpoints:
    PORTS = (Endpoint(8888, PortProtocol.HTTP, "https://a"),)

    @pytest.mark.parametrize("state", sorted(frozenset(MachineState) - {MachineState.RUNNING, MachineState.REMOVED}))
    def test_only_a_running_machine_is_reached(self, state: MachineState) -> None:
        assert told(seen(state=state, endpoints=self.PORTS)).endpoints == ()

    def test_a_machine_that_is_not_shown_keeps_its_endpoints(self) -> None:
        assert told(situation(REACHED), Reason.VANISHED).endpoints == (PUBLISHED,)
        assert told(situation(REACHED, fleet=None), Reason.NOVITA_UNREACHABLE).endpoints == (PUBLISHED,)

    def test_without_a_claim_the_endpoints_in_status_are_kept(self) -> None:
        subject = instance(status=recorded(endpoints=[PUBLISHED]))
        assert told(situation(subject), Reason.LAUNCH_UNCERTAIN).endpoints == (PUBLISHED,)

    def test_a_machine_that_is_shown_still_loses_the_endpoints_that_status_remembers(self) -> None:
        assert told(seen(REACHED, MachineState.EXITED)).endpoints == ()

    def test_a_machine_that_is_proved_absent_is_not_reached(self) -> None:
        assert told(situation(REACHED, proved_gone=NAME), Reason.NO_STOCK).endpoints == ()

    def test_another_machine_s_endpoints_are_not_this_one_s(self) -> None:
        subject = instance(claim=claim(), status=recorded(machineName=OTHER_NAME, endpoints=[PUBLISHED]))
        status = describe(situation(subject), Decision(Record("m-7"), Reason.STARTING, ""))
        assert (status.instance_id, status.endpoints) == ("m-7", ())

    def test_a_machine_without_a_word_about_ports_has_none(self) -> None:
        assert told(seen(endpoints=None)).endpoints == ()


class TestLaunches:
    @pytest.mark.parametrize(
        ("subject", "expected"),
        [
            pytest.param(instance(), None, id="none"),
            pytest.param(instance(status={"launches": 2}), 2, id="as status remembers"),
            pytest.param(instance(claim=claim(launch=3)), 3, id="as the claim says"),
            pytest.param(instance(claim=claim(launch=3), status={"launches": 5}), 5, id="the greater: status"),
            pytest.param(instance(claim=claim(launch=5), status={"launches": 3}), 5, id="the greater: claim"),
        ],
    )
    def test_launches_are_counted(self, subject: GpuInstance, expected: int | None) -> None:
        assert told(situation(subject)).launches == expected


def times(s: Situation) -> tuple[datetime | None, datetime | None]:
    status = told(s)
    return status.started_time, status.stopped_time


class TestTimes:
    @pytest.mark.parametrize(
        ("s", "expected"),
        [
            pytest.param(seen(started=EARLIER), (EARLIER, None), id="Novita says when it came up"),
            pytest.param(seen(), (NOW, None), id="else it came up when it was first seen"),
            pytest.param(
                seen(instance(claim=claim(), status=recorded(state="Running", startedTime=BEFORE))),
                (BEFORE, None),
                id="a machine that runs on came up when it came up",
            ),
            pytest.param(
                seen(instance(claim=claim(), status=recorded(state="Unknown", startedTime=BEFORE))),
                (BEFORE, None),
                id="a machine that was out of sight came up when it came up",
            ),
            pytest.param(
                seen(
                    instance(claim=claim(), status=recorded(state="Starting", startedTime=BEFORE, stoppedTime=EARLIER)),
                ),
                (BEFORE, EARLIER),
                id="a machine that was up last, by whatever word, came up when it came up",
            ),
            pytest.param(
                seen(
                    instance(claim=claim(), status=recorded(state="Running", startedTime=EARLIER, stoppedTime=BEFORE)),
                ),
                (NOW, BEFORE),
                id="a machine that was down last comes up again now",
            ),
            pytest.param(
                seen(instance(claim=claim(), status=recorded(startedTime=BEFORE, stoppedTime=BEFORE))),
                (NOW, BEFORE),
                id="a machine that went down within the second comes up again now",
            ),
            pytest.param(
                seen(instance(claim=claim(), status=recorded(state="Running"))),
                (NOW, None),
                id="a running machine without a time came up now",
            ),
            pytest.param(
                seen(state=MachineState.EXITED, stopped=EARLIER), (None, EARLIER), id="Novita says when it went down"
            ),
            pytest.param(seen(state=MachineState.EXITED), (None, NOW), id="else when it was first seen so"),
            pytest.param(
                seen(
                    instance(claim=claim(), status=recorded(startedTime=EARLIER, stoppedTime=BEFORE)),
                    MachineState.EXITED,
                ),
                (EARLIER, BEFORE),
                id="a machine that stays down went down when it went down",
            ),
            pytest.param(
                seen(
                    instance(claim=claim(), status=recorded(startedTime=BEFORE, stoppedTime=BEFORE)),
                    MachineState.EXITED,
                ),
                (BEFORE, BEFORE),
                id="up and down within one second",
            ),
            pytest.param(
                seen(
                    instance(claim=claim(), status=recorded(startedTime=BEFORE, stoppedTime=EARLIER)),
                    MachineState.EXITED,
                ),
                (BEFORE, NOW),
                id="a machine that goes down again went down now",
            ),
            pytest.param(
                seen(instance(claim=claim(), status=recorded(startedTime=BEFORE)), MachineState.EXITED),
                (BEFORE, NOW),
                id="a machine that goes down for the first time went down now",
            ),
            pytest.param(
                seen(instance(claim=claim(), status=recorded(stoppedTime=BEFORE)), MachineState.EXITED),
                (None, BEFORE),
                id="a machine that never came up keeps the time when it went down",
            ),
            pytest.param(
                seen(
                    instance(claim=claim(), status=recorded(startedTime=EARLIER, stoppedTime=BEFORE)),
                    MachineState.PULLING,
                ),
                (EARLIER, BEFORE),
                id="in between the times stand",
            ),
            pytest.param(
                situation(instance(claim=claim(), status=recorded(startedTime=EARLIER, stoppedTime=BEFORE))),
                (EARLIER, BEFORE),
                id="unseen the times stand",
            ),
            pytest.param(
                seen(
                    instance(
                        claim=claim(), status=recorded(machineName=OTHER_NAME, startedTime=EARLIER, stoppedTime=BEFORE)
                    ),
                    MachineState.PULLING,
                ),
                (None, None),
                id="another machine's times are not this one's",
            ),
        ],
    )
    def test_when_it_came_up_and_went_down(
        self, s: Situation, expected: tuple[datetime | None, datetime | None]
    ) -> None:
        assert times(s) == expected


def retried(count: int, generation: int = 1, last: datetime = EARLIER) -> dict[str, Any]:
    return recorded(retries={"generation": generation, "count": count, "lastTime": last})


def called(verb: Verb = Verb.START, generation: int = 1, retry: int = 2) -> PowerCall:
    return PowerCall(MACHINE_ID, verb, 0.0, BEFORE, generation, retry)


class TestRetries:
    @pytest.mark.parametrize(
        ("s", "expected"),
        [
            pytest.param(situation(LAUNCHED), None, id="none was made"),
            pytest.param(situation(instance(status=retried(2))), (1, 2, EARLIER), id="what stands, stands"),
            pytest.param(situation(LAUNCHED, power_call=called()), (1, 2, BEFORE), id="a start of this process counts"),
            pytest.param(
                situation(instance(status=retried(3)), power_call=called()), (1, 3, BEFORE), id="a count never falls"
            ),
            pytest.param(
                situation(instance(status=retried(1, last=NOW)), power_call=called()),
                (1, 2, NOW),
                id="a start does not turn the time of the last one back",
            ),
            pytest.param(situation(LAUNCHED, power_call=called(Verb.STOP)), None, id="a stop does not count"),
            pytest.param(
                situation(instance(generation=2, status=retried(1)), power_call=called()),
                (1, 1, EARLIER),
                id="a start for an older generation does not count for this one",
            ),
            pytest.param(
                situation(instance(claim=claim(retry=1))), (1, 1, claim().at), id="a launch beyond the first counts"
            ),
            pytest.param(
                situation(instance(claim=claim(retry=1), status=retried(2, last=NOW))),
                (1, 2, NOW),
                id="the last is the later of launch and start: the start",
            ),
            pytest.param(
                situation(instance(claim=claim(retry=2), status=retried(1))),
                (1, 2, claim().at),
                id="the last is the later of launch and start: the launch",
            ),
            pytest.param(
                situation(instance(generation=2, claim=claim(retry=2), status=retried(1))),
                (1, 1, EARLIER),
                id="a launch for an older generation does not count for this one",
            ),
            pytest.param(
                situation(instance(claim=claim(), status=retried(1))),
                (1, 1, EARLIER),
                id="a first launch is no retry",
            ),
        ],
    )
    def test_retries_are_told(self, s: Situation, expected: tuple[int, int, datetime] | None) -> None:
        wanted = None
        if expected is not None:
            generation, count, last = expected
            wanted = Retries(generation=generation, count=count, last_time=last)
        assert told(s).retries == wanted
