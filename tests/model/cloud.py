"""Novita in the model: what is billed in truth, and what lists show of it, late and with holes.

What the protocol rests on holds here (docs/architecture.md), unless the weather says `TOO_LATE`: a create that is sent
within W/3 of its claim lands by claim + W or never, and a list shows nothing that is older than the list lag.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from build import CLUSTER, POLICY, foreign
from novita_operator.cloud.errors import BadState, NotFound, Unknown
from novita_operator.cloud.wire import Page
from novita_operator.model.machine import Machine, MachineState, SpotStatus
from novita_operator.model.market import Order
from novita_operator.model.naming import MARK_ENV, Mark, machine_name

W, LAG = POLICY.claim_window, POLICY.list_lag
_PAGE_SIZE = 4
_COMES_UP = 3.0
_SLOWLY = 20.0
_TOO_LATE = 90.0


class Landing(StrEnum):
    """When a create that was sent takes effect."""

    AT_ONCE = "at once"
    SOON = "in 15 s"
    AT_THE_LAST_MOMENT = "when W is nearly over"
    NEVER = "never, although it was taken"
    TOO_LATE = "when W is over: no client can close this"


class Removal(StrEnum):
    """What an acknowledged delete does."""

    AT_ONCE = "gone at once"
    REMOVING = "shown as removing, then gone"
    DELAYED = "goes on for a while, then gone"


class Trouble(StrEnum):
    """What is wrong with lists."""

    NONE = "nothing"
    BAD_PAGE = "every page but the first fails"
    SLIP = "machines of ours slip between pages, and totals agree, four times in a row"
    SHRUNKEN = "the list is complete and nearly empty, twice in a row"


_IN_A_ROW = {Trouble.SLIP: 4, Trouble.SHRUNKEN: 2}


class Witness(Protocol):
    """Who is told of what happens, and judges it."""

    def landed(self, machine: Machine) -> None:
        """A machine of ours came to life."""

    def sent(self, order: Order) -> float:
        """A create call was sent; the last moment at which it may land."""

    def touched(self, machine: Machine) -> None:
        """A call changes this machine."""


@dataclass
class Weather:
    """How Novita behaves just now."""

    landing: Landing = Landing.AT_ONCE
    removal: Removal = Removal.AT_ONCE
    trouble: Trouble = Trouble.NONE
    lags: bool = False
    slow_start: bool = False


class Cloud:
    """Every machine with its past; the last entry is the truth, None after its end.

    `names` are the names of our machines by id, `doomed` ids that will be deleted, `under_way` what may yet land.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, witness: Witness) -> None:
        self.weather = Weather()
        self.pasts: dict[str, list[tuple[float, Machine | None]]] = {}
        self.names: dict[str, str] = {}
        self.doomed: set[str] = set()
        self.under_way: list[Machine] = []
        self._loop = loop
        self._witness = witness
        self._in_a_row = 0
        for machine in _strangers():
            self._is_now(machine.id, machine)

    def truth(self, machine_id: str) -> Machine | None:
        return self.pasts[machine_id][-1][1] if machine_id in self.pasts else None

    def billed(self, uids: Collection[str] | None = None) -> list[Machine]:
        """Machines of ours that are alive: of one object, by all UIDs that it had, or all."""
        alive = (self.truth(machine_id) for machine_id in self.names)
        return [m for m in alive if m is not None and m.mark is not None and (uids is None or m.mark.uid in uids)]

    def is_news(self, name: str) -> bool:
        """Whether a list need not show it yet: it is under way, or has just landed."""
        if any(machine.name == name for machine in self.under_way):
            return True
        born = [self.pasts[each][0][0] for each, called in self.names.items() if called == name and each in self.pasts]
        return any(self._loop.time() - at <= LAG for at in born)

    # What clients ask.

    def create(self, order: Order, fence: Callable[[], None]) -> str:
        fence()
        text = next(variable.value for variable in order.env if variable.name == MARK_ENV)
        machine = replace(
            foreign(),
            id=f"m-{len(self.names) + 1}",
            name=order.name,
            state=MachineState.CREATING,
            mark=Mark.parse(text or ""),
            billing=order.offer.billing,
        )
        last_moment = self._witness.sent(order) - self._loop.time()
        self.names[machine.id] = machine.name
        if self.weather.landing is Landing.NEVER:
            raise Unknown("taken, and lost")
        delay = {Landing.SOON: 15.0, Landing.AT_THE_LAST_MOMENT: last_moment, Landing.TOO_LATE: _TOO_LATE}
        self.under_way.append(machine)
        if self.weather.landing is Landing.AT_ONCE:
            self._lands(machine)
        else:
            self._loop.call_later(delay[self.weather.landing], self._lands, machine)
        return machine.id

    def delete(self, machine_id: str, fence: Callable[[], None]) -> None:
        fence()
        machine = self._living(machine_id)
        if self.weather.removal is Removal.AT_ONCE:
            self._is_now(machine_id, None)
            return
        if self.weather.removal is Removal.REMOVING:
            self._is_now(machine_id, replace(machine, state=MachineState.REMOVING))
        self.doomed.add(machine_id)
        self._loop.call_later(_SLOWLY, self._is_now, machine_id, None)

    def start(self, machine_id: str, fence: Callable[[], None]) -> None:
        fence()
        machine = self._living(machine_id)
        if machine.state is not MachineState.EXITED:
            raise BadState("not stopped")
        self._is_now(machine_id, replace(machine, state=MachineState.STARTING))
        self._comes_up_later(machine_id)

    def stop(self, machine_id: str, fence: Callable[[], None]) -> None:
        fence()
        machine = self._living(machine_id)
        if machine.state is not MachineState.RUNNING:
            raise BadState("not running")
        self._is_now(machine_id, replace(machine, state=MachineState.EXITED))

    def machine(self, machine_id: str) -> Machine:
        machine = self._seen(machine_id)
        if machine is None:
            raise NotFound("no such machine")
        return machine

    def page(self, number: int, name: str | None = None, *, exactly: bool = True) -> Page:
        """One page of the list of all, or of those with that name or part of it (which is short: nothing slips)."""
        if self.weather.trouble is Trouble.BAD_PAGE and (number > 0 or name is not None):
            raise Unknown("502")
        shown = [machine for machine_id in self.pasts if (machine := self._seen(machine_id)) is not None]
        if name is not None:
            shown = [machine for machine in shown if machine.name == name or (not exactly and name in machine.name)]
        elif self._is_troubled(number):
            shown = [self._slips(m) for m in shown] if self.weather.trouble is Trouble.SLIP else shown[:1]
        part = shown[number * _PAGE_SIZE : (number + 1) * _PAGE_SIZE]
        return Page(tuple(part), len(shown))

    # What happens by itself.

    def vanish(self, machine_id: str) -> None:
        self._is_now(machine_id, None)

    def exit(self, machine_id: str, *, reclaimed: bool) -> None:
        machine = self.truth(machine_id)
        if machine is not None and machine.state is MachineState.RUNNING:
            spot = SpotStatus.TERMINATED if reclaimed else SpotStatus.NONE
            self._is_now(machine_id, replace(machine, state=MachineState.EXITED, spot=spot))

    def clear_up(self) -> None:
        """Calm weather; whatever hung on its way up comes up."""
        self.weather = Weather(lags=self.weather.lags)
        for machine in self.billed():
            self._comes_up_later(machine.id)

    def _lands(self, machine: Machine) -> None:
        self.under_way.remove(machine)
        self._is_now(machine.id, machine)
        if not self.weather.slow_start:
            self._comes_up_later(machine.id)
        self._witness.landed(machine)

    def _comes_up_later(self, machine_id: str) -> None:
        def comes_up() -> None:
            machine = self.truth(machine_id)
            if machine is not None and machine.state in {MachineState.CREATING, MachineState.STARTING}:
                self._is_now(machine_id, replace(machine, state=MachineState.RUNNING))

        self._loop.call_later(_COMES_UP, comes_up)

    def _living(self, machine_id: str) -> Machine:
        machine = self.truth(machine_id)
        if machine is None:
            raise NotFound("no such machine")
        self._witness.touched(machine)
        return machine

    def _is_now(self, machine_id: str, machine: Machine | None) -> None:
        self.pasts.setdefault(machine_id, []).append((self._loop.time(), machine))

    def _seen(self, machine_id: str) -> Machine | None:
        seen_at = self._loop.time() - (LAG if self.weather.lags else 0)
        past = self.pasts.get(machine_id, [])
        return next((machine for at, machine in reversed(past) if at <= seen_at), None)

    def _slips(self, machine: Machine) -> Machine:
        """It moved to a page that was read already; one that came meanwhile makes the total right."""
        if machine.id not in self.names:
            return machine
        return foreign(id=f"instead-of-{machine.id}")

    def _is_troubled(self, page: int) -> bool:
        """Whether this list lacks machines; such trouble passes by itself."""
        most = _IN_A_ROW.get(self.weather.trouble, 0)
        self._in_a_row += page == 0
        if self._in_a_row > most:
            self._in_a_row = 0
            self.weather.trouble = self.weather.trouble if most == 0 else Trouble.NONE
        return self.weather.trouble in _IN_A_ROW


def _strangers() -> list[Machine]:
    """Seven of them, so that a shrunken list is worth a brake; three look like ours and are not."""
    look_alike = machine_name(Mark(CLUSTER, "default", "a", "uid-1"), "aaaaaaaa")
    likes = [
        foreign(name=look_alike),
        foreign(name=look_alike, mark=Mark("cluster-2", "default", "a", "uid-1")),
        foreign(name="notebook", mark=Mark(CLUSTER, "default", "a", "uid-1")),
    ]
    return [replace(m, id=f"f-{n}") for n, m in enumerate([*likes, *[foreign()] * 4], start=1)]
