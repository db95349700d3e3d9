"""Whatever happens to the simulator's machines in whatever order, its stock and its books stay right."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from novita_simulator import mishaps, seed
from novita_simulator.machine import OWNER_ENV, Machine, Order
from novita_simulator.problems import Problem
from novita_simulator.world import World

START = 1_763_700_000.0
ORDER = Order(
    name="trainer",
    product=seed.PRODUCTS[0],
    cluster_id=seed.CALIFORNIA,
    gpu_num=3,
    billing_mode="spot",
    rootfs_gb=60,
    image="docker.io/acme/worker:1.9",
    envs=((OWNER_ENV, "cluster/default/trainer/uid"),),
)
HAPPENINGS = ["create", "start", "stop", "restart", "delete", "crash", "vanish", "reclaim", "freeze", "relent"]
happenings = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 5), st.integers(0, 90)), max_size=40)


def happen(world: World, what: str, which: int, now: float) -> None:
    known = list(world.machines.values())
    machine = known[which % len(known)] if known else None
    if what == "create":
        world.create("main", ORDER, now)
    elif what == "relent":
        mishaps.relent(world, now)
    elif machine is not None:
        befall(world, what, machine, now)


def befall(world: World, what: str, machine: Machine, now: float) -> None:
    if what in ("start", "stop", "restart"):
        world.change_power(machine, what, now)
    elif what == "delete":
        world.delete(machine, now)
    elif what == "crash":
        mishaps.crash(world, machine, ("oom", ""), now)
    elif what == "vanish":
        mishaps.vanish(world, machine, now)
    elif what == "reclaim":
        mishaps.reclaim(world, machine, 30, now)
    else:
        mishaps.freeze(machine)


def live_through(world: World, history: list[tuple[str, int, int]]) -> float:
    now = START
    for what, which, seconds in history:
        now += seconds
        world.settle(now)
        with suppress(Problem):
            happen(world, what, which, now)
    return now


@given(happenings)
def test_free_gpus_and_held_ones_always_add_up(history: list[tuple[str, int, int]]):
    world = seed.seeded(START, has_foreign_machines=False)
    live_through(world, history)
    held = sum(machine.order.gpu_num for machine in world.machines.values() if machine.holds_gpus)
    assert world.stock[ORDER.product.id, ORDER.cluster_id] + held == seed.STOCK[ORDER.product.id, ORDER.cluster_id]


@given(happenings)
def test_the_books_agree_with_the_machines_that_exist(history: list[tuple[str, int, int]]):
    world = seed.seeded(START, has_foreign_machines=False)
    now = live_through(world, history)
    report = world.books.report(now)
    existing = {machine.id for machine in world.machines.values() if machine.status != "removed"}
    assert {entry.id for entry in report.entries if entry.ended is None} == existing
    assert report.alive_at_end.get("uid", 0) == len(existing)


@given(happenings)
def test_when_all_are_deleted_nothing_is_left_and_nothing_costs(history: list[tuple[str, int, int]]):
    world = seed.seeded(START, has_foreign_machines=False)
    now = live_through(world, history)
    mishaps.relent(world, now)
    for machine in list(world.machines.values()):
        with suppress(Problem):
            world.delete(machine, now)
    world.settle(now + 1000)
    assert world.machines == world.listed("main") == {}
    assert world.stock == seed.STOCK
    assert world.books.report(now + 1000).cost == world.books.report(now + 9000).cost
