from typing import Any

import pytest

from build import CLUSTER, UID, fleet, foreign, machine
from novita_operator.decision.orphans import Orphan, judge
from novita_operator.model.machine import Machine, MachineState
from novita_operator.model.naming import Mark, machine_name

OTHER_UID = "99999999-1111-4222-8333-444455556666"


def made_for(uid: str, namespace: str = "default", cluster: str = CLUSTER, **fields: Any) -> Machine:
    mark = Mark(cluster, namespace, "trainer", uid)
    return machine(**{"name": machine_name(mark, "aaaaaaaa"), "mark": mark, **fields})


def judged(
    *machines: Machine,
    living: frozenset[str] = frozenset(),
    namespaces: tuple[str, ...] = (),
    retained: frozenset[str] = frozenset(),
) -> tuple[Orphan, ...]:
    return judge(fleet(*machines), living, namespaces, retained)


def test_a_machine_whose_resource_is_gone_is_an_orphan() -> None:
    (orphan,) = judged(machine())
    assert orphan == Orphan(machine(), is_retained=False)
    assert orphan.mark == machine().mark


def test_every_machine_of_a_gone_resource_is_an_orphan() -> None:
    found = judged(machine(), machine(id="m-2"), made_for(OTHER_UID, id="m-3"), living=frozenset({OTHER_UID}))
    assert [orphan.machine.id for orphan in found] == ["m-1", "m-2"]


def test_a_machine_left_running_on_purpose_is_told_as_retained() -> None:
    assert judged(machine(), retained=frozenset({"m-1"})) == (Orphan(machine(), is_retained=True),)


def test_only_watched_namespaces_are_judged() -> None:
    elsewhere = made_for(OTHER_UID, "team-b", id="m-2")
    assert [orphan.machine.id for orphan in judged(machine(), elsewhere, namespaces=("team-b",))] == ["m-2"]
    assert [orphan.machine.id for orphan in judged(machine(), elsewhere)] == ["m-1", "m-2"]


@pytest.mark.parametrize(
    "spared",
    [
        pytest.param(foreign(), id="no mark"),
        pytest.param(foreign(name="trainer", mark=machine().mark), id="the mark without the name"),
        pytest.param(foreign(name=machine().name), id="the name without the mark"),
        pytest.param(made_for(UID, cluster="cluster-2"), id="another cluster"),
        pytest.param(machine(MachineState.REMOVED), id="removed already"),
        pytest.param(machine(MachineState.TO_REMOVE), id="about to be removed"),
        pytest.param(machine(MachineState.REMOVING), id="being removed"),
    ],
)
def test_what_is_no_orphan(spared: Machine) -> None:
    assert judged(spared) == ()


def test_a_living_resource_protects_all_machines_of_its_uid() -> None:
    assert judged(machine(), machine(id="m-2"), living=frozenset({UID})) == ()
