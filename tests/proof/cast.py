"""The operators of a soak: one or two processes, killed and frozen as the script says, started again as kubelets do."""

import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from component.operator_fixtures import SECRET
from proof.script import CLAIM_WINDOW, LIST_LAG, Cast
from proof.world import World
from stage import KEY, PATIENCE, OperatorProcess

SETTINGS = {
    "NOVITA_OPERATOR_CLAIM_WINDOW": f"{CLAIM_WINDOW:.0f}s",
    "NOVITA_OPERATOR_LIST_LAG": f"{LIST_LAG:.0f}s",
    "INSTANCE_STARTUP_TIMEOUT": "5s",
}
SLOTS = (0, 1)
_LOST_LEASE = "leads no more"
_BAD = re.compile(r"Traceback|no rest after|\"level\": \"CRITICAL\"")


@dataclass
class Player:
    """One place in the cast.

    `told`: how its process was last told to end. `was_asked`: by SIGTERM, so that it may end by itself before a kill
    comes. `due`: when it is started (again).
    """

    process: OperatorProcess | None = None
    is_elected: bool = False
    told: Literal["", "kill", "term"] = ""
    was_asked: bool = False
    due: float = 0.0
    wanted: bool = False
    is_frozen: bool = False


class Players:
    """Keeps as many operators alive as the act wants. All methods but the freezes' ends belong to one thread."""

    def __init__(self, world: World, tell: Callable[[str], None], token: str) -> None:
        self.counts: Counter[str] = Counter()
        self.cast: Cast = "one"
        self._world = world
        self._tell = tell
        self._secrets = (KEY, SECRET, token)
        self._players = tuple(Player() for _ in SLOTS)
        self._read: dict[OperatorProcess, int] = {}
        self._complaints: list[str] = []
        self._lock = threading.Lock()

    def change(self, cast: Cast, *, gently: bool) -> None:
        """Another cast; who plays in another mode than before is ended first."""
        wanted = 1 if cast == "one" else 2
        is_other = (cast == "elected") != (self.cast == "elected")
        for slot, player in enumerate(self._players):
            player.wanted = slot < wanted
            if player.process is not None and (is_other or not player.wanted):
                (self.term if gently else self.kill)(slot)
        self.cast = cast

    def leave(self) -> None:
        """Everyone is killed, and stays away until the next `change`."""
        for slot, player in enumerate(self._players):
            player.wanted = False
            self.kill(slot)
        self._wait_ended()
        self.keep()

    def kill(self, slot: int, pause: float = 0.0) -> None:
        player = self._players[slot]
        if self._is_alive(player) and player.process is not None:
            player.told = "kill"
            self.counts["kill"] += 1
            player.process.kill()
            player.due = time.monotonic() + pause

    def term(self, slot: int, pause: float = 0.0) -> None:
        player = self._players[slot]
        if self._is_alive(player) and player.process is not None and not player.told:
            player.told, player.was_asked = "term", True
            self.counts["term"] += 1
            player.process.process.terminate()
            player.due = time.monotonic() + pause

    def freeze(self, slot: int) -> Callable[[], None] | None:
        """Stop the process in its tracks; what thaws it, None if it is not there to be frozen."""
        player = self._players[slot]
        process = player.process
        if process is None or not self._is_alive(player) or player.is_frozen:
            return None
        player.is_frozen = True
        self.counts["freeze"] += 1
        process.process.send_signal(signal.SIGSTOP)

        def thaw() -> None:
            with self._lock:
                process.process.send_signal(signal.SIGCONT)
                player.is_frozen = False

        return thaw

    def keep(self) -> None:
        """Look after everyone: who has ended is judged, and who is wanted is started."""
        for slot, player in enumerate(self._players):
            if player.process is not None and player.process.process.poll() is not None:
                self._judge_end(slot, player, player.process)
                player.process, player.told, player.was_asked = None, "", False
            if player.process is None and player.wanted and time.monotonic() >= player.due:
                player.is_elected = self.cast == "elected"
                arguments = ("--leader-elect",) if player.is_elected else ()
                player.process = self._world.start(*arguments, **SETTINGS)
                self.counts["start"] += 1
                self._tell(f"operator {slot} starts ({self.cast}), {player.process.log.name}")

    def is_complete(self) -> bool:
        return all(self._is_alive(player) == player.wanted for player in self._players)

    def complaints(self) -> list[str]:
        """What the operators' ends and logs say that must never be; each is told once."""
        found, self._complaints = self._complaints, []
        for player in self._players:
            if player.process is not None:
                found.extend(self._look_through(player.process))
        return found

    def end(self) -> list[str]:
        """Everyone stops as told; what is wrong with that."""
        for slot, player in enumerate(self._players):
            player.wanted = False
            self.term(slot)
        self._wait_ended()
        self.keep()
        return self.complaints()

    def _wait_ended(self) -> None:
        alive: Sequence[OperatorProcess] = [p.process for p in self._players if p.process is not None]
        for process in alive:
            process.process.wait(PATIENCE)

    def _is_alive(self, player: Player) -> bool:
        return player.process is not None and player.process.process.poll() is None

    def _judge_end(self, slot: int, player: Player, process: OperatorProcess) -> None:
        code, lines = process.process.returncode, process.lines
        self._tell(f"operator {slot} ended with {code} ({player.told or 'by itself'})")
        self._complaints.extend(self._look_through(process))
        lost_lease = player.is_elected and code == 1 and _LOST_LEASE in lines
        never_began = code == -signal.SIGTERM and "serves http" not in lines
        was_killed = player.told == "kill" and code == -signal.SIGKILL
        was_stopped = player.was_asked and (code == 0 or never_began)
        right = was_killed or was_stopped
        if lost_lease and not right:
            self.counts["lease lost"] += 1
        elif not right:
            end = "".join(lines.splitlines(keepends=True)[-5:])
            how = player.told or "nobody told it to"
            self._complaints.append(f"operator {slot} ended with {code} ({how}), {process.log}:\n{end}")

    def _look_through(self, process: OperatorProcess) -> Iterator[str]:
        lines = process.lines
        fresh = lines[self._read.get(process, 0) :]
        self._read[process] = len(lines)
        for line in fresh.splitlines():
            if _BAD.search(line):
                yield f"{process.log}: {line[:1500]}"
        if any(secret in fresh for secret in self._secrets):
            yield f"{process.log}: a secret was logged"
