"""The command `novita-simulator`: serves until it is interrupted, and prints one line when it listens."""

import argparse
import asyncio
import signal
import time
from collections.abc import Sequence

from novita_simulator import seed
from novita_simulator.clock import Clock
from novita_simulator.machine import DURATIONS
from novita_simulator.server import serve
from novita_simulator.service import Service


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    asyncio.run(_run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="novita-simulator", description="A pretend Novita.ai for tests and demos.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8480, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--speed", type=float, default=1, help="simulated seconds per second (default: %(default)s)")
    parser.add_argument(
        "--duration",
        action="append",
        default=[],
        type=_duration,
        metavar="STATE=SECONDS",
        help=f"how long a state lasts, in simulated seconds; one of {', '.join(DURATIONS)}; may be repeated",
    )
    parser.add_argument("--no-foreign-machines", action="store_true", help="begin with empty accounts")
    return parser


def _duration(text: str) -> tuple[str, float]:
    state, _, seconds = text.partition("=")
    if state not in DURATIONS:
        raise argparse.ArgumentTypeError(f"{state!r} is none of {', '.join(DURATIONS)}")
    return state, float(seconds)


async def _run(options: argparse.Namespace) -> None:
    now = time.time()
    world = seed.seeded(now, durations=dict(options.duration), has_foreign_machines=not options.no_foreign_machines)
    service = Service(world, Clock(start=now, read=time.monotonic, speed=options.speed))
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with serve(service, host=options.host, port=options.port) as url:
        print(f"listening on {url}", flush=True)  # noqa: T201 - whoever starts this command reads the address here
        await end.wait()


if __name__ == "__main__":
    main()
