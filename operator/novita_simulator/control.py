"""The control API under `/_simulator/`: `GET` looks, `POST` pulls the lever named by the path, with a JSON body.

It asks for no key: the simulator is for tests and demos, and listens on the loopback unless told otherwise.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from pydantic_core import to_json

from novita_simulator import controls, wire
from novita_simulator.problems import Missing, Problem
from novita_simulator.service import Service
from novita_simulator.views import LeverView, MachineView, State

PREFIX = "/_simulator"
DEFAULT_PATIENCE = 10.0


async def machines(service: Service, request: web.Request) -> object:
    """Those that still exist, `removed` ones included; of one account if `account` is given."""
    service.settled_now()
    account = request.query.get("account", "")
    known = service.world.machines.values()
    return [MachineView.of(machine) for machine in known if account in ("", machine.account)]


async def ledger(service: Service, _request: web.Request) -> object:
    return service.world.books.report(service.settled_now())


async def journal(service: Service, _request: web.Request) -> object:
    return list(service.journal.entries)


async def faults(service: Service, _request: web.Request) -> object:
    return [LeverView.of(lever) for lever in service.levers.all()]


async def reached(service: Service, request: web.Request) -> object:
    """Wait up to `timeout` real seconds until a call has come to the fault `fault_id`; says whether one has."""
    lever = service.levers.find(request.query.get("fault_id", ""))
    if lever is None:
        raise Missing("no such fault")
    try:
        async with asyncio.timeout(float(request.query.get("timeout", DEFAULT_PATIENCE))):
            await lever.reached.wait()
    except TimeoutError:
        return False
    return True


async def state(service: Service, _request: web.Request) -> object:
    now = service.settled_now()
    stock: dict[str, dict[str, int]] = defaultdict(dict)
    for (product_id, cluster_id), free in service.world.stock.items():
        stock[product_id][cluster_id] = free
    return State(
        now=now,
        speed=service.clock.speed,
        quirks=service.world.quirks,
        durations=service.world.durations,
        stock=stock,
        calls=service.journal.counts,
    )


async def lever(service: Service, request: web.Request) -> object:
    return controls.pull(service, request.match_info["lever"], await request.read())


async def _answer(
    handler: Callable[[Service, web.Request], Awaitable[object]], service: Service, request: web.Request
) -> web.StreamResponse:
    try:
        result = await handler(service, request)
    except Problem as problem:
        body = wire.problem(problem.status, problem.reason, problem.message)
        return web.json_response(body, status=problem.status)
    return web.Response(body=to_json(result), content_type="application/json")


def add_routes(app: web.Application, service: Service) -> None:
    for look in (machines, ledger, journal, faults, reached, state):
        app.router.add_get(f"{PREFIX}/{look.__name__}", partial(_answer, look, service))
    app.router.add_post(f"{PREFIX}/{{lever}}", partial(_answer, lever, service))
