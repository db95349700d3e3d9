"""A simulator inside the caller's process, in a thread and event loop of its own, so that its client may block."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager

from novita_simulator import seed
from novita_simulator.client import Simulator
from novita_simulator.clock import Clock
from novita_simulator.machine import DURATIONS
from novita_simulator.quirks import Quirks
from novita_simulator.server import serve
from novita_simulator.service import Service

START_LIMIT = 10.0


@contextmanager
def running(
    *,
    speed: float = 0,
    start: float | None = None,
    durations: Mapping[str, float] = DURATIONS,
    quirks: Quirks | None = None,
    has_foreign_machines: bool = True,
) -> Iterator[Simulator]:
    """A seeded simulator on a free loopback port; `speed` 0 means that the test turns the clock with `advance`.

    `start` is the simulated time at the beginning in Unix seconds, by default that of the real clock.
    """
    began = time.time() if start is None else start
    world = seed.seeded(began, durations=durations, quirks=quirks, has_foreign_machines=has_foreign_machines)
    service = Service(world, Clock(start=began, read=time.monotonic, speed=speed))
    listening: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(service, listening)), name="novita-simulator")
    thread.start()
    url, loop, end = listening.result(START_LIMIT)
    try:
        with Simulator(url) as simulator:
            yield simulator
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()


async def _serve(service: Service, listening: "Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
    end = asyncio.Event()
    try:
        async with serve(service) as url:
            listening.set_result((url, asyncio.get_running_loop(), end))
            await end.wait()
    except OSError as error:
        listening.set_exception(error)
