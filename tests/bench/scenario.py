"""What is measured of one contender, from an empty cluster to a restart; the same for each."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from bench.contenders import Bare, Contender, Ours
from bench.crowd import Crowd, crowd, name_of
from bench.ground import Ground, ground
from bench.percentiles import Percentiles, of_histogram, of_values
from bench.usage import Clocks, cpu_seconds, memory

PATIENCE = 1800.0
_SMALL_SECONDS = 60.0

Tell = Callable[[str], None]


class Figure(BaseModel):
    model_config = ConfigDict(frozen=True)


class Wave(Figure):
    """`size` objects made at once. `seconds` runs from the first create until the watch has shown the last Running.

    `each` is the same for one object, from the watch's word that it is there; `creating` is the bench's own time.
    """

    seconds: float
    creating: float
    each: Percentiles
    cpu: dict[str, float]
    patches: int
    queue_wait: Percentiles | None
    resident: int
    peak: int


class Change(Figure):
    """One object's power is turned off: until its status speaks of it, until it says that it is done."""

    noticed: float
    done: float
    patches: int


class Restart(Figure):
    """A new process finds all objects there. `seconds` until each was observed; `idle` is a share of one core."""

    seconds: float
    cpu: float
    patches: int
    resident: int
    peak: int
    idle: float


class Figures(Figure):
    """One contender's. Times in seconds, memory in bytes; `empty` is what it holds before there is any object."""

    empty: int
    wave: Wave
    change: Change
    restart: Restart


class Scene(NamedTuple):
    """Who measures whom, and where."""

    place: Ground
    contender: Contender
    people: Crowd
    size: int
    tell: Tell

    def clocks(self) -> Clocks:
        return Clocks({"self": self.contender.pid, **self.place.others})


def measure(kind: type[Ours] | type[Bare], folder: Path, size: int, *, idle_seconds: float, tell: Tell) -> Figures:
    """One contender on fresh ground."""
    with _scene(kind, folder, size, tell) as scene:
        with _running(scene, is_wave=True):
            scene.contender.wait_observed()
            empty = memory(scene.contender.pid).now
            wave, change = _wave(scene), _change(scene)
        with _running(scene, is_wave=False) as began:
            restart = _restart(scene, began, idle_seconds)
    return Figures(empty=empty, wave=wave, change=change, restart=restart)


def measure_wave(kind: type[Ours] | type[Bare], folder: Path, size: int, *, tell: Tell) -> Wave:
    """Of one contender, this alone."""
    with _scene(kind, folder, size, tell) as scene, _running(scene, is_wave=True):
        scene.contender.wait_observed()
        return _wave(scene)


@contextlib.contextmanager
def _scene(kind: type[Ours] | type[Bare], folder: Path, size: int, tell: Tell) -> Iterator[Scene]:
    with ground(folder, size) as place, crowd(place.plane.kubeconfig) as people:
        yield Scene(place, kind(place), people, size, tell)


@contextlib.contextmanager
def _running(scene: Scene, *, is_wave: bool) -> Iterator[float]:
    began = time.monotonic()
    scene.contender.start(size=scene.size, is_wave=is_wave)
    try:
        yield began
    finally:
        scene.contender.stop()


def _wave(scene: Scene) -> Wave:
    people, size = scene.people, scene.size
    clocks, patches, began = scene.clocks(), scene.place.patches(), time.monotonic()
    people.create(size)
    created = time.monotonic()
    scene.tell(f"created in {created - began:.1f} s")
    people.wait(lambda: len(people.running) == size, "all run", PATIENCE)
    ended = max(people.running.values())
    scene.tell(f"all run after {ended - began:.1f} s")
    cpu, held = clocks.read(), memory(scene.contender.pid)
    return Wave(
        seconds=ended - began,
        creating=created - began,
        each=of_values([at - people.born[name] for name, at in people.running.items()]),
        cpu=cpu,
        patches=scene.place.patches() - patches,
        queue_wait=of_histogram(waits) if (waits := scene.contender.queue_waits()) else None,
        resident=held.now,
        peak=held.peak,
    )


def _change(scene: Scene) -> Change:
    people, name = scene.people, name_of(scene.size // 2)
    scene.contender.wait_still()
    patches, began = scene.place.patches(), time.monotonic()
    people.change(name, powerState="Stopped")
    noticed = people.wait(lambda: people.generations[name] == 2, "status speaks of the change", _SMALL_SECONDS)
    done = people.wait(lambda: people.states[name] == "Stopped", "it is stopped", _SMALL_SECONDS)
    scene.tell(f"a change of one is noticed after {noticed - began:.2f} s, done after {done - began:.2f} s")
    ours = scene.place.patches() - patches - 1
    return Change(noticed=noticed - began, done=done - began, patches=ours)


def _restart(scene: Scene, began: float, idle_seconds: float) -> Restart:
    patches = scene.place.patches()
    seconds = scene.contender.wait_observed() - began
    cpu = cpu_seconds(scene.contender.pid)
    scene.tell(f"a new process has observed all after {seconds:.1f} s; now {idle_seconds:.0f} s of rest")
    scene.contender.wait_still()
    clocks, rested = scene.clocks(), time.monotonic()
    time.sleep(idle_seconds)
    idle = clocks.read()["self"] / (time.monotonic() - rested)
    held = memory(scene.contender.pid)
    return Restart(
        seconds=seconds,
        cpu=cpu,
        patches=scene.place.patches() - patches,
        resident=held.now,
        peak=held.peak,
        idle=idle,
    )
