"""A wire between the operator and the API server that a test can cut: TLS passes through as it is."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

_CHUNK = 65536


class Relay:
    """Bytes pass both ways. What happens to the API server's next answer is set shortly before its request is sent."""

    def __init__(self, port: int) -> None:
        """`port` is the API server's, on loopback."""
        self._port = port
        self._at_next_answer: Callable[[], None] | None = None
        self._loses_next = False
        self._serving: set[asyncio.Task[None]] = set()

    def at_next_answer(self, act: Callable[[], None]) -> None:
        """Do this when the API server has answered and nobody knows it yet."""
        self._at_next_answer = act

    def lose_next_answer(self) -> None:
        """The API server does what it is asked, and the connection breaks instead of its answer."""
        self._loses_next = True

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, until either side ends it."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def end(self) -> None:
        """Cut every connection."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, server = await asyncio.open_connection("127.0.0.1", self._port)
        ways = [
            asyncio.create_task(self._pass_on(reader, server)),
            asyncio.create_task(self._pass_on(theirs, writer, look=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (server, writer):
                end.close()
            await asyncio.gather(server.wait_closed(), writer.wait_closed(), return_exceptions=True)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, look: bool = False) -> None:
        while data := await source.read(_CHUNK):
            if look and self._is_cut():
                return
            sink.write(data)
            await sink.drain()

    def _is_cut(self) -> bool:
        act, self._at_next_answer = self._at_next_answer, None
        if act is not None:
            act()
        is_cut, self._loses_next = self._loses_next, False
        return is_cut


@contextlib.asynccontextmanager
async def relayed(kubeconfig: Path, target: Path) -> AsyncIterator[Relay]:
    """A relay before the API server of `kubeconfig`; `target` becomes a kubeconfig that goes through it."""
    content = json.loads(kubeconfig.read_text())  # noqa: ASYNC240  a small file, before anything runs
    cluster = content["clusters"][0]["cluster"]
    relay = Relay(urlsplit(cluster["server"]).port or 443)
    async with await asyncio.start_server(relay.take, "127.0.0.1", 0) as server:
        cluster["server"] = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        target.write_text(json.dumps(content))  # noqa: ASYNC240  as above
        yield relay
        await relay.end()
