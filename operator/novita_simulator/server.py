"""Novita's v1 over HTTP: edge, key, route, faults, operation, journal, in this order."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

from aiohttp import web

from novita_simulator import control, garbling, operations, wire
from novita_simulator.faults import AFTER, BEFORE, GARBLING, Call
from novita_simulator.interruptions import Dropped, cdn_refusal, interrupt
from novita_simulator.journal import Asked, fingerprint
from novita_simulator.operations import Ask, Operation
from novita_simulator.problems import Missing, Problem, refused
from novita_simulator.service import Service
from novita_simulator.world import World

REFUSED_AGENT = "Python-urllib"
BAD_KEY = {"401": (401, "UNAUTHORIZED"), "403": (403, "INVALID_API_KEY")}
DROPPED = 0


async def answer(service: Service, request: web.Request) -> web.StreamResponse:
    """One call of the pretend Novita, written into the journal whatever becomes of it."""
    call = Call(operation="")
    status = DROPPED
    try:
        response = _garbled(service, call, await _guarded(service, request, call))
        status = response.status
    except Dropped:
        response = web.Response()
        if request.transport:
            request.transport.abort()
    finally:
        service.journal.write(_asked(service, request, call, status))
    return response


async def _guarded(service: Service, request: web.Request, call: Call) -> web.Response:
    if request.headers.get("User-Agent", "").startswith(REFUSED_AGENT):
        return cdn_refusal()
    try:
        return await _answered(service, request, call)
    except Missing as problem:
        variant = operations.missing(problem, service.world.quirks)
        return web.json_response({}) if variant is None else _refusal(variant)
    except Problem as problem:
        return _refusal(problem)


def _garbled(service: Service, call: Call, response: web.Response) -> web.Response:
    for lever in service.levers.hits(call, GARBLING):
        assert isinstance(response.body, bytes | None), "the answers here are short"
        answer = garbling.Answer(response.status, response.body or b"", response.content_type)
        answer = garbling.garbled(answer, Random(f"{lever.fault.seed}-{lever.fired}"))  # noqa: S311  it shall repeat itself
        headers = {"Content-Type": answer.content_type}
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
    return response


async def _answered(service: Service, request: web.Request, call: Call) -> web.Response:
    call.operation, operation = _route(request)
    call.account = _account(service.world, _key(request))
    service.world.settle(service.clock.now())
    ask = Ask(service.world, call.account, service.clock.now(), call, request.query, await _body(request))
    operations.describe(ask)
    interrupted = await interrupt(service.levers, call, BEFORE)
    if interrupted is not None:
        return interrupted
    response = _apply(service, ask, operation)
    interrupted = await interrupt(service.levers, call, AFTER)
    return response if interrupted is None else interrupted


def _apply(service: Service, ask: Ask, operation: Operation) -> web.Response:
    """Time may have passed at a fault, so the clock is read again."""
    now = service.clock.now()
    service.world.settle(now)
    result = operation(replace(ask, now=now, shapes=service.levers.shapes(ask.call)))
    ask.call.is_applied = True
    return web.Response() if result is None else web.json_response(result)


def _route(request: web.Request) -> tuple[str, Operation]:
    path = request.path.removeprefix(operations.BASE)
    route = operations.ROUTES.get((request.method, path)) if path != request.path else None
    if route is None:
        raise Problem(404, "API_NOT_FOUND", f"no such api: {request.method} {request.path}")
    return route


def _key(request: web.Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme == "Bearer" else ""


def _account(world: World, key: str) -> str:
    if key not in world.keys:
        status, reason = BAD_KEY[world.quirks.bad_key]
        raise Problem(status, reason, "invalid api key")
    return world.keys[key]


async def _body(request: web.Request) -> Mapping[str, object]:
    if request.method != "POST":
        return {}
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise refused("REQUEST", "the body is not json") from None
    if not isinstance(body, dict):
        raise refused("REQUEST", "the body is not an object")
    return body


def _refusal(problem: Problem) -> web.Response:
    return web.json_response(wire.problem(problem.status, problem.reason, problem.message), status=problem.status)


def _asked(service: Service, request: web.Request, call: Call, status: int) -> Asked:
    return Asked(
        at=service.clock.now(),
        method=request.method,
        path=request.path,
        operation=call.operation,
        status=status,
        account=call.account,
        key=fingerprint(_key(request)),
        machine_id=call.machine_id,
        name=call.name,
        page=call.page,
        is_applied=call.is_applied,
        faults=tuple(call.faults),
    )


def application(service: Service) -> web.Application:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(service, request)

    app = web.Application()
    control.add_routes(app, service)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


@asynccontextmanager
async def serve(service: Service, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Yields the URL to reach it at; port 0 takes a free one. Whoever hangs is dropped at the end."""
    runner = web.AppRunner(application(service), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        chosen = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{chosen}"
    finally:
        service.levers.clear()
        await runner.cleanup()
