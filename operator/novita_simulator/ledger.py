"""The books: which machine lived when, what it cost, and how many of one owner lived at the same time.

Alive means from the moment a create was applied until the machine is removed or has vanished; billed is the narrower
time in which compute costs money. Peaks are counted as things happen, so their order counts even at one instant.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from novita_simulator.machine import Machine

SECONDS_PER_HOUR = 3600


class Entry(BaseModel):
    """Times in simulated Unix seconds; `billed` are intervals, the last one open while it still costs; cost in USD."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    account: str
    mark: str
    group: str
    created: float
    ended: float | None
    billed: tuple[tuple[float, float | None], ...]
    cost: Decimal


class Ledger(BaseModel):
    """Machines without an owner's mark are in `entries` and in no group."""

    model_config = ConfigDict(frozen=True)

    now: float
    entries: tuple[Entry, ...]
    max_alive: dict[str, int]
    max_billed: dict[str, int]
    alive_at_end: dict[str, int]
    cost: Decimal


@dataclass(slots=True)
class Tally:
    current: Counter[str] = field(default_factory=Counter)
    peak: dict[str, int] = field(default_factory=dict)

    def up(self, group: str) -> None:
        if group:
            self.current[group] += 1
            self.peak[group] = max(self.peak.get(group, 0), self.current[group])

    def down(self, group: str) -> None:
        if group:
            self.current[group] -= 1


@dataclass(slots=True)
class Account:
    """The account of one machine: the intervals in which it was billed."""

    machine: Machine
    closed: list[tuple[float, float]] = field(default_factory=list)
    open_since: float | None = None

    def entry(self, now: float) -> Entry:
        order = self.machine.order
        running = () if self.open_since is None else ((self.open_since, None),)
        seconds = sum(((end or now) - start for start, end in (*self.closed, *running)), start=0.0)
        return Entry(
            id=self.machine.id,
            name=order.name,
            account=self.machine.account,
            mark=order.mark,
            group=self.machine.group,
            created=self.machine.created_at,
            ended=self.machine.ended_at,
            billed=(*self.closed, *running),
            cost=order.usd_per_hour * Decimal(str(seconds)) / SECONDS_PER_HOUR,
        )


@dataclass(slots=True)
class Books:
    accounts: dict[str, Account] = field(default_factory=dict)
    alive: Tally = field(default_factory=Tally)
    billed: Tally = field(default_factory=Tally)

    def open(self, machine: Machine) -> None:
        self.accounts[machine.id] = Account(machine)
        self.alive.up(machine.group)

    def close(self, machine: Machine, at: float) -> None:
        """The machine is no more; says so once, whatever happens to its record afterwards."""
        if machine.ended_at is None:
            machine.ended_at = at
            self.alive.down(machine.group)

    def meter(self, machine: Machine, at: float, *, is_billed: bool) -> None:
        account = self.accounts[machine.id]
        if is_billed and account.open_since is None:
            account.open_since = at
            self.billed.up(machine.group)
        elif not is_billed and account.open_since is not None:
            account.closed.append((account.open_since, at))
            account.open_since = None
            self.billed.down(machine.group)

    def report(self, now: float) -> Ledger:
        entries = tuple(account.entry(now) for account in self.accounts.values())
        return Ledger(
            now=now,
            entries=entries,
            max_alive=self.alive.peak,
            max_billed=self.billed.peak,
            alive_at_end=dict(+self.alive.current),
            cost=sum((entry.cost for entry in entries), start=Decimal(0)),
        )
