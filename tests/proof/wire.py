"""The operator's way to the API server, with levers: a proxy that holds what a test names, before or after it is done.

The operator speaks plain HTTP with it, on loopback; it speaks TLS with the API server. Watches stream through.
"""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aiohttp
from aiohttp import web

START_LIMIT = 10.0
_OWN = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_CHUNK = 65536


class Sent(NamedTuple):
    """A request to the API server; `body` is {} where there is none."""

    method: str
    path: str
    body: dict[str, Any]


Meets = Callable[[Sent], bool]


class Held:
    """The requests that a lever holds: the next one, or all of them until it is released."""

    def __init__(self, meets: Meets, when: Literal["before", "after"], *, is_lasting: bool) -> None:
        self.meets = meets
        self.when = when
        self._is_lasting = is_lasting
        self._taken = 0
        self._reached = threading.Event()
        self._released = threading.Event()
        self._is_dropped = False

    def wait_reached(self, seconds: float = 60) -> None:
        """Until a request is held; raises `TimeoutError` after so many seconds."""
        if not self._reached.wait(seconds):
            raise TimeoutError(f"no request came to the lever within {seconds} s")

    def release(self, *, drop: bool = False) -> None:
        """Let it go on, or cut its connection: what was held before the API server saw it then never happens."""
        self._is_dropped = drop
        self._released.set()

    @property
    def is_released(self) -> bool:
        return self._released.is_set()

    def takes(self, sent: Sent) -> bool:
        if self._released.is_set() or (self._taken and not self._is_lasting) or not self.meets(sent):
            return False
        self._taken += 1
        return True

    async def pass_through(self) -> bool:
        """Wait for the release; whether the request goes on."""
        self._reached.set()
        await asyncio.to_thread(self._released.wait)
        return not self._is_dropped


class Wire:
    """A way to one API server; `url` is where the operator reaches it."""

    def __init__(self, server: str, tls: ssl.SSLContext) -> None:
        self.url = ""
        self._server = server
        self._tls = tls
        self._levers: list[Held] = []
        self._is_cut = False

    def hold(self, meets: Meets, when: Literal["before", "after"], *, is_lasting: bool = False) -> Held:
        """Hold the next such request (or all that come) before the API server sees it, or after it has answered."""
        held = Held(meets, when, is_lasting=is_lasting)
        self._levers = [*(lever for lever in self._levers if not lever.is_released), held]
        return held

    def cut(self) -> None:
        """From now on no request passes, and no answer."""
        self._is_cut = True

    def mend(self) -> None:
        self._is_cut = False

    def release(self) -> None:
        """Drop whatever is still held."""
        for held in self._levers:
            held.release(drop=True)

    async def serve(self, ready: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
        end = asyncio.Event()
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = "http://{}:{}".format(*runner.addresses[0])
            ready.set_result((asyncio.get_running_loop(), end))
            await end.wait()
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        content = await request.read()
        sent = Sent(request.method, request.path, json.loads(content) if content else {})
        if self._is_cut or not await self._passes(sent, "before"):
            return self._break(request)
        try:
            return await self._forward(request, sent, content)
        except aiohttp.ClientError:  # the API server itself is away
            return self._break(request)

    async def _forward(self, request: web.BaseRequest, sent: Sent, content: bytes) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        async with self._session.request(
            request.method, self._server + request.path_qs, headers=headers, data=content or None
        ) as theirs:
            if self._is_cut or not await self._passes(sent, "after"):
                return self._break(request)
            return await self._pass_on(request, theirs)

    async def _passes(self, sent: Sent, when: Literal["before", "after"]) -> bool:
        for held in self._levers:
            if held.when == when and held.takes(sent):
                return await held.pass_through()
        return True

    async def _pass_on(self, request: web.BaseRequest, theirs: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = {name: value for name, value in theirs.headers.items() if name.lower() not in _OWN}
        answer = web.StreamResponse(status=theirs.status, headers=headers)
        try:
            await answer.prepare(request)
            async for chunk in theirs.content.iter_any():
                if self._is_cut:
                    return self._break(request)
                await answer.write(chunk)
            await answer.write_eof()
        except (ConnectionError, aiohttp.ClientError):  # somebody was killed
            return self._break(request)
        return answer

    @staticmethod
    def _break(request: web.BaseRequest) -> web.StreamResponse:
        if request.transport:
            request.transport.abort()
        return web.Response()


@contextmanager
def wired(kubeconfig: Path, target: Path) -> Iterator[Wire]:
    """A wire before the API server of `kubeconfig`, in its own thread; `target` becomes a kubeconfig through it."""
    content = json.loads(kubeconfig.read_text())
    cluster = content["clusters"][0]["cluster"]
    wire = Wire(cluster["server"], tls_of(cluster))
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(wire.serve(ready)), name="wire", daemon=True)
    thread.start()
    loop, end = ready.result(START_LIMIT)
    target.touch(mode=0o600)
    target.write_text(json.dumps(content | {"clusters": [{"name": "plane", "cluster": {"server": wire.url}}]}))
    try:
        yield wire
    finally:
        wire.release()
        loop.call_soon_threadsafe(end.set)
        thread.join()


def tls_of(cluster: dict[str, Any]) -> ssl.SSLContext:
    """Trusts the plane's own certificate, as its kubeconfig gives it, and no other."""
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return ssl.create_default_context(cadata=authority)
