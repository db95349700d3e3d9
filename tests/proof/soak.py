"""The soak: life, faults and kills at random from a printed seed, for a given time; `make soak` runs it.

In cycles: some seconds of chaos, then all faults are cleared, everything must come to rest, and the judge
(`proof.verdict`) looks at everything. What happens comes from the seed alone; when it lands does not.
"""

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from controlplane.plane import ControlPlane
from proof.play import Play, played
from proof.world import theatre

MOST_SECONDS = 3300
"""The operators' tokens live for an hour."""
INTERRUPTED = 2
"""No finding so far, and none looked for at the end."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description="Life, faults and kills at random.")
    parser.add_argument("--seconds", type=float, default=1800, help=f"for how long; at most {MOST_SECONDS}")
    parser.add_argument("--seed", default="", help="what happens; a random one if none is given")
    parser.add_argument("--objects", type=int, default=24)
    parser.add_argument("--keep", action="store_true", help="keep the logs of a clean run too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no operator is left behind
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seed = options.seed or secrets.token_hex(4)
    folder = Path(tempfile.mkdtemp(prefix="novita-soak-"))
    print(
        f"seed {seed}, {min(options.seconds, MOST_SECONDS):.0f} s, {options.objects} names; logs in {folder}",
        flush=True,
    )
    with ControlPlane(folder / "plane") as plane:
        stage = theatre(plane, folder)
        with played(stage, seed=seed, objects=options.objects, tell=_print) as play:
            is_whole = soak(play, min(options.seconds, MOST_SECONDS))
            report = play.report()
    print("\n".join(report.lines()))
    if report.findings:
        print(f"{len(report.findings)} findings with seed {seed}; logs and timeline.log are in {folder}")
        return 1
    if not is_whole:
        return INTERRUPTED
    if not options.keep:
        shutil.rmtree(folder)
    return 0


def soak(play: Play, seconds: float) -> bool:
    """Cycles until the time is over, then the end of all objects; False if it was interrupted."""
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            play.cycle()
        play.end()
    except KeyboardInterrupt:
        _print("interrupted: the end was not judged")
        return False
    return True


def _print(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
