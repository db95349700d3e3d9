from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from build import BOOT, NAME, NOW, OTHER_NAME, POLICY, claim, fleet, instance, machine, recorded, situation, spec
from novita_operator.decision.actions import Decision, Delete, DeleteCause, Record, Rest
from novita_operator.decision.decide import decide
from novita_operator.decision.rules.startup import startup_timeout
from novita_operator.decision.situation import Situation
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import COMING_BACK, COMING_UP, Machine, MachineState
from novita_operator.model.reasons import Reason

PULLING = fleet(machine(MachineState.PULLING))


def launched(
    seconds_ago: float,
    *,
    status: Mapping[str, Any] | None = None,
    created: datetime | None = None,
    **spec_fields: Any,
) -> GpuInstance:
    begun = claim(at=NOW - timedelta(seconds=seconds_ago))
    recorded_status = recorded() if status is None else status
    return instance(claim=begun, status=recorded_status, spec=spec(**spec_fields), creationTimestamp=created)


def restored(seconds_ago: float, **fields: Any) -> GpuInstance:
    """From a backup, which has the claim of a launch long before."""
    return launched(9999, created=NOW - timedelta(seconds=seconds_ago), **fields)


def retries(seconds_ago: float) -> dict[str, Any]:
    return {"retries": {"generation": 1, "count": 1, "lastTime": NOW - timedelta(seconds=seconds_ago)}}


def times_out(seconds: int) -> Decision:
    return Decision(
        Delete("m-1", DeleteCause.STARTUP_TIMEOUT),
        Reason.STARTUP_TIMEOUT,
        f"Machine {NAME} did not come up within {seconds} s: deleted, to be launched anew.",
    )


