"""One page of the list of machines: filters, paging, and the ways in which lists lie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from random import Random

from novita_simulator.faults import Fault
from novita_simulator.machine import Machine
from novita_simulator.problems import invalid

DEFAULT_SIZE, MAX_SIZE = 10, 100
Shape = Callable[["Listing", Fault, float], "Listing"]


@dataclass(frozen=True, slots=True)
class Window:
    """`page` counts from 0, whatever the caller's base."""

    page: int
    size: int

    @classmethod
    def of(cls, query: Mapping[str, str], first_page: int) -> "Window":
        size = number(query, "pageSize") or DEFAULT_SIZE
        return cls(max(0, number(query, "pageNum") - first_page), min(size, MAX_SIZE))

    def cut(self, machines: Sequence[Machine]) -> list[Machine]:
        start = self.page * self.size
        return list(machines[start : start + self.size])


@dataclass(frozen=True, slots=True)
class Listing:
    machines: list[Machine]
    total: int
    window: Window
    is_filtered: bool


def page(
    machines: Mapping[str, Machine], query: Mapping[str, str], window: Window, shapes: Sequence[Fault], now: float
) -> tuple[list[Machine], int]:
    """The machines of the page, and the total that the answer tells."""
    wanted = {key: query[key] for key in ("name", "productName", "status") if query.get(key)}
    if not wanted and not shapes:
        start = window.page * window.size
        return list(islice(machines.values(), start, start + window.size)), len(machines)
    kept = [machine for machine in machines.values() if _matches(machine, wanted)]
    listing = Listing(kept, len(kept), window, bool(wanted))
    for fault in sorted(shapes, key=lambda fault: list(SHAPES).index(fault.kind)):
        listing = SHAPES[fault.kind](listing, fault, now)
    return listing.window.cut(listing.machines), listing.total


def number(query: Mapping[str, str], key: str) -> int:
    text = query.get(key) or "0"
    if not (text.isascii() and text.isdigit()):
        raise invalid(f"{key}: not a number")
    return int(text)


def _matches(machine: Machine, wanted: Mapping[str, str]) -> bool:
    """Names are fuzzy, the status is exact."""
    return (
        wanted.get("name", "") in machine.order.name
        and wanted.get("productName", "") in machine.order.product.name
        and wanted.get("status", machine.status) == machine.status
    )


def _lagging(listing: Listing, fault: Fault, now: float) -> Listing:
    seen = [machine for machine in listing.machines if machine.created_at <= now - (fault.seconds or 0)]
    return Listing(seen, len(seen), listing.window, listing.is_filtered)


def _shrunken(listing: Listing, fault: Fault, _now: float) -> Listing:
    seen = listing.machines
    kept: Sequence[int] = range(ceil(len(seen) * (1 - fault.fraction)))
    if fault.seed:
        kept = sorted(Random(fault.seed).sample(range(len(seen)), len(kept)))  # noqa: S311  it shall repeat itself
    seen = [seen[index] for index in kept]
    return Listing(seen, len(seen), listing.window, listing.is_filtered)


def _slipped(listing: Listing, fault: Fault, _now: float) -> Listing:
    """Items slip between pages; a list that asks for one by name has no other page to slip to."""
    if listing.is_filtered:
        return listing
    seen = [machine for machine in listing.machines if fault.name not in machine.order.name]
    return Listing(seen, len(seen) if fault.total_agrees else listing.total, listing.window, listing.is_filtered)


def _repeated(listing: Listing, fault: Fault, _now: float) -> Listing:
    repeated = fault.page or 0
    is_next = listing.window.page == repeated + 1
    window = Window(repeated, listing.window.size) if is_next else listing.window
    return Listing(listing.machines, listing.total, window, listing.is_filtered)


SHAPES: dict[str, Shape] = {
    "list_lag": _lagging,
    "shrunken_list": _shrunken,
    "slipped_item": _slipped,
    "duplicate_page": _repeated,
}
