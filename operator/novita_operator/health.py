"""The operator's own site: /livez, /readyz and /metrics. It starts first, and stops when the work has ended."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus

from aiohttp import web
from aiohttp.hdrs import ACCEPT, CONTENT_TYPE
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from novita_operator.metrics import REGISTRY
from novita_operator.model.spelling import Address

STALL_SECONDS = 10.0
_BEAT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Dependency:
    """What one neighbour of the operator is like now; shown, and never a reason to be restarted."""

    ok: bool
    detail: str


class Health:
    """The site, from `start` to `stop`.

    `/livez` depends on nothing remote: it fails only while the event loop does not get round to its heartbeat.
    `/readyz` fails before the first sync and from the shutdown on; it lists the dependencies, yet none of them fails
    it, since no restart and no other replica would see Novita any better.
    """

    def __init__(
        self,
        address: tuple[str, int],
        dependencies: Mapping[str, Callable[[], Dependency]],
        *,
        registry: CollectorRegistry = REGISTRY,
        clock: Callable[[], float] = time.monotonic,
        beat: float = _BEAT_SECONDS,
    ) -> None:
        """`clock` gives monotonic seconds; `beat` is the time between heartbeats in seconds; port 0 is any free one."""
        self.synced = False
        self.closing = False
        self._address = address
        self._dependencies = dependencies
        self._registry = registry
        self._clock = clock
        self._beat = beat
        self._last_beat = clock()
        self._runner: web.AppRunner | None = None
        self._heart: asyncio.Task[None] | None = None

    async def start(self) -> Address:
        """Serve, and return where.

        Raises:
            OSError: the address cannot be listened on.
        """
        app = web.Application()
        app.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._address).start()
        self._last_beat = self._clock()
        self._heart = asyncio.create_task(self._live(), name="heartbeat")
        return Address(*self._runner.addresses[0][:2])

    async def stop(self) -> None:
        """Stop serving; a second stop does nothing."""
        if self._heart:
            self._heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heart
            self._heart = None
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _live(self) -> None:
        while True:
            self._last_beat = self._clock()
            await asyncio.sleep(self._beat)

    async def _livez(self, _: web.Request) -> web.Response:
        stalled = self._clock() - self._last_beat
        if stalled > STALL_SECONDS + self._beat:
            return web.Response(
                status=HTTPStatus.SERVICE_UNAVAILABLE, text=f"the event loop has been blocked for {stalled:.0f} s\n"
            )
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        state = "closing" if self.closing else "ready" if self.synced else "starting"
        body = {
            "state": state,
            "dependencies": {name: asdict(look()) for name, look in self._dependencies.items()},
        }
        return web.json_response(body, status=HTTPStatus.OK if state == "ready" else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _metrics(self, request: web.Request) -> web.Response:
        """All of them, or those of the query's `name[]`, as Prometheus' own exporters have it."""
        encode, content_type = choose_encoder(request.headers.get(ACCEPT, ""))
        names = request.query.getall("name[]", ())
        registry = self._registry.restricted_registry(names) if names else self._registry
        response = web.Response(body=encode(registry), headers={CONTENT_TYPE: content_type})
        response.enable_compression()
        return response
