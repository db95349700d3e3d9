"""Operators from a warm process: each is forked from one that has imported the operator, and has done nothing else.

Imports take a second of CPU at every start, more than all that an operator of most tests has to do. To a test and to
the system it is a process like any other: with an environment, a pid and an end of its own. Cold is the default, as
for the demo and the bench; cold must be one whose environment speaks to the loader before Python begins.
"""

import atexit
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.02


class Child:
    """A forked operator, to be treated as a `subprocess.Popen`."""

    def __init__(self, nest: "_Nest", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nest = nest

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nest.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} has not ended within {timeout} s")
            time.sleep(_LOOK_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
    """`novita-operator ARGUMENTS`, its output appended to `log`."""
    log.touch()
    nest = _nest()
    return Child(nest, nest.ask(arguments=[*arguments], environment={**environment}, log=str(log)))


@functools.cache
def _nest() -> "_Nest":
    nest = _Nest()
    atexit.register(nest.close)
    return nest


class _Nest:
    """The warm process. It ends when its stdin closes, with all of its group: whoever started it has gone."""

    def __init__(self) -> None:
        # -P: nothing of this folder goes before what the operator imports.
        command = [sys.executable, "-P", __file__]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, process_group=0)
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        self._process.communicate()

    def ask(self, **question: Any) -> Any:  # noqa: ANN401  JSON
        asked, answered = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answered is not None
        with self._one_at_a_time:
            asked.write(json.dumps(question) + "\n")
            asked.flush()
            return json.loads(answered.readline())


def _serve() -> list[str]:
    """Answer questions until there are no more; returns only in a child: the arguments of the operator that it is."""
    for line in sys.stdin:
        question = json.loads(line)
        if "poll" in question:
            pid, status = os.waitpid(question["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif answer := os.fork():
            pass
        else:
            return _become(**question)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("nobody outlives that")


def _become(arguments: list[str], environment: dict[str, str], log: str) -> list[str]:
    from kubernetes.aio.config import kube_config  # noqa: PLC0415  only here is it there

    os.environ.clear()
    os.environ.update(environment)
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = environment["KUBECONFIG"]  # it was read when that was imported
    with Path(os.devnull).open("rb") as nothing, Path(log).open("ab") as output:
        for stream, file in enumerate((nothing, output, output)):
            os.dup2(file.fileno(), stream)
    return arguments


if __name__ == "__main__":
    from novita_operator import app  # noqa: F401  this is the warmth
    from novita_operator.__main__ import main

    gc.freeze()
    sys.exit(main(_serve()))
