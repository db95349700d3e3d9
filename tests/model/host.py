"""A computer of the model, and what is logged there."""

import logging

from model.process import Process
from model.world import Finding, World
from novita_operator.control.clock import Clock


class Host:
    """A computer on which one process runs after the other."""

    def __init__(self, world: World, name: str, of_here: Clock) -> None:
        self._world = world
        self._name = name
        self._clock = of_here
        self.process = Process(world, name, of_here, self.restart)

    def restart(self) -> None:
        self.process.die()
        self.process = Process(self._world, self._name, self._clock, self.restart)

    def hear(self) -> None:
        self.process.hear()

    def watch(self, *, works: bool) -> None:
        if works and not self.process.watches:
            self.process.relist()
        self.process.watches = works

    def freeze(self) -> None:
        self.process.line.awake.clear()

    def thaw(self) -> None:
        """The watch did not outlive it."""
        self.process.line.awake.set()
        if self.process.watches:
            self.process.relist()


class Broken(logging.Handler):
    """A step that ends with an error that nobody thought of is logged and tried again: a finding all the same."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._world.finds(Finding.BROKEN, repr(record.exc_info[1]))
