"""Blind means still: without a fresh and complete list nothing is created, stopped or deleted, and all are told.

One hour of each outage, 90 times as fast: 40 s. The poll interval is one second, the claim window three (the least
that there can be of both), the rounds of sweep and audit five. What the operator derives from these
goes with them: a list is too old after three seconds, the breaker rests for one, a question is given up after three.
Not scaled: the budget's minute, and what the API server's clients wait between tries (5 to 8 s). Therefore the minute
after the outage is a whole one; at its true scale the hour is played in tests/unit/test_blind_hour.py.

Lists that shrink alike are believed after three of them (decision/brake.py), so in its scene they shrink otherwise each
time; what comes after three that agree stands in the second test.

All outages are played side by side, each with an operator, a namespace and a Novita of its own.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from component.blind_scenes import CALLS_PER_MINUTE, MINUTE, OUTAGES, Scene, at_rest, blind, is_why, scene, told, writes
from component.operator_fixtures import WRITES, StartOperator
from controlplane.plane import ControlPlane
from novita_simulator.client import Simulator
from stage import PATIENCE, Cluster, eventually, install_crd

pytestmark = pytest.mark.server

HOUR = 40.0
"""Scaled."""
POLL = 1.0


@pytest.fixture
def scenes(plane: ControlPlane, crd: None, tmp_path: Path) -> Iterator[list[Scene]]:  # noqa: ARG001  it must be served
    """One for each outage, all of their resources Ready; where the API server stops, the plane is the scene's own."""
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(ControlPlane(tmp_path / "plane"))
        install_crd(own)
        found = [
            stack.enter_context(scene(own if outage.loses_api else plane, name, tmp_path))
            for name, outage in OUTAGES.items()
        ]
        for each in found:
            each.cluster.kubectl("wait", "gpui", "--all", "--for=condition=Ready", f"--timeout={MINUTE:.0f}s")
        yield found
        for each in found:
            assert max(each.novita.ledger().max_alive.values()) <= 1, "an object had two machines at once"


def test_an_hour_of_blindness_moves_no_hand_is_told_and_is_over_within_a_minute_without_a_storm(
    scenes: list[Scene],
) -> None:
    for each in scenes:
        each.begin()
    began = scenes[0].now()
    for step in (blind, Scene.wish, told, Scene.turn_worse):
        for each in scenes:
            step(each)
    eventually(lambda: scenes[0].now() >= began + HOUR, "the hour is over", seconds=HOUR + PATIENCE)
    for each in scenes:
        has_been_still(each)
        each.end()
    for each in scenes:
        at_rest(each)
        assert each.rested() <= each.well + MINUTE + POLL, f"{each.name}: at rest, but late"
    last = scenes[-1]
    eventually(lambda: last.now() >= last.ended + MINUTE, "the minute is over", seconds=MINUTE + PATIENCE)
    for each in scenes:
        no_storm(each)


def has_been_still(each: Scene) -> None:
    """And still says why."""
    assert each.writes() == each.before, f"{each.name}: a hand moved"
    assert each.attempts() <= each.tried, f"{each.name}: a hand wanted to move"
    if each.outage.loses_api:
        assert each.sight()["ok"], "it is not Novita that keeps it still"
        assert each.sight("kubernetes")["detail"].startswith("the Kubernetes API did not answer")
    else:
        assert is_why(each, each.sight()["detail"]), (each.name, each.sight())
        assert each.sight()["ok"] is False, each.name
    if not (each.outage.loses_api or each.outage.hides):
        eventually(lambda: "no sweep for orphans this time" in each.operator.lines, "no sweep")
    assert "Traceback" not in each.operator.lines


def no_storm(each: Scene) -> None:
    """One call for what was to be done, and no minute of the whole play with more calls than the budget."""
    calls = each.novita.journal()
    since = [asked for asked in calls if asked.at >= each.ended]
    done = Counter(asked.operation for asked in since if asked.operation in WRITES)
    assert done == {"create": 2, "start": 1, "stop": 1, "delete": 2}, each.name
    times = [asked.at for asked in calls]
    fullest = max(sum(begin <= at < begin + MINUTE for at in times) for begin in times)
    assert fullest <= CALLS_PER_MINUTE, f"{each.name}: a storm"
    left = each.left()
    assert {left[machine_id] for machine_id in each.spared} == {"running"}, each.name


def test_a_list_that_shrinks_by_all_of_ours_moves_no_hand_and_what_is_shown_again_is_served(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    """Eight vanish at once, for longer than the brake holds: then each is asked for alone, and is there."""
    operator = start_operator(NOVITA_OPERATOR_ORPHAN_POLICY="Delete")
    names = [f"worker-{number}" for number in range(8)]
    for name in names:
        cluster.apply(name)
    cluster.kubectl("wait", "gpui", "--all", "--for=condition=Ready", f"--timeout={PATIENCE:.0f}s")
    before = writes(novita)
    novita.fault("shrunken_list", "list", fraction=1.0, times=None)
    eventually(lambda: operator.metric("novita_fleet_suspect") == 1, "the brake is on")
    cluster.patch("worker-0", {"spec": {"powerState": "Stopped"}})
    cluster.kubectl("delete", "gpui", "worker-1", "--wait=false")
    eventually(lambda: operator.metric("novita_fleet_suspect") == 0, "the lists are believed")
    eventually(lambda: len(asked_alone(novita)) == len(names), "each was asked for alone")
    seen = len(novita.journal("list"))
    eventually(lambda: len(novita.journal("list")) >= seen + 6, "six more lists")
    assert writes(novita) == before
    novita.clear()
    cluster.wait_reason("worker-0", "Stopped")
    cluster.kubectl("wait", "gpui/worker-1", "--for=delete", f"--timeout={PATIENCE:.0f}s")
    for name in names[2:]:
        cluster.wait(name, "Ready")
    assert Counter(asked.operation for asked in writes(novita)) == {"create": 8, "stop": 1, "delete": 1}


def asked_alone(novita: Simulator) -> set[str]:
    return {asked.machine_id for asked in novita.journal("get")}
