"""Whatever the situation, there is a decision, and the four promises hold in it."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from build import (
    BOOT,
    CLUSTER,
    NAME,
    NOW,
    OTHER_NAME,
    POLICY,
    UID,
    claim,
    fleet,
    foreign,
    instance,
    machine,
    market,
    recorded,
    situation,
    spec,
)
from novita_operator.decision.absence import is_absent
from novita_operator.decision.actions import (
    Decision,
    Delete,
    DeleteCause,
    Launch,
    PutBack,
    Record,
    Release,
    Rest,
    Start,
    Stop,
)
from novita_operator.decision.decide import decide
from novita_operator.decision.describe import describe
from novita_operator.decision.notices import notices
from novita_operator.decision.rules.startup import startup_timeout
from novita_operator.decision.situation import (
    Account,
    CallResult,
    CreateCall,
    Hold,
    Kin,
    PowerCall,
    Reading,
    Situation,
    Verb,
)
from novita_operator.model.claim import PAUSED_ANNOTATION, Claim
from novita_operator.model.machine import COMING_BACK, COMING_UP, Endpoint, Machine, MachineState, SpotStatus
from novita_operator.model.naming import Mark, is_named_for, machine_name
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode, PortProtocol

T = TypeVar("T")
U = TypeVar("U")

IDS = ("m-1", "m-2", "m-3")
EARLIER_MARK = Mark(CLUSTER, "default", "trainer", "99999999-1111-4222-8333-444455556666")
EARLIER_NAME = machine_name(EARLIER_MARK, "aaaaaaaa")
NAMES = (NAME, OTHER_NAME)
"""Of this life; a backup may bring a claim, a status and a machine of an earlier one."""
ANY_NAME = (*NAMES, *NAMES, EARLIER_NAME)

ages = st.sampled_from([0.0, 0.5, 1.0, 5.0, 9.0, 11.0, 60.0, 69.0, 70.0, 71.0, 89.0, 91.0, 5000.0])
boots = ages.map(lambda age: BOOT - age)
long_ago = st.sampled_from([BOOT - 5000] * 4) | boots
lately = st.sampled_from([BOOT - 1] * 6) | boots
times = st.sampled_from([0, 1, 29, 31, 119, 121, 599, 601, 9999]).map(lambda age: NOW - timedelta(seconds=age))
states = st.sampled_from(MachineState)


def seldom(*, odd: T, usual: U) -> st.SearchStrategy[T | U]:
    return st.sampled_from([*[usual] * 9, odd])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def ours(machine_id: st.SearchStrategy[str], name: st.SearchStrategy[str], mark: Mark) -> st.SearchStrategy[Machine]:
    return st.builds(
        machine,
        states,
        id=machine_id,
        name=name,
        mark=st.just(mark),
        spot=st.sampled_from(SpotStatus),
        billing=maybe(st.sampled_from(BillingMode)),
        reclaim_at=maybe(times),
        created=maybe(times),
        started=maybe(times),
        stopped=maybe(times),
        endpoints=st.sampled_from([None, (), (Endpoint(80, PortProtocol.HTTP, ""),)]),
    )


strangers = st.builds(
    foreign,
    id=st.sampled_from([*IDS, "f-1"]),
    name=st.sampled_from([*NAMES, "notebook"]),
    mark=st.sampled_from([None, Mark("cluster-2", "default", "trainer", UID), Mark(CLUSTER, "default", "b", "other")]),
)
of_this_life = ours(st.sampled_from(IDS), st.sampled_from(NAMES), Mark(CLUSTER, "default", "trainer", UID))
of_an_earlier_life = ours(st.sampled_from(IDS), st.just(EARLIER_NAME), EARLIER_MARK)
machines = of_this_life | of_an_earlier_life | strangers
claims: st.SearchStrategy[Claim] = st.builds(
    claim,
    machine=st.sampled_from(ANY_NAME),
    launch=st.integers(1, 4),
    retry=st.integers(0, 4),
    at=times,
    generation=st.integers(1, 2),
    uid=st.sampled_from([UID, UID, UID, EARLIER_MARK.uid]),
)
statuses = st.builds(
    recorded,
    machineName=maybe(st.sampled_from([*ANY_NAME, "notebook"])),
    instanceId=maybe(st.sampled_from([*IDS, "f-1"])),
    observedGeneration=st.integers(-1, 2),
    state=maybe(st.sampled_from(["Running", "Pending", "Stopped"])),
    startedTime=maybe(times),
    stoppedTime=maybe(times),
    retries=maybe(
        st.fixed_dictionaries({"generation": st.integers(1, 2), "count": st.integers(0, 4), "lastTime": times})
    ),
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    annotations = {PAUSED_ANNOTATION: draw(seldom(odd="true", usual="false"))}
    deleted_at: dict[str, datetime] = {"deletionTimestamp": NOW} if draw(st.sampled_from([False, False, True])) else {}
    subject = instance(
        spec=spec(
            powerState=draw(st.sampled_from(["Running", "Running", "Stopped"])),
            deletionPolicy=draw(st.sampled_from(["Delete", "Retain"])),
        ),
        claim=draw(maybe(claims)),
        status=draw(st.just({}) | statuses),
        finalizer=draw(seldom(odd=False, usual=None) | st.sampled_from([True])),
        generation=draw(st.integers(1, 2)),
        annotations=annotations,
        **deleted_at,
    )
    shown = fleet(
        *draw(st.just([]) | st.lists(machines, max_size=3)),
        begun=draw(lately),
        suspect=draw(seldom(odd=True, usual=False)),
    )
    hold = st.builds(
        Hold, st.just(Reason.REFUSED), st.just("No."), st.integers(1, 2), maybe(st.just(NOW + timedelta(seconds=9)))
    )
    return situation(
        subject,
        fleet=draw(seldom(odd=None, usual=shown)),
        started=draw(boots),
        version_read=draw(long_ago),
        trace_seen=draw(long_ago),
        remembered=draw(maybe(claims.filter(lambda remembered: remembered.uid == UID))),
        create_call=draw(
            maybe(
                st.builds(
                    CreateCall, st.sampled_from(NAMES), st.sampled_from([CallResult.NOT_DONE, CallResult.UNCERTAIN])
                )
            )
            | st.builds(CreateCall, st.sampled_from(NAMES), st.just(CallResult.CREATED), st.sampled_from(IDS))
        ),
        power_call=draw(
            maybe(
                st.builds(
                    PowerCall,
                    st.sampled_from(IDS),
                    st.sampled_from(Verb),
                    boots,
                    times,
                    st.integers(1, 2),
                    st.integers(0, 3),
                )
            )
        ),
        alone=draw(maybe(st.builds(Reading, st.sampled_from(ANY_NAME), lately, maybe(machines)))),
        deleted=draw(st.dictionaries(st.sampled_from(IDS), boots, max_size=2)),
        proved_gone=draw(st.sampled_from(["", "", *ANY_NAME])),
        kin=draw(maybe(st.builds(Kin, lately, st.booleans()))),
        hold=draw(st.none() | hold),
        account=draw(st.builds(Account, seldom(odd=False, usual=True), st.just(""), maybe(hold))),
        market=draw(seldom(odd=None, usual=market())),
    )


def is_going(s: Situation, m: Machine) -> bool:
    """Novita says so, or acknowledged its delete and no list that could contradict has been seen."""
    if m.state in {"toRemove", "removing"}:
        return True
    return s.fleet is not None and m.id in s.deleted and s.fleet.begun <= s.deleted[m.id] + POLICY.list_lag


def is_told_of(s: Situation, m: Machine) -> bool:
    """Whether anything about the object names this machine."""
    written, remembered = s.instance.written_claim, s.remembered
    claims = {claim.machine for claim in (written, remembered) if claim is not None}
    return m.name in {*claims, s.instance.status.machine_name} or (written is not None and written.uid != UID)


def acts(decision: Decision) -> bool:
    return isinstance(decision.action, PutBack | Launch | Start | Stop | Delete | Release | Record)


@given(situations())
def test_there_is_always_one_decision_with_a_sentence(s: Situation) -> None:
    decision = decide(s)
    assert decision == decide(s)
    assert decision.message
    assert decision.again is None or decision.again >= 0


@given(situations())
def test_a_rest_never_asks_to_be_looked_at_at_once(s: Situation) -> None:
    decision = decide(s)
    if isinstance(decision.action, Rest):
        assert decision.again is None or decision.again > 0


@given(situations())
def test_blind_means_still(s: Situation) -> None:
    is_blind = s.fleet is None or s.boot - s.fleet.begun > POLICY.fleet_max_age
    if is_blind or s.account.key_accepted is False or s.instance.is_paused:
        assert not acts(decide(s))


@given(situations())
def test_a_launch_is_never_a_second_machine(s: Situation) -> None:
    action = decide(s).action
    if not isinstance(action, Launch):
        return
    assert s.fleet is not None
    assert not s.fleet.suspect
    assert not s.ours
    assert s.wants_running
    assert s.instance.has_finalizer or s.claim is None
    assert s.claim is not None or (s.remembered is None and s.fleet.begun >= s.version_read)
    for trace in filter(None, (s.trace, s.restored if s.claim is None else None)):
        is_known_not_done = s.create_call == (trace.name, CallResult.NOT_DONE, None)
        assert is_absent(s, trace) or (is_known_not_done and trace.machine_id is None)


@given(situations())
def test_launches_are_numbered_and_bounded(s: Situation) -> None:
    action = decide(s).action
    if isinstance(action, Launch):
        assert action.launch > max(s.instance.status.launches or 0, s.claim.launch if s.claim else 0)
        assert action.retry <= 3 or not s.was_recorded
    if isinstance(action, Start):
        assert action.retry <= 3


@given(situations())
def test_no_hand_is_laid_on_a_machine_that_the_list_does_not_show_as_ours(s: Situation) -> None:
    action = decide(s).action
    if isinstance(action, Delete | Start | Stop):
        assert s.fleet is not None
        touched = s.fleet.machines[action.machine_id]
        assert touched.mark is not None
        assert str(touched.mark).startswith(f"{CLUSTER}/default/trainer/")
        assert is_named_for(touched.name, touched.mark.uid)
        assert touched.mark.uid == UID or is_told_of(s, touched)


@given(situations())
def test_while_claim_and_record_name_machines_of_this_life_none_of_another_is_touched(s: Situation) -> None:
    action, record = decide(s).action, s.instance.status.machine_name or NAME
    speak_of_this_life = s.claim is not None and is_named_for(s.claim.machine, UID) and record != EARLIER_NAME
    if isinstance(action, Delete | Start | Stop) and speak_of_this_life:
        assert s.fleet is not None
        touched = s.fleet.machines[action.machine_id]
        assert touched.mark == Mark(CLUSTER, "default", "trainer", UID)


@given(situations())
def test_the_machine_that_the_claim_names_is_no_duplicate(s: Situation) -> None:
    action = decide(s).action
    if isinstance(action, Delete) and action.cause == "duplicate":
        assert s.claim is not None
        assert s.machine is None or action.machine_id != s.machine.id


@given(situations())
def test_a_delete_that_may_yet_take_is_not_repeated(s: Situation) -> None:
    action = decide(s).action
    if isinstance(action, Delete) and action.machine_id in s.deleted:
        assert s.fleet is not None
        assert not is_going(s, s.fleet.machines[action.machine_id])


@given(situations())
def test_no_machine_that_ran_is_deleted_for_being_late(s: Situation) -> None:
    late = startup_timeout(s)
    if late is not None:
        assert s.machine is not None
        assert late.action == Delete(s.machine.id, DeleteCause.STARTUP_TIMEOUT)
        assert s.machine.state in COMING_UP - COMING_BACK
        assert s.machine.stopped is None
        assert not (s.was_recorded and s.instance.status.started_time)


@given(situations())
def test_a_claim_is_written_for_a_machine_that_stays_where_one_is_shown(s: Situation) -> None:
    action, staying = decide(s).action, {m.name for m in s.ours if not is_going(s, m)}
    of_this_life = {name for name in staying if is_named_for(name, UID)}
    if isinstance(action, PutBack) and s.claim is None and staying:
        assert action.claim.machine in staying or (not of_this_life and action.claim == s.remembered)


@given(situations())
def test_a_deleted_object_neither_launches_nor_starts_nor_gets_anything_back(s: Situation) -> None:
    if s.instance.is_deleting:
        assert not isinstance(decide(s).action, Launch | Start | Stop | PutBack)


@given(situations())
def test_no_object_is_released_while_a_machine_may_be_left_behind(s: Situation) -> None:
    action = decide(s).action
    if not isinstance(action, Release):
        return
    assert s.instance.is_deleting
    assert s.instance.has_finalizer
    assert s.fleet is not None
    assert not s.fleet.suspect
    assert s.fleet.begun >= s.version_read
    staying = {m.id for m in s.ours if not is_going(s, m)}
    assert staying <= set(action.retained)
    if s.instance.spec.deletion_policy == "Delete":
        assert not s.ours
        assert s.trace is None or s.trace.machine_id is None or is_absent(s, s.trace)


@given(situations())
def test_every_decision_can_be_told_and_telling_it_again_is_silent(s: Situation) -> None:
    decision = decide(s)
    status = describe(s, decision)
    list(notices(s.instance, status, decision))
    told = s.instance.model_copy(update={"status": status})
    assert list(notices(told, status, decision)) == []
