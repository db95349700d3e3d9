"""What a fault does to a call that it hits: refuse it, hold it, answer nonsense, or cut the connection."""

import asyncio

from aiohttp import web

from novita_simulator import wire
from novita_simulator.faults import Call, Fault, Lever, Levers

CDN_PAGE = "<html><head><title>Access denied</title></head><body>error code: 1010</body></html>"
HTML_STATUS = {"html_403": 403, "html_200": 200}


class Dropped(Exception):  # noqa: N818 - what the connection is, not a fault of this program
    """The connection is to be cut without an answer."""


def cdn_refusal(status: int = 403) -> web.Response:
    return web.Response(status=status, text=CDN_PAGE, content_type="text/html")


async def interrupt(levers: Levers, call: Call, kinds: frozenset[str]) -> web.Response | None:
    """The answer of the first fault that gives one; None if the call goes on. Raises `Dropped`."""
    for lever in levers.hits(call, kinds):
        response = await _carry_out(lever)
        if response is not None:
            return response
    return None


async def _carry_out(lever: Lever) -> web.Response | None:
    lever.reached.set()
    effect = lever.fault.kind.split("_")[0]
    if effect == "hang":
        await _hang(lever)
    if effect == "hold":
        await lever.released.wait()
    if effect in ("lost", "hang") or lever.is_dropped:
        raise Dropped
    if effect == "html":
        return cdn_refusal(HTML_STATUS[lever.fault.kind])
    return _refusal(lever.fault) if effect == "status" else None


async def _hang(lever: Lever) -> None:
    try:
        async with asyncio.timeout(lever.fault.seconds):
            await lever.released.wait()
    except TimeoutError:
        return


def _refusal(fault: Fault) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    body = wire.problem(fault.status, fault.reason, fault.message)
    return web.json_response(body, status=fault.status, headers=headers)
