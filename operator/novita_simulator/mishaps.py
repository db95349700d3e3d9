"""What befalls machines without anybody calling Novita's API for it: the levers of the control API on the world."""

from dataclasses import replace

from novita_simulator.machine import FORGOTTEN, LEAVING, PATHS, Machine, Order, Step, path
from novita_simulator.problems import wrong_state
from novita_simulator.world import World


def plant(world: World, account: str, order: Order, now: float) -> Machine:
    """A machine that is running already; its GPUs come from outside the pool."""
    pool = (order.product.id, order.cluster_id)
    world.stock[pool] = world.stock.get(pool, 0) + order.gpu_num
    machine = world.create(account, order, now)
    world.follow(machine, path(PATHS["create"], now, {}), now)
    return machine


def plant_many(world: World, account: str, order: Order, count: int, now: float) -> list[Machine]:
    """More than one get numbered names, `name-0` and so on."""
    names = [order.name] if count == 1 else [f"{order.name}-{number}" for number in range(count)]
    return [plant(world, account, replace(order, name=name), now) for name in names]


def crash(world: World, machine: Machine, error: tuple[str, str], now: float) -> None:
    """The machine ends by itself; `error` is the state word and the message of `statusError`."""
    if machine.status in LEAVING:
        raise wrong_state(world.quirks.wrong_state_reason)
    world.follow(machine, [Step(now, "exited", error=error)], now)


def vanish(world: World, machine: Machine, now: float) -> None:
    world.follow(machine, [Step(now, FORGOTTEN)], now)


def reclaim(world: World, machine: Machine, notice: float, now: float) -> None:
    """Notified now, taken away after `notice` simulated seconds; at once without a notice (API reference 8)."""
    if machine.status not in ("running", "exited"):
        raise wrong_state(world.quirks.wrong_state_reason)
    machine.spot_reclaim_at = taken = now + notice
    gone = Step(taken + world.durations["reclaiming"], "exited", "terminated")
    announced = [Step(now, machine.status, "notified"), Step(taken, machine.status, "reclaiming"), gone]
    world.follow(machine, announced if notice else [replace(gone, at=now)], now)


def cancel_reclaim(world: World, machine: Machine, now: float) -> None:
    if machine.status != "running":
        raise wrong_state(world.quirks.wrong_state_reason)
    machine.spot_reclaim_at = 0
    world.follow(machine, [Step(now, "running", "running")], now)


def freeze(machine: Machine) -> None:
    machine.is_frozen = True


def relent(world: World, now: float) -> None:
    """No more fates, and what is frozen moves on."""
    world.fates.clear()
    for machine in [machine for machine in world.machines.values() if machine.is_frozen]:
        world.thaw(machine, now)
