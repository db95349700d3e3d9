from datetime import timedelta

import pytest

from build import NOW, claim, fleet, instance, machine, recorded, situation, spec
from novita_operator.decision.actions import Decision, Rest, Start, Stop
from novita_operator.decision.decide import decide
from novita_operator.decision.rules.power import power
from novita_operator.decision.situation import Hold, Situation
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import Endpoint, MachineState, SpotStatus
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode, PortProtocol

RUNNING = instance(claim=claim(), status=recorded())
STOPPED = instance(claim=claim(), status=recorded(), spec=spec(powerState="Stopped"))
EXITED = machine(MachineState.EXITED)
RUNS = Decision(Rest(), Reason.RUNNING, "The machine runs.")
RESTS = Decision(Rest(), Reason.STOPPED, "The machine is stopped, as wanted; its disk is kept and billed.")
RECLAIMED = Decision(
    Rest(), Reason.SPOT_RECLAIMED, "Novita took the spot machine back. Delete the resource to launch anew."
)


def starts(retry: int) -> Decision:
    return Decision(Start("m-1", retry), Reason.STARTING, "The machine is coming up.")


def retried(count: int, seconds_ago: float, generation: int = 1) -> GpuInstance:
    last = NOW - timedelta(seconds=seconds_ago)
    retries = {"generation": generation, "count": count, "lastTime": last}
    return instance(claim=claim(), status=recorded(retries=retries))


