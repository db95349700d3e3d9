"""Waiting for a real server: poll with a deadline, never a bare sleep."""

import asyncio
import contextlib
from collections.abc import Callable

PATIENCE = 20


async def until(fact: Callable[[], bool]) -> None:
    """Return when `fact` holds; TimeoutError when it does not within `PATIENCE` seconds."""
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110  a fact of the server's has no event to wait for
            await asyncio.sleep(0.02)


async def cancelled(task: asyncio.Task[None]) -> None:
    """End a task, and raise what it failed of."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
