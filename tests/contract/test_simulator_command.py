"""The command `novita-simulator`, as the demo starts it."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from novita_simulator.client import Simulator

COMMAND = [sys.executable, "-m", "novita_simulator", "--port", "0", "--speed", "60", "--duration", "pulling=1"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def listening_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said, _, url = process.stdout.readline().strip().rpartition(" ")
    assert said == "listening on"
    return url


def test_the_command_tells_where_it_listens_and_obeys_its_options(process: subprocess.Popen[str]):
    with Simulator(listening_url(process)) as simulator:
        state = simulator.state()
        assert (state.speed, state.durations["pulling"]) == (60, 1)
        assert len(simulator.machines("main")) == 2


def test_the_command_ends_well_on_sigterm(process: subprocess.Popen[str]):
    listening_url(process)
    process.terminate()
    assert process.wait(10) == 0


def test_an_unknown_state_is_refused_by_name():
    wrong = [*COMMAND, "--duration", "sleeping=3"]
    ended = subprocess.run(wrong, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "'sleeping' is none of toCreate" in ended.stderr