def endpoint(address: str, port: int = 8888) -> Endpoint:
    return Endpoint(port, PortProtocol.HTTP, address)


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(situation(RUNNING, fleet=fleet(machine())), RUNS, id="it runs as wanted"),
        pytest.param(
            situation(RUNNING, fleet=fleet(machine(endpoints=(endpoint("https://a"),)))),
            RUNS,
            id="it runs and its ports have addresses",
        ),
        pytest.param(situation(RUNNING, fleet=fleet(machine(endpoints=()))), RUNS, id="it runs without ports"),
        pytest.param(
            situation(RUNNING, fleet=fleet(machine(endpoints=(endpoint("https://a"), endpoint("", 22))))),
            Decision(Rest(), Reason.STARTING, "The machine runs; its ports have no address yet."),
            id="it is not ready before every port has its address",
        ),
        pytest.param(
            situation(STOPPED, fleet=fleet(machine(endpoints=(endpoint(""),)))),
            Decision(Stop("m-1"), Reason.STOPPING, "The machine is stopping."),
            id="it runs and is wanted stopped",
        ),
        pytest.param(situation(STOPPED, fleet=fleet(EXITED)), RESTS, id="it is stopped as wanted"),
        pytest.param(
            situation(STOPPED, fleet=fleet(machine(MachineState.EXITED, spot=SpotStatus.TERMINATED))),
            RESTS,
            id="a wanted stop is right however it came about",
        ),
        pytest.param(situation(RUNNING, fleet=fleet(EXITED)), starts(1), id="it stopped and is wanted running"),
        pytest.param(
            situation(RUNNING, fleet=fleet(EXITED, suspect=True)),
            starts(1),
            id="what a suspect list shows is acted on",
        ),
        pytest.param(
            situation(retried(1, 31), fleet=fleet(EXITED)), starts(2), id="the second start follows after a pause"
        ),
        pytest.param(
            situation(retried(2, 121), fleet=fleet(EXITED)),
            starts(3),
            id="the third start follows after a longer pause",
        ),
        pytest.param(
            situation(retried(3, 9999, generation=0), fleet=fleet(EXITED)),
            starts(1),
            id="a new generation of the spec counts anew",
        ),
        pytest.param(
            situation(retried(1, 29), fleet=fleet(EXITED)),
            Decision(
                Rest(),
                Reason.RETRYING,
                "The machine stopped by itself. The operator tries again shortly.",
                again=1.0,
            ),
            id="a start waits for its pause",
        ),
        pytest.param(
            situation(retried(1, 29), fleet=fleet(machine(MachineState.EXITED, error="OOMKilled"))),
            Decision(
                Rest(),
                Reason.RETRYING,
                "The machine stopped by itself (OOMKilled). The operator tries again shortly.",
                again=1.0,
            ),
            id="Novita's word for why it stopped is passed on",
        ),
        pytest.param(
            situation(retried(3, 9999), fleet=fleet(EXITED)),
            Decision(
                Rest(),
                Reason.TOO_MANY_RETRIES,
                "The machine stopped by itself. "
                "Tried 3 times for this generation of the spec and gave up: change the spec to try again.",
            ),
            id="there is no fourth start",
        ),
        pytest.param(
            situation(
                RUNNING,
                fleet=fleet(EXITED),
                hold=Hold(Reason.NO_STOCK, "No GPU is free.", 1, NOW + timedelta(seconds=40)),
            ),
            Decision(Rest(), Reason.NO_STOCK, "No GPU is free.", again=40.0),
            id="a refused start waits",
        ),
        pytest.param(
            situation(retried(1, 29), fleet=fleet(EXITED), hold=Hold(Reason.NO_STOCK, "No GPU is free.", 1, None)),
            Decision(
                Rest(),
                Reason.RETRYING,
                "The machine stopped by itself. The operator tries again shortly.",
                again=1.0,
            ),
            id="the pause is told before the refusal",
        ),
        pytest.param(
            situation(RUNNING, fleet=fleet(machine(MachineState.EXITED, spot=SpotStatus.TERMINATED))),
            RECLAIMED,
            id="a terminated spot machine is reported, not started",
        ),
        pytest.param(
            situation(RUNNING, fleet=fleet(machine(MachineState.EXITED, reclaim_at=NOW))),
            RECLAIMED,
            id="a spot machine that stopped after a notice is reported, not started",
        ),
        pytest.param(
            situation(RUNNING, fleet=fleet(machine(MachineState.EXITED, reclaim_at=NOW, stopped=NOW))),
            RECLAIMED,
            id="a spot machine that stopped when its notice ran out was taken back",
        ),
        pytest.param(
            situation(
                RUNNING, fleet=fleet(machine(MachineState.EXITED, reclaim_at=NOW, stopped=NOW - timedelta(seconds=1)))
            ),
            starts(1),
            id="a spot machine that stopped before its notice ran out stopped by itself",
        ),
        pytest.param(
            situation(
                RUNNING,
                fleet=fleet(
                    machine(
                        MachineState.EXITED,
                        spot=SpotStatus.TERMINATED,
                        reclaim_at=NOW,
                        stopped=NOW - timedelta(seconds=1),
                    )
                ),
            ),
            RECLAIMED,
            id="Novita's word that it terminated the machine goes before any time",
        ),
        pytest.param(
            situation(
                RUNNING,
                fleet=fleet(machine(MachineState.EXITED, reclaim_at=NOW, billing=BillingMode.ON_DEMAND)),
            ),
            starts(1),
            id="an on-demand machine is never reclaimed",
        ),
        pytest.param(
            situation(RUNNING, fleet=fleet(machine(reclaim_at=NOW, spot=SpotStatus.NOTIFIED))),
            RUNS,
            id="until it is taken back a spot machine runs",
        ),
        pytest.param(
            situation(RUNNING, fleet=fleet(machine(MachineState.FREEZING))),
            Decision(Rest(), Reason.FROZEN, "Novita froze the machine: look at the account's balance."),
            id="a frozen machine needs people",
        ),
        pytest.param(
            situation(STOPPED, fleet=fleet(machine(MachineState.UNKNOWN))),
            Decision(
                Rest(), Reason.UNKNOWN_STATE, "Novita says a word for the machine's state that is not known here."
            ),
            id="an unknown word is acted on by nobody",
        ),
    ],
)
def test_power_is_made_what_is_wanted(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


def test_the_last_rule_is_never_asked_without_a_machine() -> None:
    with pytest.raises(AssertionError, match="`launch` answers for every object without a machine"):
        power(situation())
