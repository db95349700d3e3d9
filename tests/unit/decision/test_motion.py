from datetime import timedelta
from typing import Any

import pytest

from build import BOOT, NOW, claim, fleet, instance, machine, recorded, situation, spec
from novita_operator.decision.actions import Action, Decision, Rest, Start, Stop
from novita_operator.decision.decide import decide
from novita_operator.decision.rules.motion import in_motion
from novita_operator.decision.situation import PowerCall, Situation, Verb
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import COMING_BACK, COMING_UP, GOING_AWAY, GOING_DOWN, MachineState
from novita_operator.model.reasons import Reason

STARTING = "The machine is coming up."
STOPPING = "The machine is stopping."
REMOVED_SOON = Decision(Rest(), Reason.RETRYING, "The machine is being removed at Novita.")
YOUNG = claim(at=NOW - timedelta(seconds=100))


def running(**fields: Any) -> GpuInstance:
    return instance(**{"claim": YOUNG, "status": recorded(), **fields})


def stopped(**fields: Any) -> GpuInstance:
    return running(spec=spec(powerState="Stopped"), **fields)


def last_started(seconds_ago: float) -> dict[str, Any]:
    retries = {"generation": 1, "count": 1, "lastTime": NOW - timedelta(seconds=seconds_ago)}
    return recorded(retries=retries)


def asked(verb: Verb, *, at: float = BOOT - 11, machine_id: str = "m-1") -> PowerCall:
    return PowerCall(machine_id, verb, at, NOW - timedelta(seconds=11), 1, 1)


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        *(
            pytest.param(situation(running(), fleet=fleet(machine(state))), REMOVED_SOON, id=f"{state} is waited for")
            for state in sorted(GOING_AWAY)
        ),
        pytest.param(
            situation(running(), fleet=fleet(machine()), deleted={"m-1": BOOT - 1}),
            REMOVED_SOON,
            id="after an acknowledged delete the machine is on its way out, whatever the list still says",
        ),
        pytest.param(
            situation(running(), fleet=fleet(machine()), deleted={"m-1": BOOT - 11}),
            REMOVED_SOON,
            id="a list begun within the lag after an acknowledged delete does not contradict it",
        ),
        pytest.param(
            situation(running(), fleet=fleet(machine(MachineState.REMOVING)), deleted={"m-1": BOOT - 9999}),
            REMOVED_SOON,
            id="a machine whose delete took is on its way out for as long as that takes",
        ),
        *(
            pytest.param(
                situation(running(), fleet=fleet(machine(state))),
                Decision(Rest(), Reason.STOPPING, STOPPING),
                id=f"{state} is waited for, even if it is wanted running",
            )
            for state in sorted(GOING_DOWN)
        ),
        pytest.param(
            situation(stopped(), fleet=fleet(machine(MachineState.MIGRATING))),
            Decision(Rest(), Reason.STARTING, "Novita moves the machine to another node."),
            id="a move is waited for",
        ),
        *(
            pytest.param(
                situation(running(), fleet=fleet(machine(state))),
                Decision(Rest(), Reason.STARTING, STARTING, again=500.0),
                id=f"{state} is waited for until the startup times out",
            )
            for state in sorted(COMING_UP - COMING_BACK)
        ),
        *(
            pytest.param(
                situation(running(status=last_started(100)), fleet=fleet(machine(state))),
                Decision(Rest(), Reason.STARTING, STARTING, again=500.0),
                id=f"{state} is waited for until the time since our start is up",
            )
            for state in sorted(COMING_BACK)
        ),
        *(
            pytest.param(
                situation(running(claim=claim()), fleet=fleet(machine(state))),
                Decision(Rest(), Reason.STARTING, STARTING),
                id=f"{state} without a start of ours is waited for without end",
            )
            for state in sorted(COMING_BACK)
        ),
        pytest.param(
            situation(stopped(), fleet=fleet(machine(MachineState.PULLING))),
            Decision(Rest(), Reason.STOPPING, "The machine is coming up and can be stopped only then.", again=500.0),
            id="a wanted stop waits until the machine is up",
        ),
        pytest.param(
            situation(stopped(status=last_started(600)), fleet=fleet(machine(MachineState.STARTING))),
            Decision(Rest(), Reason.STOPPING, "The machine is coming up and can be stopped only then."),
            id="a wanted stop of a machine that came back too late waits for news, not for a time that has passed",
        ),
        pytest.param(
            situation(stopped(), fleet=fleet(machine(MachineState.STARTING))),
            Decision(Rest(), Reason.STOPPING, "The machine is coming up and can be stopped only then."),
            id="a wanted stop of a machine that others started waits for news",
        ),
        *(
            pytest.param(
                situation(running(status=last_started(600)), fleet=fleet(machine(state))),
                Decision(
                    Rest(),
                    Reason.STARTUP_TIMEOUT,
                    "The machine does not come up in time. "
                    "It ran before, so its disk may hold data: it is not deleted.",
                ),
                id=f"{state} comes after a run: too late, but its disk may hold data",
            )
            for state in sorted(COMING_BACK)
        ),
        pytest.param(
            situation(running(), fleet=fleet(machine(MachineState.EXITED)), power_call=asked(Verb.START)),
            Decision(Rest(), Reason.STARTING, STARTING),
            id="after a start the list may lag: it is not started again",
        ),
        pytest.param(
            situation(stopped(), fleet=fleet(machine()), power_call=asked(Verb.STOP)),
            Decision(Rest(), Reason.STOPPING, STOPPING),
            id="after a stop the list may lag: it is not stopped again",
        ),
    ],
)
def test_what_novita_is_at_work_on_is_waited_for(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


@pytest.mark.parametrize(
    ("s", "action"),
    [
        pytest.param(
            situation(
                running(), fleet=fleet(machine(MachineState.EXITED)), power_call=asked(Verb.START, at=BOOT - 11.5)
            ),
            Start("m-1", 1),
            id="a list begun later than the lag after a start contradicts it",
        ),
        pytest.param(
            situation(stopped(), fleet=fleet(machine()), power_call=asked(Verb.STOP, at=BOOT - 11.5)),
            Stop("m-1"),
            id="a list begun later than the lag after a stop contradicts it",
        ),
        pytest.param(
            situation(stopped(), fleet=fleet(machine()), power_call=asked(Verb.STOP, machine_id="m-0")),
            Stop("m-1"),
            id="a call for another machine says nothing of this one",
        ),
        pytest.param(situation(stopped(), fleet=fleet(machine())), Stop("m-1"), id="nothing was asked"),
        pytest.param(
            situation(stopped(), fleet=fleet(machine()), deleted={"m-1": BOOT - 11.5}),
            Stop("m-1"),
            id="a machine that a list begun later than the lag after its delete shows running is not on its way out",
        ),
        pytest.param(
            situation(stopped(), fleet=fleet(machine()), power_call=asked(Verb.START)),
            Stop("m-1"),
            id="a machine that runs after its start can be stopped",
        ),
        pytest.param(
            situation(running(), fleet=fleet(machine(MachineState.EXITED)), power_call=asked(Verb.STOP)),
            Start("m-1", 1),
            id="a machine that stopped after its stop can be started",
        ),
    ],
)
def test_a_still_machine_is_acted_on(s: Situation, action: Action) -> None:
    assert decide(s).action == action


def test_without_a_machine_nothing_moves() -> None:
    assert in_motion(situation()) is None


def test_a_call_without_any_list_is_no_motion() -> None:
    assert in_motion(situation(running(), fleet=None, power_call=asked(Verb.STOP))) is None
