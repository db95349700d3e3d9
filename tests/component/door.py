"""A door before a server on loopback: shut, nothing listens there, and whoever was inside is put out."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine, Iterator

from component.relay import Relay

_LIMIT = 10.0


class Door:
    """Open from the start. The port stays taken while it is shut, so that nobody else listens there."""

    def __init__(self, port: int, loop: asyncio.AbstractEventLoop) -> None:
        """`port` is the server's; `loop` runs in another thread."""
        self._loop = loop
        self._relay = Relay(port)
        self._server: asyncio.Server | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            chosen = free.getsockname()
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(chosen)  # by its number: else the port would be let go with the last listener
        self.url = f"http://127.0.0.1:{chosen[1]}"
        self.open()

    def open(self) -> None:
        self._run(self._open())

    def shut(self) -> None:
        self._run(self._shut())

    def take_away(self) -> None:
        self.shut()
        self._place.close()

    def _run(self, act: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(act, self._loop).result(_LIMIT)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._relay.take, sock=self._place.dup())

    async def _shut(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._place.shutdown(socket.SHUT_RDWR)
        await self._relay.end()


@contextlib.contextmanager
def door(port: int) -> Iterator[Door]:
    """A door in a thread of its own, so that its owner may block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="door")
    thread.start()
    try:
        made = Door(port, loop)
        yield made
        made.take_away()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
