"""A process's line to the world: every call goes over it, and there it can hang, be lost, come late, or be its last."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TypeVar

from novita_operator.cloud.errors import CloudError, OutOfStock, Unknown
from novita_operator.cluster.errors import ClusterError, Unreachable

T = TypeVar("T")

_INSTANT = 0.01
_LATE = 12.0
_SLOW = 18.0


class Kind(StrEnum):
    """What a call asks for: the observable points of the protocol."""

    LIST = "a page of the fleet"
    ALONE = "one machine alone"
    ADMIT = "a place in the budget"
    CLAIM = "claim"
    CREATE = "create"
    RECORD = "record"
    STATUS = "status"
    POWER = "start or stop"
    READ = "object read"
    DELETE = "delete"
    NOTE = "retained machine noted"
    RELEASE = "finalizer"
    SWEEP_MACHINES = "sweep lists machines"
    SWEEP_OBJECTS = "sweep lists objects"
    SWEEP_DELETE = "sweep deletes"
    AUDIT = "audit"


OF_THE_CLOUD = frozenset(
    {Kind.LIST, Kind.ALONE, Kind.ADMIT, Kind.CREATE, Kind.POWER, Kind.DELETE, Kind.SWEEP_MACHINES, Kind.SWEEP_DELETE}
)
ROUTINE = frozenset({Kind.LIST, Kind.SWEEP_MACHINES, Kind.SWEEP_OBJECTS, Kind.AUDIT})


class Mishap(StrEnum):
    """What befalls one call. What hangs goes on when it is let go, or when the caller's own bound ends it."""

    HANGS_BEFORE = "hangs before it takes effect"
    HANGS_AFTER = "takes effect, and the answer hangs"
    CRASH_BEFORE = "the process dies before it is sent"
    CRASH_AFTER = "takes effect, and the process dies"
    LOST_BEFORE = "is lost"
    LOST_AFTER = "takes effect, and the answer is lost"
    SLOW_TO_GO = "takes 18 s to be sent"
    SLOW_ANSWER = "takes effect, and its answer takes 18 s"
    LATE = "is given up, and takes effect later"
    EDITED = "comes right after a user's edit"
    REFUSED = "is refused"


@dataclass
class Plan:
    """What waits for the next call of a kind, whoever makes it, and what hangs. `story` is for people."""

    time: Callable[[], float]
    mishaps: dict[Kind, Mishap] = field(default_factory=dict)
    hanging: list[asyncio.Event] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    is_calm: bool = False

    def let_go(self) -> None:
        for hangs in self.hanging:
            hangs.set()
        self.hanging.clear()

    def tell(self, text: str) -> None:
        self.story.append(f"{self.time():9.2f} {text}")


class Line:
    """`awake` is clear while the process is frozen: its clock runs, and nothing goes out or comes in.

    `crash` kills the process, `edit` has a user edit all objects. `resumed` is when something last went on again.
    """

    resumed = float("-inf")

    def __init__(self, name: str, plan: Plan, crash: Callable[[], None], edit: Callable[[], None]) -> None:
        self.awake = asyncio.Event()
        self.awake.set()
        self._name = name
        self._plan = plan
        self._crash = crash
        self._edit = edit
        self._is_cut = False

    def cut(self) -> None:
        """The process is dead: what it still has under way gets nowhere."""
        self._is_cut = True

    async def call(self, kind: Kind, make: Callable[[], T]) -> T:
        """Have the call made at one moment between its start and its end."""
        mishap = self._plan.mishaps.pop(kind, None)
        if mishap or kind not in ROUTINE:
            self._plan.tell(f"{self._name} {kind}: {mishap or 'ok'}")
        await asyncio.sleep(_INSTANT)
        if mishap is Mishap.SLOW_TO_GO:
            await asyncio.sleep(_SLOW)
        await self._passes(mishap, Mishap.HANGS_BEFORE, Mishap.CRASH_BEFORE)
        if mishap is Mishap.EDITED:
            self._edit()
        if mishap is Mishap.LATE:
            asyncio.get_running_loop().call_later(_LATE, partial(_unheard, make))
        if mishap in {Mishap.LOST_BEFORE, Mishap.LATE}:
            raise _lost(kind)
        if mishap is Mishap.REFUSED:
            raise OutOfStock("no stock") if kind is Kind.CREATE else _lost(kind)
        answer = make()
        if mishap is Mishap.SLOW_ANSWER:
            await asyncio.sleep(_SLOW)
        await self._passes(mishap, Mishap.HANGS_AFTER, Mishap.CRASH_AFTER)
        if mishap is Mishap.LOST_AFTER:
            raise _lost(kind)
        return answer

    async def _passes(self, mishap: Mishap | None, hangs: Mishap, dies: Mishap) -> None:
        if mishap is dies and not self._plan.is_calm:
            self._crash()
        if mishap is hangs and not self._plan.is_calm:
            end = asyncio.Event()
            self._plan.hanging.append(end)
            await end.wait()
            self.resumed = self._plan.time()
        while not self.awake.is_set():
            await self.awake.wait()
            self.resumed = self._plan.time()
        while self._is_cut:
            await asyncio.Event().wait()


def _unheard(make: Callable[[], object]) -> None:
    with contextlib.suppress(CloudError, ClusterError):
        make()


def _lost(kind: Kind) -> Exception:
    return Unknown("no answer") if kind in OF_THE_CLOUD else Unreachable("no answer")
