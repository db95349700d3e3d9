"""The levers for hostile answers: machines in disguise, and answers changed at random."""

from collections.abc import Iterator
from random import Random

import httpx2
import pytest

from novita_simulator import seed
from novita_simulator.client import Simulator
from novita_simulator.garbling import Answer, garbled
from novita_simulator.operations import BASE
from novita_simulator.running import running

TRUTH = Answer(200, b'{"instances": [{"id": "a", "name": "one"}, {"id": "b", "name": "two"}], "total": 2}')


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running(has_foreign_machines=False) as simulator:
        yield simulator


def ask(simulator: Simulator, path: str, **query: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {seed.MAIN_KEY}", "User-Agent": "garbling/1"}
    return httpx2.get(f"{simulator.url}{BASE}{path}", params=query, headers=headers, trust_env=False)


def test_a_disguise_is_shown_by_list_and_get_until_it_is_taken_off(simulator: Simulator) -> None:
    (machine,) = simulator.plant("trainer")
    simulator.disguise(machine.id, name="other", status="haunted", price=-1)
    listed = ask(simulator, "/gpu/instances").json()["instances"][0]
    got = ask(simulator, "/gpu/instance", instanceId=machine.id).json()
    for shown in (listed, got):
        assert (shown["name"], shown["status"], shown["price"]) == ("other", "haunted", -1)
    assert simulator.machine("trainer").status == "running"
    simulator.disguise(machine.id)
    assert ask(simulator, "/gpu/instances").json()["instances"][0]["name"] == "trainer"


def test_a_negative_price_is_shown(simulator: Simulator) -> None:
    simulator.set_price("4090.16c62g", price=-36000, spot_price=-18000)
    product = ask(simulator, "/products").json()["data"][0]
    assert (product["price"], product["spotPrice"]) == ("-36000", "-18000")


def test_garbled_answers_repeat_themselves_by_seed_and_end_with_the_fault(simulator: Simulator) -> None:
    true = ask(simulator, "/clusters")

    def series(number: int) -> list[tuple[int, bytes]]:
        lever = simulator.fault("garbled", "clusters", seed=number, times=20)
        answers = [ask(simulator, "/clusters") for _ in range(20)]
        assert next(view.fired for view in simulator.faults() if view.id == lever) == 20
        return [(answer.status_code, answer.content) for answer in answers]

    first = series(1)
    assert first == series(1) != series(2)
    assert (true.status_code, true.content) in first
    assert len(set(first)) > 10
    assert ask(simulator, "/clusters").content == true.content


def test_what_is_garbled_has_been_done_all_the_same(simulator: Simulator) -> None:
    simulator.fault("garbled", "delete", times=None)
    machines = simulator.plant("herd", count=5)
    headers = {"Authorization": f"Bearer {seed.MAIN_KEY}", "User-Agent": "garbling/1"}
    for machine in machines:
        body = {"instanceId": machine.id}
        httpx2.post(f"{simulator.url}{BASE}/gpu/instance/delete", json=body, headers=headers, trust_env=False)
    assert {machine.status for machine in simulator.machines()} == {"toRemove"}


def test_every_kind_of_change_comes_up() -> None:
    answers = [garbled(TRUTH, Random(number)) for number in range(2000)]
    assert {answer.status for answer in answers} >= {200, 204, 401, 404, 503}
    bodies = {answer.body for answer in answers}
    for wanted in (b"NaN", b"../../", b'"total": -1', b"<html>", b"\xff\xfe", b"[[[[", b'"id": "a"}, {"id": "b"'):
        assert [body for body in bodies if wanted in body], wanted
    assert any(body.count(b'"id": "b"') == 2 for body in bodies), "the same machine twice"
