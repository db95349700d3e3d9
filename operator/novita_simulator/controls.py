"""The levers of the control API: what each takes, and what it does to the world."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from novita_simulator import bodies, mishaps
from novita_simulator.faults import Fault
from novita_simulator.machine import DURATIONS, Order
from novita_simulator.problems import Missing, invalid
from novita_simulator.quirks import Quirks
from novita_simulator.service import Service
from novita_simulator.views import LeverView, MachineView
from novita_simulator.world import Fate


def turn_time(service: Service, body: bodies.Time) -> float:
    service.clock.advance(body.advance)
    if body.speed is not None:
        service.clock.run(body.speed)
    return service.settled_now()


def place_fault(service: Service, body: Fault) -> LeverView:
    return LeverView.of(service.levers.place(body))


def release_fault(service: Service, body: bodies.Release) -> None:
    lever = service.levers.find(body.fault_id)
    if lever is None:
        raise Missing(f"no fault {body.fault_id}")
    lever.release(drop=body.drop)


def clear(service: Service, _body: bodies.Nothing) -> None:
    service.levers.clear()
    mishaps.relent(service.world, service.settled_now())


def plant(service: Service, body: bodies.Plant) -> list[MachineView]:
    now = service.settled_now()
    order = Order(
        name=body.name,
        product=service.world.catalogue.products[body.product_id],
        cluster_id=service.world.catalogue.clusters[body.cluster_id].id,
        gpu_num=body.gpu_num,
        billing_mode=body.billing_mode,
        rootfs_gb=60,
        image=body.image,
        envs=tuple(body.envs.items()),
    )
    machines = mishaps.plant_many(service.world, body.account, order, body.count, now)
    return [MachineView.of(machine) for machine in machines]


def crash(service: Service, body: bodies.Crash) -> None:
    machine = service.machine(body.machine_id)
    mishaps.crash(service.world, machine, (body.state, body.message), service.clock.now())


def vanish(service: Service, body: bodies.OfMachine) -> None:
    mishaps.vanish(service.world, service.machine(body.machine_id), service.clock.now())


def reclaim(service: Service, body: bodies.Reclaim) -> None:
    mishaps.reclaim(service.world, service.machine(body.machine_id), body.notice, service.clock.now())


def cancel_reclaim(service: Service, body: bodies.OfMachine) -> None:
    mishaps.cancel_reclaim(service.world, service.machine(body.machine_id), service.clock.now())


def freeze(service: Service, body: bodies.OfMachine) -> None:
    mishaps.freeze(service.machine(body.machine_id))


def show_status(service: Service, body: bodies.Word) -> None:
    service.machine(body.machine_id).status_word = body.word


def disguise(service: Service, body: bodies.Disguise) -> None:
    service.machine(body.machine_id).disguise = body.members


def add_fate(service: Service, body: bodies.Fate) -> None:
    error = (body.state, body.message)
    fate = Fate(body.at, body.then, body.name, body.account, body.after, error, body.times)
    service.settled_now()
    service.world.fates.append(fate)


def set_stock(service: Service, body: bodies.Stock) -> None:
    service.settled_now()
    stock = service.world.stock
    for product_id, cluster_id in stock:
        if body.product_id in ("", product_id) and body.cluster_id in ("", cluster_id):
            stock[product_id, cluster_id] = body.free


def set_price(service: Service, body: bodies.Price) -> None:
    products = service.world.catalogue.products
    product = products[body.product_id]
    price = product.price if body.price is None else body.price
    spot_price = product.spot_price if body.spot_price is None else body.spot_price
    products[product.id] = replace(product, price=price, spot_price=spot_price)


def change_quirks(service: Service, body: bodies.Changes) -> Quirks:
    service.world.quirks = service.world.quirks.changed(body.root)
    return service.world.quirks


def change_durations(service: Service, body: bodies.Changes) -> None:
    if unknown := body.root.keys() - DURATIONS.keys():
        raise invalid(f"no such state: {', '.join(sorted(unknown))}")
    service.world.durations |= {status: float(seconds) for status, seconds in body.root.items()}


def add_key(service: Service, body: bodies.Key) -> None:
    service.world.keys[body.key] = body.account


def revoke_key(service: Service, body: bodies.OfKey) -> None:
    service.world.keys.pop(body.key, None)


def delete_template(service: Service, body: bodies.OfTemplate) -> None:
    service.world.catalogue.templates.pop(body.template_id, None)


def clear_journal(service: Service, _body: bodies.Nothing) -> None:
    service.journal.clear()


Handler = Callable[[Service, Any], object]  # each takes the model that stands beside it
LEVERS: dict[str, tuple[type[BaseModel], Handler]] = {
    "time": (bodies.Time, turn_time),
    "fault": (Fault, place_fault),
    "release": (bodies.Release, release_fault),
    "clear": (bodies.Nothing, clear),
    "plant": (bodies.Plant, plant),
    "crash": (bodies.Crash, crash),
    "vanish": (bodies.OfMachine, vanish),
    "reclaim": (bodies.Reclaim, reclaim),
    "cancel-reclaim": (bodies.OfMachine, cancel_reclaim),
    "freeze": (bodies.OfMachine, freeze),
    "status-word": (bodies.Word, show_status),
    "disguise": (bodies.Disguise, disguise),
    "fate": (bodies.Fate, add_fate),
    "stock": (bodies.Stock, set_stock),
    "price": (bodies.Price, set_price),
    "quirks": (bodies.Changes, change_quirks),
    "durations": (bodies.Changes, change_durations),
    "add-key": (bodies.Key, add_key),
    "revoke-key": (bodies.OfKey, revoke_key),
    "delete-template": (bodies.OfTemplate, delete_template),
    "clear-journal": (bodies.Nothing, clear_journal),
}


def pull(service: Service, name: str, raw: bytes) -> object:
    """Raises `Problem` for an unknown lever or a wrong body."""
    if name not in LEVERS:
        raise Missing(f"no lever {name}")
    model, handler = LEVERS[name]
    try:
        return handler(service, model.model_validate_json(raw or b"{}"))
    except (ValidationError, KeyError) as error:
        raise invalid(f"{name}: {error}") from error
