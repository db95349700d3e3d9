"""The simulator's model of Novita, with the clock turned by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from novita_simulator import mishaps, seed
from novita_simulator.machine import DURATIONS, OWNER_ENV, Machine, Order
from novita_simulator.problems import Missing, Problem
from novita_simulator.quirks import Quirks
from novita_simulator.world import Fate, World

START = 1_763_700_000.0
UID = "6b1f0a5e-1111-4222-8333-444455556666"
POOL = ("4090.16c62g", seed.CALIFORNIA)
UNTIL_PULLING = DURATIONS["toCreate"] + DURATIONS["creating"]
UNTIL_RUNNING = UNTIL_PULLING + DURATIONS["pulling"]


def a_world(quirks: Quirks | None = None) -> World:
    return seed.seeded(START, quirks=quirks, has_foreign_machines=False)


def an_order(name: str = "trainer", gpu_num: int = 1, billing_mode: str = "spot") -> Order:
    return Order(
        name=name,
        product=seed.PRODUCTS[0],
        cluster_id=seed.CALIFORNIA,
        gpu_num=gpu_num,
        billing_mode=billing_mode,
        rootfs_gb=60,
        image="docker.io/acme/worker:1.9",
        envs=((OWNER_ENV, f"cluster/default/trainer/{UID}"),),
    )


def a_running_machine(world: World, order: Order | None = None) -> Machine:
    machine = world.create("main", order or an_order(), START)
    world.settle(START + UNTIL_RUNNING)
    assert machine.status == "running"
    return machine


def statuses(world: World, machine: Machine, start: float, seconds: int) -> list[str]:
    """The states passed through, looked at twice a second."""
    seen = [machine.status]
    for half in range(2 * seconds):
        world.settle(start + half / 2)
        if machine.status != seen[-1]:
            seen.append(machine.status)
    return seen


def test_a_create_passes_through_all_states_up_to_running():
    world = a_world()
    machine = world.create("main", an_order(), START)
    assert statuses(world, machine, START, 100) == ["toCreate", "creating", "pulling", "running"]


def test_states_that_nobody_looked_at_keep_their_own_moments():
    world = a_world()
    machine = world.create("main", an_order(), START)
    world.settle(START + 100_000)
    assert machine.started_at == START + UNTIL_RUNNING


def test_a_stop_passes_through_all_states_to_exited():
    world = a_world()
    machine = a_running_machine(world)
    world.change_power(machine, "stop", START + 100)
    assert statuses(world, machine, START + 100, 100) == ["toStop", "stopping", "exited"]


def test_a_restart_ends_in_running_with_a_new_start():
    world = a_world()
    machine = a_running_machine(world)
    world.change_power(machine, "restart", START + 100)
    assert statuses(world, machine, START + 100, 100) == ["toRestart", "restarting", "running"]
    assert machine.starts == 2


@pytest.mark.parametrize(
    ("quirk", "expected"),
    [
        ("fades", ["toRemove", "removing", "removed", "forgotten"]),
        ("stays", ["toRemove", "removing", "removed"]),
        ("vanishes", ["forgotten"]),
    ],
)
def test_a_delete_ends_as_the_quirk_says(quirk: str, expected: list[str]):
    world = a_world(Quirks().changed({"deleted": quirk}))
    machine = a_running_machine(world)
    world.delete(machine, START + 100)
    assert statuses(world, machine, START + 100, 1000) == expected


@pytest.mark.parametrize("seconds", [0, 3, 30, 90])
def test_a_delete_is_taken_from_any_state(seconds: float):
    world = a_world()
    machine = world.create("main", an_order(), START)
    world.settle(START + seconds)
    world.delete(machine, START + seconds)
    assert machine.status == "toRemove"


def test_a_start_is_refused_while_the_first_is_at_work():
    world = a_world()
    machine = a_running_machine(world)
    world.change_power(machine, "stop", START + 100)
    world.settle(START + 200)
    world.change_power(machine, "start", START + 200)
    with pytest.raises(Problem, match="invalid state change"):
        world.change_power(machine, "start", START + 201)


def test_a_stop_is_refused_while_the_image_is_pulled():
    world = a_world()
    machine = world.create("main", an_order(), START)
    world.settle(START + UNTIL_PULLING + 1)
    with pytest.raises(Problem, match="invalid state change"):
        world.change_power(machine, "stop", START + UNTIL_PULLING + 1)


def test_gpus_go_back_to_the_pool_when_a_machine_has_exited_and_a_start_takes_them_again():
    world = a_world()
    free = world.stock[POOL]
    machine = a_running_machine(world, an_order(gpu_num=4))
    assert world.stock[POOL] == free - 4
    world.change_power(machine, "stop", START + 100)
    world.settle(START + 200)
    assert world.stock[POOL] == free
    world.change_power(machine, "start", START + 200)
    assert world.stock[POOL] == free - 4


def test_a_start_without_free_gpus_leaves_the_machine_exited():
    world = a_world()
    machine = a_running_machine(world)
    world.change_power(machine, "stop", START + 100)
    world.settle(START + 200)
    world.stock[POOL] = 0
    with pytest.raises(Problem, match="not enough gpu"):
        world.change_power(machine, "start", START + 200)
    assert machine.status == "exited"


def test_compute_is_billed_from_pulling_until_the_stop_was_asked_for():
    world = a_world()
    machine = a_running_machine(world, an_order(gpu_num=2, billing_mode="onDemand"))
    world.change_power(machine, "stop", START + UNTIL_PULLING + 3600)
    world.settle(START + 100_000)
    entry = world.books.report(START + 100_000).entries[0]
    assert entry.billed == ((START + UNTIL_PULLING, START + UNTIL_PULLING + 3600),)
    assert entry.cost == Decimal("0.72")


def test_a_spot_machine_costs_the_spot_price():
    world = a_world()
    a_running_machine(world)
    assert world.books.report(START + UNTIL_PULLING + 3600).cost == Decimal("0.18")


def test_two_machines_of_one_owner_at_the_same_time_are_seen_although_both_are_gone_at_the_end():
    world = a_world()
    first, second = (world.create("main", an_order(name), START) for name in ("one", "two"))
    world.delete(first, START + 1)
    world.delete(second, START + 1)
    world.settle(START + 1000)
    report = world.books.report(START + 1000)
    assert report.max_alive == {UID: 2}
    assert report.alive_at_end == {}


def test_one_machine_after_the_other_is_never_two_even_within_one_instant():
    world = a_world(Quirks(deleted="vanishes"))
    world.delete(world.create("main", an_order("one"), START), START)
    world.create("main", an_order("two"), START)
    assert world.books.report(START).max_alive == {UID: 1}


def test_a_machine_that_is_being_removed_is_alive_but_no_longer_billed():
    world = a_world()
    world.delete(a_running_machine(world), START + 100)
    report = world.books.report(START + 101)
    assert report.alive_at_end == {UID: 1}
    assert report.entries[0].billed[-1][1] == START + 100


def test_a_machine_without_a_mark_is_in_the_books_and_in_no_group():
    world = a_world()
    world.create("main", replace(an_order(), envs=()), START)
    report = world.books.report(START)
    assert [entry.group for entry in report.entries] == [""]
    assert report.max_alive == {}


def test_a_crash_leaves_an_exited_machine_with_its_error():
    world = a_world()
    machine = a_running_machine(world)
    mishaps.crash(world, machine, ("oom", "out of memory"), START + 100)
    assert (machine.status, machine.status_error) == ("exited", ("oom", "out of memory"))


def test_a_vanished_machine_leaves_no_trace_and_ends_in_the_books():
    world = a_world()
    machine = a_running_machine(world)
    mishaps.vanish(world, machine, START + 100)
    with pytest.raises(Missing):
        world.find("main", machine.id)
    assert world.listed("main") == {}
    assert world.books.report(START + 200).entries[0].ended == START + 100


def test_a_reclaim_is_announced_and_then_ends_the_machine():
    world = a_world()
    machine = a_running_machine(world)
    mishaps.reclaim(world, machine, 3600, START + 100)
    assert (machine.status, machine.spot_status, machine.spot_reclaim_at) == ("running", "notified", START + 3700)
    world.settle(START + 3701)
    assert (machine.status, machine.spot_status) == ("running", "reclaiming")
    world.settle(START + 3800)
    assert (machine.status, machine.spot_status, machine.stopped_at) == ("exited", "terminated", START + 3715)


def test_a_reclaim_without_notice_takes_the_machine_at_once():
    world = a_world()
    machine = a_running_machine(world)
    mishaps.reclaim(world, machine, 0, START + 100)
    assert (machine.status, machine.spot_status) == ("exited", "terminated")


def test_a_frozen_machine_stays_in_its_state_until_thawed():
    world = a_world()
    world.fates.append(Fate(at="pulling", then="freeze", name="train"))
    machine = world.create("main", an_order(), START)
    world.settle(START + 100_000)
    assert machine.status == "pulling"
    mishaps.relent(world, START + 100_000)
    assert machine.status == "running"


def test_a_fate_with_a_count_spares_the_next_machine():
    world = a_world()
    world.fates.append(Fate(at="pulling", then="crash", after=5, error=("image", "no such image"), times=1))
    first = world.create("main", an_order("one"), START)
    second = world.create("main", an_order("two"), START)
    world.settle(START + 1000)
    assert (first.status, first.stopped_at) == ("exited", START + UNTIL_PULLING + 5)
    assert second.status == "running"


def test_machines_of_another_account_are_not_found():
    world = a_world()
    machine = a_running_machine(world)
    with pytest.raises(Missing):
        world.find("other", machine.id)


def test_planted_machines_run_at_once_and_take_nothing_from_the_pool():
    world = a_world()
    free = world.stock[POOL]
    machines = mishaps.plant_many(world, "main", an_order("many"), 3, START)
    assert [machine.order.name for machine in machines] == ["many-0", "many-1", "many-2"]
    assert {machine.status for machine in machines} == {"running"}
    assert world.stock[POOL] == free
