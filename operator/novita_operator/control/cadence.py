"""When the next list comes: fast while something moves, slow when all is still, at once for whoever waits for one."""

import asyncio
import contextlib
from collections.abc import Callable

from novita_operator.cloud.errors import CloudError
from novita_operator.control.memory import Memory
from novita_operator.model.machine import MOVING, Fleet

LULLS_PER_LIST = 2.0
"""A list that takes long comes less often."""

_JITTER = 0.1
_SHORTEST_PAUSE = 1.0


class Cadence:
    """Knows who waits for a list, and how the last ones went. `fast` and `slow` are seconds between lists.

    `took` is how long the last list took, in seconds; `random` gives a number from 0 to 1.
    """

    def __init__(self, memory: Memory, *, fast: float, slow: float, random: Callable[[], float]) -> None:
        self.took = 0.0
        self._memory = memory
        self._fast = fast
        self._slow = slow
        self._random = random
        self._waiting: dict[str, float] = {}
        self._restless: set[str] = set()
        self._hurry = asyncio.Event()
        self._failures = 0
        self._useless_for: float | None = None

    def await_list(self, uid: str) -> None:
        """This object waits for a list that begins from now on."""
        self._waiting[uid] = self._memory.clock.boot()
        self._hurry.set()

    def watch(self, uid: str, *, closely: bool) -> None:
        """Whether this object is on its way somewhere."""
        if not closely:
            self._restless.discard(uid)
        else:
            if not self._restless:
                self._hurry.set()  # from now on lists come fast, and one serves all that move
            self._restless.add(uid)

    def failed(self, error: CloudError) -> None:
        self._failures += 1
        self._useless_for = error.retry_after

    def succeeded(self, begun: float) -> set[str]:
        """UIDs of those who waited for a list that begins no earlier than this one did; they wait no more."""
        self._failures = 0
        served = {uid for uid, since in self._waiting.items() if since <= begun}
        self._waiting = {uid: since for uid, since in self._waiting.items() if uid not in served}
        return served

    async def pause(self) -> None:
        """Until the next list is due."""
        shortest = self._shortest()
        await asyncio.sleep(shortest)
        rest = self._whole() - shortest
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(rest, 0)):
                await self._hurry.wait()
        self._hurry.clear()

    @property
    def least(self) -> float:
        """The shortest time in which anything is looked at again."""
        return min(self._fast, _SHORTEST_PAUSE)

    def _shortest(self) -> float:
        """Seconds without a list, whoever hurries: launches wait while one is read, and must have their time too."""
        return max(self.least, min(LULLS_PER_LIST * self.took, self._slow))

    def _whole(self) -> float:
        """Seconds until the next list."""
        self._restless.intersection_update(self._memory.entries)  # what is released moves no more
        moving = self._waiting or self._restless or _is_moving(self._memory.fleet)
        pause = self._fast if moving else self._slow
        if self._failures:
            # Where it is known from when on a list makes sense, none comes later than that.
            known = self._slow if self._useless_for is None else self._useless_for
            pause = min(self._fast * 2.0 ** min(self._failures, 10), self._slow, known)
        if self._memory.key_accepted is False:
            pause = self._slow
        return pause * (1 + _JITTER * (2 * self._random() - 1))


def _is_moving(fleet: Fleet | None) -> bool:
    return fleet is not None and any(machine.state in MOVING for group in fleet.ours.values() for machine in group)
