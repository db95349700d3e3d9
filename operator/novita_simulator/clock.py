"""Simulated time: runs at a chosen speed, and may be turned by hand."""

from collections.abc import Callable


class Clock:
    """`start` in Unix seconds; `read` is any steady clock; `speed` in simulated seconds per second, 0 stands still."""

    def __init__(self, *, start: float, read: Callable[[], float], speed: float = 1) -> None:
        self._read = read
        self._base = start
        self._since = read()
        self._speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> float:
        return self._base + (self._read() - self._since) * self._speed

    def advance(self, seconds: float) -> None:
        self._base += seconds

    def run(self, speed: float) -> None:
        self._base, self._since = self.now(), self._read()
        self._speed = speed
