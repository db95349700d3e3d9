"""One soak at play: the script's deeds are done, everything comes to rest, the judge looks."""

import contextlib
import math
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush
from pathlib import Path

import httpx2

from controlplane.plane import ControlPlane
from proof import script
from proof.apiserver import ApiServer
from proof.cast import SLOTS, Players
from proof.mishaps import Novita
from proof.referee import Referee
from proof.report import Report
from proof.script import Act, Deed
from proof.users import Users
from proof.world import Theatre, World, world

REST_LIMIT = 150.0
KEPT_RETAINED = 4


class Play:
    """A scene with its users, its operators and its mishaps. One thread plays; timers only undo what it began."""

    def __init__(
        self, world: World, plane: ControlPlane, folder: Path, seed: str, objects: int, tell: Callable[[str], None]
    ) -> None:
        self.world = world
        self.names = script.names(objects)
        self._seed = seed
        self._tell = tell
        self._began = time.monotonic()
        self._timeline = (folder / "timeline.log").open("w", buffering=1)
        self._last: deque[str] = deque(maxlen=60)
        self._timers: list[threading.Timer] = []
        self._agenda: list[tuple[float, Deed]] = []
        self._known: set[str] = set()
        self._report = Report(seed)
        self.cluster_id = world.cluster.cluster_id
        self.novita = Novita(world.novita, self.cluster_id, self._later)
        self.api = ApiServer(world.wire, plane, self._later)
        self.users = Users(world.cluster, world.novita, self.cluster_id, self._again)
        token = (folder / "kubeconfig").read_text().split('"token": "')[1].split('"')[0]
        self.players = Players(world, self._note, token)
        self.referee = Referee(world, self.cluster_id, self.users, self.novita, self.players)
        self.novita.calm()

    def cycle(self, *, has_outages: bool = True, most: float = math.inf) -> None:
        """Chaos (for at `most` so many seconds), rest, judgement."""
        number = self._report.cycles + 1
        act = script.act(self._seed, number, self.names, has_outages=has_outages)
        self._note(f"cycle {number}: {act.cast}, {act.seconds:.0f} s, {len(act.deeds)} deeds")
        done = self._chaos(act._replace(seconds=min(act.seconds, most)), gently=bool(number % 2))
        self._calm()
        took, found = self._rest()
        found += self.referee.judge(self._report.counts)
        if act.has_disaster and not found:
            found += self.disaster(random.Random(act.seconds))
        self._report.cycles = number
        self._report.rest_longest = max(self._report.rest_longest, took)
        self._account(number, found)
        self._tell(
            f"cycle {number}: {act.cast}, {done} deeds in {act.seconds:.0f} s, rest after {took:.0f} s, "
            f"{len(self.referee.scene().objects)} objects, {len(found)} findings"
        )
        self._clear_away()

    def disaster(self, dice: random.Random, *, most: int = script.MOST_RESTORED) -> list[str]:
        """Objects are lost while no operator runs, and come back from a backup: each takes over the machine it had."""
        self.players.leave()
        restored = self.users.restore(dice, most)
        self._note(f"disaster: {restored}")
        self._report.counts["restored"] += len(restored)
        self.players.change(self.players.cast, gently=True)
        _, found = self._rest()
        has = {each["metadata"]["name"]: each.get("status", {}).get("instanceId") for each in self.users.objects()}
        found += [f"{name} had {had}, and restored {has[name]}" for name, had in restored.items() if has[name] != had]
        return [*found, *self.referee.judge(self._report.counts)]

    def end(self) -> None:
        """All objects go, and nothing of them may be left; the operators stop as told."""
        self._calm()
        deadline = time.monotonic() + REST_LIMIT
        while (left := self.users.objects()) and time.monotonic() < deadline:
            for each in left:
                name = each["metadata"]["name"]
                self.users.do(Deed(0, "unpause", name, 0))
                if "deletionTimestamp" not in each["metadata"]:
                    self.users.do(Deed(0, "delete", name, 0))
            self._wait(0.5)
        took, found = self._rest()
        found += [f"{each['metadata']['name']} is never released" for each in left]
        found += [*self.referee.judge(self._report.counts), *self.players.end()]
        self._account(self._report.cycles, found)
        self._tell(f"the end: rest after {took:.0f} s, {len(found)} findings")

    def report(self) -> Report:
        """The figures so far."""
        report = self._report
        report.seconds = time.monotonic() - self._began
        totals = Counter({"objects lived": len(self.users.lived), "retained": len(self.users.let_go)})
        for prefix, counts in (
            ("novita: ", self.novita.counts),
            ("api: ", self.api.counts),
            ("operators: ", self.players.counts),
        ):
            totals.update({f"{prefix}{what}": count for what, count in counts.items()})
        report.counts |= totals
        return report

    def _chaos(self, act: Act, *, gently: bool) -> int:
        self.players.change(act.cast, gently=gently)
        begin = time.monotonic()
        self._agenda = [(begin + deed.at, deed) for deed in act.deeds]
        heapify(self._agenda)
        end, done = begin + act.seconds, 0
        while (now := time.monotonic()) < end:
            self.players.keep()
            while self._agenda and self._agenda[0][0] <= now:
                _, deed = heappop(self._agenda)
                self._note(f"{deed.what} {deed.name}: {self._do(deed)}")
                self._report.counts[f"deed: {deed.what}"] += 1
                done += 1
            time.sleep(0.02)
        return done

    def _do(self, deed: Deed) -> str:
        if deed.what in script.USERS:
            return self.users.do(deed)
        if deed.what in script.NOVITA:
            return self.novita.do(deed)
        return self.api.do(deed) if deed.what in script.CLUSTER else self._to_operators(deed)

    def _to_operators(self, deed: Deed) -> str:
        dice = random.Random(deed.dice)
        slot = dice.choice(SLOTS)
        if deed.what == "freeze operator":
            thaw = self.players.freeze(slot)
            if thaw is not None:
                self._later(dice.uniform(0.1, script.LONGEST_FREEZE), thaw)
        elif deed.what == "kill":
            self.players.kill(slot, dice.choice((0.0, 0.5, 2.0)))
        else:
            self.players.term(slot, dice.choice((0.0, 0.5, 2.0)))
        return str(slot)

    def _calm(self) -> None:
        """Every fault ends, whoever is frozen moves, and everyone is there again."""
        for timer in self._timers:
            timer.join()
        self._timers.clear()
        self._agenda.clear()
        self.api.calm()
        self.novita.calm()
        self._note("calm")

    def _rest(self) -> tuple[float, list[str]]:
        """How long it took until everything was true and still; what was not, if it took too long."""
        begin = time.monotonic()
        while True:
            found = self.referee.restless(self._wait)
            took = time.monotonic() - begin
            if not found or took > REST_LIMIT:
                return took, found
            self._wait(0.5)

    def _account(self, number: int, found: list[str]) -> None:
        """The books are never closed: what they said in an earlier cycle is told once."""
        fresh = [each for each in found if each not in self._known]
        self._known.update(fresh)
        self._report.findings.extend(f"cycle {number}: {each}" for each in fresh)
        for each in fresh:
            self._tell(f"FINDING, seed {self._seed}, cycle {number}: {each}")
        if fresh:
            self._tell("what was done last:\n  " + "\n  ".join(self._last))

    def _clear_away(self) -> None:
        """The books of this cycle are read; somebody takes the retained machines at last."""
        self.world.novita.clear_journal()
        scene = self.referee.scene()
        living = {each["metadata"]["uid"] for each in scene.objects}
        kept = [m for m in scene.machines if (uid := scene.owner(m)) and uid not in living]
        for machine in kept[: max(0, len(kept) - KEPT_RETAINED)]:
            with contextlib.suppress(ValueError):  # gone meanwhile
                self.world.novita.vanish(machine.id)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.players.keep()
            time.sleep(0.05)

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        """On time, whatever the player's thread is doing: a freeze must not last longer than was said."""

        def done() -> None:
            with contextlib.suppress(ValueError, httpx2.HTTPError):  # the lever is gone already
                do()

        timer = threading.Timer(seconds, done)
        timer.daemon = True
        timer.start()
        self._timers = [*(each for each in self._timers if each.is_alive()), timer]

    def _again(self, seconds: float, deed: Deed) -> None:
        heappush(self._agenda, (time.monotonic() + seconds, deed))

    def _note(self, line: str) -> None:
        text = f"{datetime.now(UTC):%H:%M:%S.%f} {line}"
        self._last.append(text)
        self._timeline.write(text + "\n")

    def close(self) -> None:
        for timer in self._timers:
            timer.join()
        self.api.calm()
        self._timeline.close()


@contextlib.contextmanager
def played(stage: Theatre, *, seed: str, objects: int, tell: Callable[[str], None]) -> Iterator[Play]:
    """A scene with a soak in it; its operators are killed at the end if they still run."""
    with world(stage, has_own_home=True, is_crowded=True) as scene:
        play = Play(scene, stage.plane, scene.folder, seed, objects, tell)
        try:
            yield play
        finally:
            play.close()