def in_time(again: float | None) -> Decision:
    return Decision(Rest(), Reason.STARTING, "The machine is coming up.", again=again)


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(situation(launched(599), fleet=PULLING), in_time(1.0), id="one second is left"),
        pytest.param(situation(launched(600), fleet=PULLING), times_out(600), id="the operator's time is up"),
        pytest.param(
            situation(launched(600), fleet=PULLING, policy=replace(POLICY, startup_timeout=601.0)),
            in_time(1.0),
            id="the operator's time is a setting",
        ),
        pytest.param(
            situation(launched(30, startup={"timeoutSeconds": 30}), fleet=PULLING),
            times_out(30),
            id="the spec's time is shorter",
        ),
        pytest.param(
            situation(launched(600, startup={"timeoutSeconds": 1000}), fleet=PULLING),
            in_time(400.0),
            id="the spec's time is longer",
        ),
        pytest.param(
            situation(launched(700, status=recorded(**retries(100))), fleet=PULLING),
            in_time(500.0),
            id="a later start begins the time anew",
        ),
        pytest.param(
            situation(launched(700, status=recorded(**retries(800))), fleet=PULLING),
            times_out(600),
            id="a start before the launch does not count",
        ),
        pytest.param(
            situation(restored(599), fleet=PULLING), in_time(1.0), id="the time of a takeover begins with its object"
        ),
        pytest.param(situation(restored(600), fleet=PULLING), times_out(600), id="a takeover has its time, no more"),
        pytest.param(
            situation(launched(600, created=NOW - timedelta(seconds=9999)), fleet=PULLING),
            times_out(600),
            id="the age of an object is nothing to a later launch",
        ),
        pytest.param(
            situation(launched(600, powerState="Stopped"), fleet=PULLING),
            times_out(600),
            id="a machine that never came up is deleted even if a stop is wanted by now",
        ),
        *(
            pytest.param(
                situation(launched(600), fleet=fleet(machine(state))), times_out(600), id=f"{state} for too long"
            )
            for state in sorted(COMING_UP - COMING_BACK)
        ),
        pytest.param(
            situation(launched(600, status=recorded(machineName=OTHER_NAME, startedTime=NOW)), fleet=PULLING),
            Decision(Record("m-1"), Reason.STARTING, "The machine is coming up.", again=0.0),
            id="what is not yet recorded is recorded first",
        ),
        pytest.param(
            situation(launched(600), fleet=PULLING, deleted={"m-1": BOOT - 11.5}),
            times_out(600),
            id="a delete that did not take is repeated",
        ),
    ],
)
def test_a_machine_that_never_comes_up_is_deleted(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


def ran_before(**status: Any) -> tuple[Any, ...]:
    """A machine that comes up late after a run, by each of the signs that it ran."""
    earlier = NOW - timedelta(hours=1)
    return (
        pytest.param(
            situation(launched(9999, status=recorded(startedTime=earlier, **status)), fleet=PULLING),
            id="status remembers that it ran",
        ),
        pytest.param(
            situation(
                launched(9999, status=recorded(**status)), fleet=fleet(machine(MachineState.PULLING, stopped=earlier))
            ),
            id="Novita remembers that it stopped",
        ),
        pytest.param(
            situation(launched(9999, status=recorded(**status)), fleet=fleet(machine(MachineState.RESTARTING))),
            id="a restart comes after a run",
        ),
    )


@pytest.mark.parametrize("s", ran_before(**retries(600)))
def test_a_machine_that_ran_before_is_never_deleted_for_being_late(s: Situation) -> None:
    assert startup_timeout(s) is None
    assert decide(s) == Decision(
        Rest(),
        Reason.STARTUP_TIMEOUT,
        "The machine does not come up in time. It ran before, so its disk may hold data: it is not deleted.",
    )


@pytest.mark.parametrize("s", ran_before(**retries(599)))
def test_the_time_of_a_machine_that_ran_before_counts_from_our_own_last_start(s: Situation) -> None:
    assert decide(s) == in_time(1.0)


@pytest.mark.parametrize("s", ran_before())
def test_a_machine_that_others_start_again_has_no_deadline(s: Situation) -> None:
    assert startup_timeout(s) is None
    assert decide(s) == in_time(None)


@pytest.mark.parametrize(
    "shown", [machine(MachineState.STARTING), machine(MachineState.PULLING, stopped=NOW - timedelta(hours=1))]
)
def test_what_a_restored_object_finds_being_started_again_is_not_deleted(shown: Machine) -> None:
    assert decide(situation(restored(9000), fleet=fleet(shown))) == in_time(None)


@pytest.mark.parametrize("seconds_later", [0, 1, 3000])
def test_a_start_of_ours_that_brought_the_machine_up_is_no_deadline_for_the_next_start(seconds_later: int) -> None:
    came_up = NOW - timedelta(seconds=5000 - seconds_later)
    restarted = launched(9999, status=recorded(startedTime=came_up, **retries(5000)))
    assert decide(situation(restarted, fleet=fleet(machine(MachineState.TO_RESTART)))) == in_time(None)


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(situation(launched(599), fleet=PULLING), id="what is in time"),
        pytest.param(
            situation(launched(9999, status=recorded(startedTime=NOW, **retries(9000))), fleet=PULLING),
            id="what ran before",
        ),
        pytest.param(
            situation(
                launched(700, status=recorded(machineName=OTHER_NAME, startedTime=NOW, **retries(100))), fleet=PULLING
            ),
            id="what is not recorded yet, while status tells when another machine came up",
        ),
    ],
)
def test_the_rule_alone_gives_up_nothing_that_another_rule_would_have_kept(s: Situation) -> None:
    assert startup_timeout(s) is None


@pytest.mark.parametrize("state", sorted(frozenset(MachineState) - COMING_UP))
def test_only_what_is_coming_up_can_be_late(state: MachineState) -> None:
    assert startup_timeout(situation(launched(9999), fleet=fleet(machine(state)))) is None


def test_without_a_machine_nothing_is_late() -> None:
    assert startup_timeout(situation()) is None
