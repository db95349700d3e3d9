"""`make bench`: measures the operator beside bare kopf, and writes what came out into docs/."""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.contenders import Bare, Ours, Terse
from bench.report import Report, Trial, Turn, here, table, write_into
from bench.scenario import Figures, Wave, measure, measure_wave

DOCS = Path(__file__).parents[2] / "docs"
IDLE_SECONDS = 60.0
TURNS = 9
SHORT = 2000
"""Waves of so many objects are short enough to be taken several times."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int, help="how many objects")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds of rest that are measured")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where performance.md and performance.json are")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    trials = tuple(compare(size, idle_seconds=options.idle) for size in options.sizes)
    report = Report(machine=here(load), trials=trials)
    (options.docs / "performance.json").write_text(report.model_dump_json(indent=2) + "\n")
    write_into(options.docs / "performance.md", table(report))
    print(f"\n{table(report)}\n\nwritten to {options.docs}/performance.md and performance.json")
    return 0


def compare(size: int, *, idle_seconds: float) -> Trial:
    """All contenders at one size, one after the other."""
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"  {time.monotonic() - began:6.1f} s  {text}", flush=True)

    @contextlib.contextmanager
    def fresh(name: str) -> Iterator[Path]:
        tell(f"{name}: a fresh control plane and a pretend Novita")
        with tempfile.TemporaryDirectory(prefix="novita-bench-") as folder:
            yield Path(folder)

    def wave(kind: type[Ours] | type[Bare]) -> Wave:
        with fresh(kind.name) as folder:
            return measure_wave(kind, folder, size, tell=tell)

    def whole(kind: type[Ours] | type[Bare]) -> Figures:
        with fresh(kind.name) as folder:
            return measure(kind, folder, size, idle_seconds=idle_seconds, tell=tell)

    print(f"{size:,} objects", flush=True)
    turns = []
    for number in range(1, TURNS if size <= SHORT else 1):
        kinds = (Terse, Bare, Ours)[:: (-1) ** number]  # whoever is first meets another machine than whoever is last
        waves = {kind: wave(kind) for kind in kinds}
        turns.append(Turn(terse=waves[Terse], bare=waves[Bare], ours=waves[Ours]))
    terse, bare, ours = wave(Terse), whole(Bare), whole(Ours)
    turns.append(Turn(terse=terse, bare=bare.wave, ours=ours.wave))
    return Trial(size=size, ours=ours, bare=bare, turns=tuple(turns))


if __name__ == "__main__":
    sys.exit(main())
