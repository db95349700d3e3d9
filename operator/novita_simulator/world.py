"""The model of Novita: accounts, machines, stock and time, without HTTP. Every call says what time it is.

Machines move by plans: a verb writes the states to come with their moments, and `settle` enters those that are due, in
order of time over all machines. So nothing runs in the background, and a world with a hand-turned clock is exact.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2s
from heapq import heappop, heappush

from novita_simulator.catalogue import Catalogue
from novita_simulator.ledger import Books
from novita_simulator.machine import (
    ALLOWED_FROM,
    BILLED,
    DELETION,
    DURATIONS,
    FORGOTTEN,
    LEAVING,
    PATHS,
    Machine,
    Order,
    Step,
    path,
)
from novita_simulator.problems import Missing, refused, wrong_state
from novita_simulator.quirks import Quirks


@dataclass(slots=True)
class Fate:
    """What awaits machines that enter the state `at`: they stay in it, crash out of it, or vanish.

    `name` is a part of the machine's name, `account` may be empty, `after` is in simulated seconds, `times` may be
    None: for ever.
    """

    at: str
    then: str
    name: str = ""
    account: str = ""
    after: float = 0
    error: tuple[str, str] = ("", "")
    times: int | None = None

    def awaits(self, machine: Machine) -> bool:
        is_due = self.times is None or self.times > 0
        is_meant = self.name in machine.order.name and self.account in ("", machine.account)
        return is_due and is_meant and self.at == machine.status


class World:
    """`keys` maps API keys to accounts; `stock` the free GPUs by product and cluster."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        keys: Mapping[str, str],
        stock: Mapping[tuple[str, str], int],
        durations: Mapping[str, float] = DURATIONS,
        quirks: Quirks | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.keys = dict(keys)
        self.stock = dict(stock)
        self.durations = dict(DURATIONS) | dict(durations)
        self.quirks = quirks or Quirks()
        self.books = Books()
        self.fates: list[Fate] = []
        self.machines: dict[str, Machine] = {}
        self._listed: dict[str, dict[str, Machine]] = {}
        self._agenda: list[tuple[float, int, str]] = []
        self._plans = 0

    def settle(self, now: float) -> None:
        """Enter every state that is due."""
        while self._agenda and self._agenda[0][0] <= now:
            _, plan_number, machine_id = heappop(self._agenda)
            machine = self.machines.get(machine_id)
            if machine and machine.plan_number == plan_number and not machine.is_frozen:
                self._enter(machine, machine.plan.popleft())

    def listed(self, account: str) -> dict[str, Machine]:
        """The account's machines as lists show them, oldest first."""
        return self._listed.setdefault(account, {})

    def find(self, account: str, machine_id: str) -> Machine:
        machine = self.machines.get(machine_id)
        if machine is None or machine.account != account:
            raise Missing("instance not found")
        return machine

    def create(self, account: str, order: Order, now: float) -> Machine:
        self._take_gpus(order)
        machine = Machine(self._new_id(), account, order, now, spot_status="running", holds_gpus=True)
        if not machine.is_spot:
            machine.spot_status = ""
        self.machines[machine.id] = self.listed(account)[machine.id] = machine
        self.books.open(machine)
        self.follow(machine, path(PATHS["create"], now, self.durations), now)
        return machine

    def change_power(self, machine: Machine, verb: str, now: float) -> None:
        """`verb` is start, stop or restart."""
        if machine.status not in ALLOWED_FROM[verb]:
            raise wrong_state(self.quirks.wrong_state_reason)
        if verb == "start":
            self._take_gpus(machine.order)
            machine.holds_gpus = True
            machine.status_error = ("", "")
            machine.spot_status = "running" if machine.is_spot else ""
            machine.spot_reclaim_at = 0
        self.follow(machine, path(PATHS[verb], now, self.durations), now)

    def delete(self, machine: Machine, now: float) -> None:
        """From any state; a repeated delete changes nothing."""
        if machine.status == "removed":
            raise Missing("instance not found")
        if machine.status not in LEAVING:
            self.follow(machine, path(DELETION[self.quirks.deleted], now, self.durations), now)

    def follow(self, machine: Machine, steps: Iterable[Step], now: float) -> None:
        """Replace what the machine was about to do, and enter what is due already."""
        machine.plan = deque(steps)
        machine.is_frozen = False
        self._schedule(machine)
        self.settle(now)

    def thaw(self, machine: Machine, now: float) -> None:
        """Go on with the plan of a frozen machine, as if no time had passed since its next step was due."""
        delay = max(0.0, now - machine.plan[0].at) if machine.plan else 0.0
        steps = [Step(step.at + delay, step.status, step.spot_status, step.error) for step in machine.plan]
        self.follow(machine, steps, now)

    def _schedule(self, machine: Machine) -> None:
        self._plans += 1
        machine.plan_number = self._plans
        if machine.plan:
            heappush(self._agenda, (machine.plan[0].at, self._plans, machine.id))

    def _enter(self, machine: Machine, step: Step) -> None:
        has_changed = machine.status != step.status
        machine.status = step.status
        machine.spot_status = step.spot_status or machine.spot_status
        if has_changed:
            self._arrive(machine, step)
            self._meet_fate(machine, step.at)
        self._schedule(machine)

    def _arrive(self, machine: Machine, step: Step) -> None:
        self.books.meter(machine, step.at, is_billed=step.status in BILLED)
        if step.status == "running":
            machine.started_at = step.at
            machine.starts += 1
        elif step.status == "exited":
            machine.stopped_at = step.at
            machine.status_error = step.error
            self._give_back_gpus(machine)
        elif step.status in ("removed", FORGOTTEN):
            self._end(machine, step)

    def _end(self, machine: Machine, step: Step) -> None:
        self._give_back_gpus(machine)
        self.books.close(machine, step.at)
        if step.status == FORGOTTEN:
            self.machines.pop(machine.id, None)
        if step.status == FORGOTTEN or not self.quirks.removed_in_lists:
            self.listed(machine.account).pop(machine.id, None)

    def _meet_fate(self, machine: Machine, at: float) -> None:
        fate = next((fate for fate in self.fates if fate.awaits(machine)), None)
        if fate is None:
            return
        if fate.times is not None:
            fate.times -= 1
        if fate.then == "freeze":
            machine.is_frozen = True
        else:
            end = "exited" if fate.then == "crash" else FORGOTTEN
            machine.plan = deque([Step(at + fate.after, end, error=fate.error)])

    def _take_gpus(self, order: Order) -> None:
        pool = (order.product.id, order.cluster_id)
        if self.stock.get(pool, 0) < order.gpu_num:
            raise refused("INSUFFICIENT_RESOURCE", "not enough gpu")
        self.stock[pool] -= order.gpu_num

    def _give_back_gpus(self, machine: Machine) -> None:
        if machine.holds_gpus:
            pool = (machine.order.product.id, machine.order.cluster_id)
            self.stock[pool] = self.stock.get(pool, 0) + machine.order.gpu_num
            machine.holds_gpus = False

    def _new_id(self) -> str:
        number = len(self.books.accounts) + 1
        return blake2s(str(number).encode(), digest_size=8).hexdigest()
