"""Everything that the handlers of Novita's API and of the control API share."""

from dataclasses import dataclass, field

from novita_simulator.clock import Clock
from novita_simulator.faults import Levers
from novita_simulator.journal import Journal
from novita_simulator.machine import Machine
from novita_simulator.problems import Missing
from novita_simulator.world import World


@dataclass(slots=True)
class Service:
    world: World
    clock: Clock
    levers: Levers = field(default_factory=Levers)
    journal: Journal = field(default_factory=Journal)

    def settled_now(self) -> float:
        """The simulated time, with the world brought up to it."""
        now = self.clock.now()
        self.world.settle(now)
        return now

    def machine(self, machine_id: str) -> Machine:
        """Of any account."""
        self.settled_now()
        machine = self.world.machines.get(machine_id)
        if machine is None:
            raise Missing(f"no machine {machine_id}")
        return machine
