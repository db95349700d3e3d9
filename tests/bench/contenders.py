"""Those that are compared, each as a process of its own under the operator's rights: ours, and bare kopf."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import httpx2

from bench.ground import HOME, Ground
from novita_simulator.operations import BASE
from stage import BRISK, KEY, OperatorProcess, eventually

_STEPS = "novita_operator_reconcile_total"
_DEPTH = "novita_operator_workqueue_depth"
_WRITES = "novita_operator_kubernetes_writes_total"
_WAIT = "novita_operator_workqueue_queue_duration_seconds"
_PATIENCE = 600.0
_STILL_SECONDS = 1.0
_BARE = Path(__file__).with_name("bare.py")
_DONE = "bench: each was resumed"
_TESTS = Path(__file__).parents[1]


class Contender(Protocol):
    """One process at a time."""

    name: str

    @property
    def pid(self) -> int: ...

    def start(self, *, size: int, is_wave: bool) -> None:
        """For a wave of new objects, or on a cluster that has `size` of them."""

    def wait_observed(self) -> float:
        """Until it has seen each object that there is; when that was, in monotonic seconds."""

    def wait_still(self) -> None:
        """Until it has nothing left to do."""

    def queue_waits(self) -> list[tuple[float, float]]:
        """A histogram: upper bounds in seconds, and how many steps waited no longer; empty if it keeps none."""

    def stop(self) -> None: ...


class Ours:
    """The operator, with its own defaults but for the settings below."""

    name = "operator"
    WAVE: Mapping[str, str] = {"INSTANCE_POLL_INTERVAL": "9"}
    """So that the pretend cloud's news come soon; a list of many would be too old before it is whole."""
    MANY = 2000
    ALWAYS: Mapping[str, str] = {
        **dict.fromkeys(BRISK, ""),
        "NOVITA_OPERATOR_API_CALLS_PER_MINUTE": "100000",
        "NOVITA_OPERATOR_WORKERS": "32",
        "NOVITA_OPERATOR_NAMESPACE": HOME,
    }

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._size = 0
        self._process: OperatorProcess | None = None

    @property
    def process(self) -> OperatorProcess:
        assert self._process is not None, "it is not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.process.pid

    def start(self, *, size: int, is_wave: bool) -> None:
        settings = {**self.ALWAYS, **(self.WAVE if is_wave and size <= self.MANY else {})}
        log = self._ground.folder / "operator.log"
        self._size = 0 if is_wave else size
        self._process = OperatorProcess(log, self._ground.kubeconfig, self._ground.novita.url, settings)

    def wait_observed(self) -> float:
        """Ready (memory has been compared with a list), and each object has had a step."""
        self.process.wait_ready(_PATIENCE)

        def is_observed() -> bool:
            return self.read(_STEPS) >= self._size and self.read(_DEPTH) == 0

        eventually(is_observed, "each object has had a step", _PATIENCE)
        return time.monotonic()

    def read(self, name: str) -> float:
        """Sum of a metric's samples; it alone is asked for, since all of them would be one for each object."""
        return sum(value for _, value in self._samples(name))

    def writes(self) -> int:
        return int(self.read(_WRITES))

    def wait_still(self) -> None:
        """Until what it has to tell is told; Events are posted one by one."""
        told = -1
        while told != (told := self.writes()):
            time.sleep(_STILL_SECONDS)

    def queue_waits(self) -> list[tuple[float, float]]:
        samples = self._samples(f"{_WAIT}_bucket")
        return [(float(label), count) for label, count in samples]

    def stop(self) -> None:
        self.process.stop()

    def _samples(self, name: str) -> list[tuple[str, float]]:
        url = f"{self.process.url}/metrics"
        shown = httpx2.get(url, params={"name[]": name}, trust_env=False).text
        pattern = rf'^{name}(?:\{{(?:[^}}]*?"(?P<label>[^"]*)")?[^}}]*\}})? (?P<value>\S+)$'
        return [(each["label"] or "", float(each["value"])) for each in re.finditer(pattern, shown, re.MULTILINE)]


class Bare:
    """bench/bare.py under `kopf run`, with kopf's own defaults."""

    name = "bare kopf"
    IS_TERSE = False

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._is_wave = False
        self._process: subprocess.Popen[bytes] | None = None
        self._log = ground.folder / "bare.log"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it is not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def start(self, *, size: int, is_wave: bool) -> None:
        self._is_wave = is_wave
        environment = os.environ | {
            "KUBECONFIG": str(self._ground.kubeconfig),
            "PYTHONPATH": str(_TESTS),
            "TMPDIR": str(self._ground.folder),
            "BENCH_SIZE": str(size),
            "BENCH_DONE": _DONE,
            "BENCH_NOVITA": f"{self._ground.novita.url}{BASE}/",
            "BENCH_KEY": KEY,
            "BENCH_TERSE": "yes" if self.IS_TERSE else "",
        }
        command = [sys.executable, "-m", "kopf", "run", "--standalone", "--all-namespaces", str(_BARE)]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def wait_observed(self) -> float:
        what = "Activity 'configure' succeeded" if self._is_wave else _DONE
        eventually(lambda: what in self._log.read_text(errors="replace"), f"bare kopf says: {what}", _PATIENCE)
        return time.monotonic()

    def wait_still(self) -> None:
        time.sleep(_STILL_SECONDS)

    def queue_waits(self) -> list[tuple[float, float]]:
        return []

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Terse(Bare):
    """The same, which says no more of an object than its machine's id and that it runs."""

    name = "bare kopf, terse"
    IS_TERSE = True
