"""The soak does not rot: a short one runs, and its judge finds what is planted for it to find."""

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import NamedTuple

import httpx2
import pytest

from controlplane.plane import ControlPlane
from novita_operator.model.naming import MARK_ENV, Mark, machine_name
from novita_simulator.client import Simulator
from novita_simulator.views import MachineView
from proof import script
from proof.play import Play, played
from proof.report import Report
from proof.told import Resource, Scene, owner
from proof.verdict import doubles, findings
from proof.world import theatre
from stage import KEY, PATIENCE, eventually

pytestmark = pytest.mark.server

MOST_SECONDS = 6.0


class Soaked(NamedTuple):
    """A play after a short soak and a disaster, and what was found of them before any test laid a hand on it."""

    play: Play
    report: Report
    lost: str
    of_disaster: list[str]
    after_disaster: Scene


@pytest.fixture(scope="module")
def soaked(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soaked]:
    """One operator and some objects; `lost` is the uid that one of them had before the disaster."""
    stage = theatre(plane, tmp_path_factory.mktemp("soak"), home="home-of-soak")
    with played(stage, seed="test-1", objects=8, tell=print) as play:
        play.cycle(has_outages=False, most=MOST_SECONDS)
        report = deepcopy(play.report())
        play.world.cluster.apply("restored")
        play.world.cluster.wait("restored", "Ready")
        (lost,) = (each["metadata"]["uid"] for each in play.users.objects() if each["metadata"]["name"] == "restored")
        found, scene = play.disaster(random.Random(0), most=99), play.referee.scene()
        play.world.cluster.apply("resting")
        yield Soaked(play, report, lost, found, scene)


@pytest.fixture
def still(soaked: Soaked) -> Play:
    """All is at rest again, whatever the test before has broken, and now nobody is there who would mend it."""
    play = soaked.play
    play.players.change("one", gently=True)
    play.players.keep()
    eventually(lambda: not findings(play.referee.scene()) and machine_of(play), "it rests", PATIENCE)
    assert play.players.end() == []
    return play


def test_a_seed_repeats_the_play() -> None:
    on = script.names(5)
    assert script.act("a", 3, on) == script.act("a", 3, on) != script.act("b", 3, on)


def test_a_short_soak_is_clean(soaked: Soaked) -> None:
    assert soaked.report.findings == []
    assert soaked.report.counts["machines created"] > 0


def test_a_restored_object_has_the_machine_of_its_earlier_life_and_no_other(soaked: Soaked) -> None:
    assert soaked.of_disaster == []
    assert soaked.lost in soaked.after_disaster.heirs
    assert [lie for lie in findings(soaked.after_disaster._replace(heirs={})) if "left behind" in lie]


def test_rest_is_no_finding(still: Play) -> None:
    assert findings(still.referee.scene()) == []


def test_a_second_machine_of_an_object_is_found_now_and_in_the_books(still: Play) -> None:
    novita = still.world.novita
    machine = machine_of(still)
    assert machine is not None
    mark = Mark.parse(machine.envs[MARK_ENV])
    assert mark is not None
    second = planted(novita, mark, "zzzzzzzz")
    assert [lie for lie in findings(still.referee.scene()) if "2 machines are there" in lie]
    novita.vanish(second)
    assert findings(still.referee.scene()) == []
    assert doubles(novita.ledger().entries, still.cluster_id, {}) == [f"2 machines at once for {mark.uid}"]


def test_a_machine_that_nobody_wants_is_found(still: Play) -> None:
    orphan = planted(
        still.world.novita, Mark(still.cluster_id, still.world.cluster.namespace, "gone", "no-uid"), "a" * 8
    )
    assert [lie for lie in findings(still.referee.scene()) if "left behind" in lie]
    assert findings(still.referee.scene()._replace(let_go=frozenset({"no-uid"})))
    listed = still.referee.scene()._replace(let_go=frozenset({"no-uid"}), retained=frozenset({orphan}))
    assert findings(listed) == []
    still.world.novita.vanish(orphan)


def test_a_status_that_is_outlived_is_found(still: Play) -> None:
    machine = machine_of(still)
    assert machine is not None
    still.world.novita.crash(machine.id)
    assert [lie for lie in findings(still.referee.scene()) if "the machine is exited" in lie]
    still.world.novita.vanish(machine.id)
    assert [lie for lie in findings(still.referee.scene()) if "no machine is there" in lie]


def test_a_claimed_reason_must_be_true(still: Play) -> None:
    """Of a machine that runs, no other reason is believed."""
    for reason in (
        "Stopped",
        "SpotReclaimed",
        "TooManyRetries",
        "Retrying",
        "Refused",
        "NoStock",
        "Paused",
        "Launching",
    ):
        scene = still.referee.scene()
        told = tuple(saying(each, reason) for each in scene.objects if each["metadata"]["name"] == "resting")
        assert findings(scene._replace(objects=told, machines=())), reason


def test_a_hand_on_a_foreign_machine_is_found(still: Play) -> None:
    novita, strangers = still.world.novita, iter(still.novita.strangers.items())
    (touched, name), (taken, other) = next(strangers), next(strangers)
    answer = httpx2.post(
        f"{novita.url}/gpu-instance/openapi/v1/gpu/instance/stop",
        json={"instanceId": touched},
        headers={"Authorization": f"Bearer {KEY}"},
        trust_env=False,
    )
    assert answer.is_success
    novita.vanish(taken)
    found = still.referee.judge(still.report().counts)
    assert {f"stop of the foreign machine {name}", f"the foreign machine {other} is gone"} <= set(found)


def machine_of(play: Play, name: str = "resting") -> MachineView | None:
    """The machine of the object, None while there is none."""
    found = play.users.find(name)
    mine = [m for m in play.world.novita.machines() if found and owner(m, play.cluster_id) == found["metadata"]["uid"]]
    return mine[0] if mine else None


def planted(novita: Simulator, mark: Mark, token: str) -> str:
    (machine,) = novita.plant(machine_name(mark, token), envs={MARK_ENV: str(mark)})
    return machine.id


def saying(resource: Resource, reason: str) -> Resource:
    """The same, but for the reason."""
    conditions = [{**each, "reason": reason} for each in resource["status"]["conditions"]]
    return {**resource, "status": {**resource["status"], "conditions": conditions}}
