"""From what was measured to a table: on the terminal, as JSON, and between two marks in docs/performance.md."""

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.percentiles import Percentiles
from bench.scenario import Figure, Figures, Wave
from bench.usage import model_of_processor

BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
_MEGA, _KILO = 1_000_000, 1_000


class Machine(Figure):
    """Where it was measured. `load` is the system's load average of one minute at the start and at the end."""

    cores: int
    processor: str
    memory_gb: float
    python: str
    load: tuple[float, float]
    at: str


class Turn(Figure):
    """A wave of each, one right after the other: a machine that others use as well is not always equally fast."""

    ours: Wave
    bare: Wave
    terse: Wave


class Trial(Figure):
    """The operator and bare kopf, at one size."""

    size: int
    ours: Figures
    bare: Figures
    turns: tuple[Turn, ...]


class Report(Figure):
    machine: Machine
    trials: tuple[Trial, ...]


class _Row(NamedTuple):
    what: str
    show: Callable[[Figures], str]
    ratio: Callable[[Figures], float] | None = None


def here(load_before: float) -> Machine:
    """This machine, at the end of the run."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        processor=model_of_processor(),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        python=platform.python_version(),
        load=(round(load_before, 1), round(os.getloadavg()[0], 1)),
        at=datetime.now(UTC).strftime("%Y-%m-%d"),
    )


def table(report: Report) -> str:
    """Markdown."""
    return "\n".join((*_head(report.machine), "", *_aims(report.trials), *(_tables(report.trials))))


def write_into(page: Path, text: str) -> None:
    """Put the table in its place."""
    before, rest = page.read_text().split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _head(machine: Machine) -> Iterator[str]:
    yield (
        f"{machine.at}, {machine.cores} cores ({machine.processor}), {machine.memory_gb:.0f} GB, "
        f"Python {machine.python}; load {machine.load[0]:.1f} before, {machine.load[1]:.1f} at the end."
    )


def _aims(trials: Sequence[Trial]) -> Iterator[str]:
    yield "| aim | objects | measured | kept |"
    yield "| --- | --- | --- | --- |"
    for trial in trials:
        for aim, measured, is_kept in _judged(trial):
            yield f"| {aim} | {trial.size:,} | {measured} | {_kept(is_kept)} |"
    if len(trials) > 1:
        fewer, more = trials[0], trials[-1]
        each = (more.ours.restart.resident - fewer.ours.restart.resident) / (more.size - fewer.size) / _KILO
        yield (
            f"| memory of one more object, under 10 KB | {fewer.size:,} → {more.size:,} | {each:.1f} KB "
            f"| {_kept(each < 10)} |"
        )


def _kept(is_kept: bool) -> str:  # noqa: FBT001  what it says
    return "yes" if is_kept else "**no**"


def _judged(trial: Trial) -> Iterator[tuple[str, str, bool]]:
    """The aims of the design, what came out, and whether it is enough."""
    wave, restart = trial.ours.wave, trial.ours.restart
    most = max(wave.peak, restart.peak) / _MEGA
    ratios = [turn.ours.seconds / turn.bare.seconds for turn in trial.turns]
    terse = [turn.ours.seconds / turn.terse.seconds for turn in trial.turns]
    yield "created → Running, at most 1.5 times bare kopf's", _spread(ratios), median(ratios) <= 1.5
    yield "… if bare kopf says but three words of an object", _spread(terse), median(terse) <= 1.5
    yield "PATCHes per object up to Running: 3", f"{wave.patches / trial.size:.2f}", wave.patches == 3 * trial.size
    yield "PATCHes at a restart and at rest: 0", f"{restart.patches}", restart.patches == 0
    yield "restart → all observed, under 10 s", f"{restart.seconds:.1f} s", restart.seconds < 10
    yield "memory at its highest, under 256 MB", f"{most:.0f} MB", most < 256


def _spread(ratios: Sequence[float]) -> str:
    """The median, and between what it stands."""
    if len(ratios) == 1:
        return f"{ratios[0]:.2f} (one wave)"
    return f"{median(ratios):.2f} (median of {len(ratios)}, {min(ratios):.2f} to {max(ratios):.2f})"


def _tables(trials: Iterable[Trial]) -> Iterator[str]:
    for trial in trials:
        yield ""
        yield f"| {trial.size:,} objects | operator | bare kopf | ratio |"
        yield "| --- | --- | --- | --- |"
        for row in _rows(trial.size):
            ratio = (
                f"{row.ratio(trial.ours) / row.ratio(trial.bare):.2f}" if row.ratio and row.ratio(trial.bare) else ""
            )
            yield f"| {row.what} | {row.show(trial.ours)} | {row.show(trial.bare)} | {ratio} |"


def _rows(size: int) -> Iterator[_Row]:
    yield _Row("first create → last Running, s", lambda f: f"{f.wave.seconds:.1f}", lambda f: f.wave.seconds)
    yield _Row("… of which the creates took the bench, s", lambda f: f"{f.wave.creating:.1f}")
    yield _Row(
        "created → Running of one, p50 / p95 / p99, s", lambda f: _three(f.wave.each, 1), lambda f: f.wave.each.p50
    )
    yield _Row("wait in the queue, p50 / p95 / p99, s", lambda f: _three(f.wave.queue_wait, 2))
    yield _Row("PATCHes per object", lambda f: f"{f.wave.patches / size:.2f}", lambda f: f.wave.patches)
    yield _Row("CPU per object, itself, ms", lambda f: f"{_ms(f, 'self', size):.1f}", lambda f: f.wave.cpu["self"])
    yield _Row("CPU per object, API server and etcd, ms", lambda f: f"{_plane(f) / size * 1000:.1f}", _plane)
    yield _Row("CPU per object, simulator, ms", lambda f: f"{_ms(f, 'simulator', size):.1f}")
    yield _Row("CPU per object, all of these, ms", lambda f: f"{_all(f) / size * 1000:.1f}", _all)
    yield _Row(
        "change of one → its status speaks of it, s", lambda f: f"{f.change.noticed:.2f}", lambda f: f.change.noticed
    )
    yield _Row("change of one → Stopped, s", lambda f: f"{f.change.done:.2f}")
    yield _Row("PATCHes for that change", lambda f: str(f.change.patches))
    yield _Row("restart → all observed, s", lambda f: f"{f.restart.seconds:.1f}", lambda f: f.restart.seconds)
    yield _Row("CPU of the restart, s", lambda f: f"{f.restart.cpu:.1f}", lambda f: f.restart.cpu)
    yield _Row("CPU at rest, % of a core", lambda f: f"{100 * f.restart.idle:.2f}")
    yield _Row("memory: no object / after the wave / peak / after a restart, MB", _memory)
    yield _Row(
        "memory per object, after a restart, KB",
        lambda f: f"{_per_object(f, size):.1f}",
        lambda f: _per_object(f, size),
    )


def _memory(f: Figures) -> str:
    peak = max(f.wave.peak, f.restart.peak)
    return " / ".join(map(_mb, (f.empty, f.wave.resident, peak, f.restart.resident)))


def _per_object(f: Figures, size: int) -> float:
    return (f.restart.resident - f.empty) / size / _KILO


def _plane(f: Figures) -> float:
    return sum(seconds for name, seconds in f.wave.cpu.items() if name not in {"self", "simulator"})


def _all(f: Figures) -> float:
    return sum(f.wave.cpu.values())


def _ms(f: Figures, name: str, size: int) -> float:
    return f.wave.cpu[name] / size * 1000


def _mb(count: float) -> str:
    return f"{count / _MEGA:.0f}"


def _three(found: Percentiles | None, digits: int) -> str:
    return " / ".join(f"{value:.{digits}f}" for value in (found.p50, found.p95, found.p99)) if found else ""
