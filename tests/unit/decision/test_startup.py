from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from build import NAME, NOW, OTHER_NAME, POLICY, claim, fleet, instance, machine, recorded, situation, spec
from novita_operator.decision.actions import Decision, Delete, DeleteCause, Record, Rest
from novita_operator.decision.decide import decide
from novita_operator.decision.rules.startup import startup_timeout
from novita_operator.decision.situation import Situation
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import COMING_BACK, COMING_UP, MachineState
from novita_operator.model.reasons import Reason

PULLING = fleet(machine(MachineState.PULLING))


def launched(seconds_ago: float, *, status: Mapping[str, Any] | None = None, **spec_fields: Any) -> GpuInstance:
    begun = claim(at=NOW - timedelta(seconds=seconds_ago))
    return instance(claim=begun, status=recorded() if status is None else status, spec=spec(**spec_fields))


def retried(seconds_ago: float) -> dict[str, Any]:
    return recorded(
        retries={"generation": 1, "count": 1, "lastTime": NOW - timedelta(seconds=seconds_ago)},
    )


def times_out(seconds: int) -> Decision:
    return Decision(
        Delete("m-1", DeleteCause.STARTUP_TIMEOUT),
        Reason.STARTUP_TIMEOUT,
        f"Machine {NAME} did not come up within {seconds} s: deleted, to be launched anew.",
    )


def in_time(again: float) -> Decision:
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
            situation(launched(700, status=retried(100)), fleet=PULLING),
            in_time(500.0),
            id="a later start begins the time anew",
        ),
        pytest.param(
            situation(launched(700, status=retried(800)), fleet=PULLING),
            times_out(600),
            id="a start before the launch does not count",
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
    ],
)
def test_a_machine_that_never_comes_up_is_deleted(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(
            situation(launched(600, status=recorded(startedTime=NOW - timedelta(hours=1))), fleet=PULLING),
            id="status remembers that it ran",
        ),
        pytest.param(
            situation(launched(600), fleet=fleet(machine(MachineState.PULLING, stopped=NOW))),
            id="Novita remembers that it stopped",
        ),
        pytest.param(
            situation(launched(600), fleet=fleet(machine(MachineState.RESTARTING))), id="a restart comes after a run"
        ),
    ],
)
def test_a_machine_that_ran_before_is_never_deleted_for_being_late(s: Situation) -> None:
    assert decide(s) == Decision(
        Rest(),
        Reason.STARTUP_TIMEOUT,
        "The machine does not come up in time. It ran before, so its disk may hold data: it is not deleted.",
    )


@pytest.mark.parametrize("state", sorted(frozenset(MachineState) - COMING_UP))
def test_only_what_is_coming_up_can_be_late(state: MachineState) -> None:
    assert startup_timeout(situation(launched(9999), fleet=fleet(machine(state)))) is None


def test_without_a_machine_nothing_is_late() -> None:
    assert startup_timeout(situation()) is None
