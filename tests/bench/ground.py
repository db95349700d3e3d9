"""What a contender stands on: a control plane and a pretend Novita of its own, fresh for each, as real processes."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.crowd import NAMESPACE
from controlplane.plane import ControlPlane
from novita_simulator.client import Simulator
from stage import install_account, install_crd

HOME = "novita-operator"
_SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "minimal.yaml"
_DURATIONS = {"toCreate": 0.1, "creating": 0.1, "pulling": 0.1, "toStop": 0.1, "stopping": 0.1}
"""Seconds; the cloud has room and speed, so that it is the operator that is measured."""


class Ground(NamedTuple):
    """`kubeconfig` is that of the operator's account; `others` are the processes besides the contender."""

    plane: ControlPlane
    novita: Simulator
    kubeconfig: Path
    folder: Path
    others: dict[str, int]

    def patches(self) -> int:
        """PATCHes of resources and their status that the API server has answered so far, whoever sent them."""
        shown = self.plane.kubectl("get", "--raw", "/metrics").stdout
        ours = r'^apiserver_request_total\{(?=.*resource="gpuinstances")(?=.*verb="(?:APPLY|PATCH)").*\} (\S+)$'
        return sum(int(float(value)) for value in re.findall(ours, shown, re.MULTILINE))


@contextlib.contextmanager
def ground(folder: Path, size: int) -> Iterator[Ground]:
    """Fresh ground with room for so many machines, for the length of a block."""
    with ControlPlane(folder / "plane") as plane, _simulator() as (process, novita):
        novita.set_stock(2 * size)
        install_crd(plane)
        plane.kubectl("create", "namespace", NAMESPACE)
        plane.kubectl("create", "namespace", HOME)
        _see_it_served(plane)
        others = {"simulator": process.pid, **plane.pids}
        yield Ground(plane, novita, install_account(plane, HOME), folder, others)


def _see_it_served(plane: ControlPlane) -> None:
    """The API server keeps each create waiting for 2 s while the CRD is new: that is nobody's time."""
    sample = ("-f", str(_SAMPLE), "-n", NAMESPACE)
    plane.kubectl("create", *sample)
    plane.kubectl("delete", *sample)


@contextlib.contextmanager
def _simulator() -> Iterator[tuple[subprocess.Popen[str], Simulator]]:
    durations = [f"--duration={state}={seconds}" for state, seconds in _DURATIONS.items()]
    command = [sys.executable, "-m", "novita_simulator", "--port=0", *durations]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("listening on ").strip()
            with Simulator(url) as novita:
                yield process, novita
        finally:
            process.kill()
