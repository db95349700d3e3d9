"""Time that passes only where everybody waits: `asyncio.sleep(3600)` takes no time, `loop.time()` shows the hour."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import ParamSpec

P = ParamSpec("P")

_MOST_TURNS = 1000
_TICK = 1e-6


class _Selector(selectors.DefaultSelector):
    now = 0.0
    _turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """After very many turns of the loop at one moment a little time passes: a rounded timer may need it."""
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits for something that will never come")
        self._turns = 0 if timeout else self._turns + 1
        if not ready and timeout:
            self.now += timeout
        elif self._turns > _MOST_TURNS:
            self.now, self._turns = self.now + _TICK, 0
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that jumps to the next timer when nothing else is left to do. No sockets, no threads."""

    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def virtual_time(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Run a test's coroutine on a loop of its own, in virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
