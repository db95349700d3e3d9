"""Levers for everything that goes wrong between caller and platform: which call they hit, when, and how often."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypedDict, get_args

from pydantic import BaseModel, ConfigDict, Field

Read = Literal["list", "get", "products", "clusters", "templates", "template", "auths"]
Write = Literal["create", "start", "stop", "restart", "delete"]
Operation = Literal["*"] | Read | Write
Cut = Literal["lost_before", "lost_after", "hang_before", "hang_after", "hold_before", "hold_after"]
Nonsense = Literal["status_before", "status_after", "html_403", "html_200", "garbled"]
Shape = Literal["list_lag", "duplicate_page", "slipped_item", "shrunken_list"]
Kind = Cut | Nonsense | Shape
BEFORE = frozenset({"lost_before", "status_before", "hang_before", "hold_before", "html_403", "html_200"})
AFTER = frozenset({"lost_after", "status_after", "hang_after", "hold_after"})
GARBLING = frozenset({"garbled"})
LIST_SHAPES = frozenset(get_args(Shape))


class Fault(BaseModel):
    """One lever.

    Which calls: `operation`, `account` (its name), `name` (part of the machine's name), `page` (0 is the first).
    How often: `times`, None for ever; of a list shape it counts whole lists, each begun by its first page.

    `status`, `reason`, `message`, `retry_after` are for `status_*`. `seconds` is how long a hang lasts in real time
    (None: until released) or how far a lagging list is behind in simulated time. `fraction` is what a shrunken list
    lacks: the newest, or with a `seed` others each time. Of an item that slips, `name` says which, and `total_agrees`
    whether the total goes down with it. The page that comes twice is `page`. What a garbled answer is changed into
    follows from `seed` and how often that was done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    operation: Operation = "*"
    account: str = ""
    name: str = ""
    page: int | None = Field(default=None, ge=0)
    times: int | None = Field(default=1, ge=1)
    status: int = Field(default=500, ge=200, le=599)
    reason: str = "UNKNOWN"
    message: str = "injected fault"
    retry_after: int | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0)
    fraction: float = Field(default=0.5, ge=0, le=1)
    total_agrees: bool = False
    seed: int = 0


class FaultOptions(TypedDict, total=False):
    """The fields of `Fault` beside kind and operation, for callers that name them."""

    account: str
    name: str
    page: int | None
    times: int | None
    status: int
    reason: str
    message: str
    retry_after: int | None
    seconds: float | None
    fraction: float
    total_agrees: bool
    seed: int


@dataclass(slots=True)
class Call:
    """What is known of a call when a fault is looked for, and what the journal tells of it afterwards."""

    operation: str
    account: str = ""
    machine_id: str = ""
    name: str = ""
    page: int | None = None
    is_applied: bool = False
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Lever:
    """A fault in place."""

    id: str
    fault: Fault
    fired: int = 0
    shapes_this_list: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    is_dropped: bool = False

    def release(self, *, drop: bool) -> None:
        self.is_dropped = drop
        self.released.set()

    @property
    def shape(self) -> Fault:
        """As it is for this list."""
        return self.fault.model_copy(update={"seed": self.fault.seed + self.fired}) if self.fault.seed else self.fault

    @property
    def is_spent(self) -> bool:
        return self.fault.times is not None and self.fired >= self.fault.times

    def meets(self, call: Call) -> bool:
        fault = self.fault
        return (
            fault.operation in ("*", call.operation)
            and fault.account in ("", call.account)
            and fault.name in call.name
            and fault.page in (None, call.page)
        )

    def shapes(self, call: Call) -> bool:
        """A shape holds for all pages of a list, or for none."""
        if call.operation != "list" or self.fault.account not in ("", call.account):
            return False
        if call.page == 0:
            self.shapes_this_list = not self.is_spent
            self.fired += self.shapes_this_list
        return self.shapes_this_list


class Levers:
    """All faults in place, in the order in which they were placed."""

    def __init__(self) -> None:
        self._levers: dict[str, Lever] = {}
        self._placed = 0

    def place(self, fault: Fault) -> Lever:
        self._placed += 1
        lever = Lever(f"fault-{self._placed}", fault)
        self._levers[lever.id] = lever
        return lever

    def find(self, lever_id: str) -> Lever | None:
        return self._levers.get(lever_id)

    def all(self) -> list[Lever]:
        return list(self._levers.values())

    def remove(self, lever_id: str) -> None:
        """Whoever hangs at it is dropped."""
        lever = self._levers.pop(lever_id, None)
        if lever:
            lever.release(drop=True)

    def clear(self) -> None:
        for lever_id in list(self._levers):
            self.remove(lever_id)

    def hits(self, call: Call, kinds: frozenset[str]) -> Iterator[Lever]:
        """Those that hit this call at this point, each counted as it is handed out."""
        for lever in self.all():
            if lever.fault.kind in kinds and not lever.is_spent and lever.meets(call):
                lever.fired += 1
                call.faults.append(lever.id)
                yield lever

    def shapes(self, call: Call) -> list[Fault]:
        return [lever.shape for lever in self.all() if lever.fault.kind in LIST_SHAPES and lever.shapes(call)]
