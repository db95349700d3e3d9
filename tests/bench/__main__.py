"""`make bench`: measures the operator beside bare kopf, and writes what came out into docs/."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.contenders import Bare, Ours
from bench.report import Pair, Report, here, table, write_into
from bench.scenario import measure

DOCS = Path(__file__).parents[2] / "docs"
IDLE_SECONDS = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int, help="how many objects")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds of rest that are measured")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where performance.md and performance.json are")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    pairs = tuple(compare(size, idle_seconds=options.idle) for size in options.sizes)
    report = Report(machine=here(load), pairs=pairs)
    (options.docs / "performance.json").write_text(report.model_dump_json(indent=2) + "\n")
    write_into(options.docs / "performance.md", table(report))
    print(f"\n{table(report)}\n\nwritten to {options.docs}/performance.md and performance.json")
    return 0


def compare(size: int, *, idle_seconds: float) -> Pair:
    """Both contenders at one size, one after the other."""
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"  {time.monotonic() - began:6.1f} s  {text}", flush=True)

    print(f"{size:,} objects", flush=True)
    figures = {}
    for kind in (Bare, Ours):
        tell(f"{kind.name}: a fresh control plane and a pretend Novita")
        with tempfile.TemporaryDirectory(prefix="novita-bench-") as folder:
            figures[kind] = measure(kind, Path(folder), size, idle_seconds=idle_seconds, tell=tell)
    return Pair(size=size, ours=figures[Ours], bare=figures[Bare])


if __name__ == "__main__":
    sys.exit(main())
