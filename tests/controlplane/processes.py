"""Processes of which nothing is left, whatever happens to the one who started them."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

GRACE_SECONDS = 5
POLL_SECONDS = 0.02


class PlaneError(Exception):
    """The plane did not come up: the message ends with the log of the process that is to blame."""


class Guard:
    """Leads the processes' group, and kills all of it when its stdin closes: the owner has gone, however it went.

    The group is not the owner's, so that a Ctrl-C in the terminal reaches the owner alone, who then stops the
    processes in their order. Needs nothing of the processes, which may be upstream's own, nor of Linux.
    """

    def __init__(self, label: str) -> None:
        """Start the guard; `label` is what `ps` shows of it."""
        command = ["/bin/sh", "-c", "read -r _; kill -KILL 0", label]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0)
        self.group = self._process.pid

    def close(self) -> None:
        """Kill what is left of the group, the guard included."""
        self._process.communicate()


class Process:
    """One command in the guard's group, with its output in a file."""

    def __init__(self, command: list[str], log: Path, guard: Guard) -> None:
        """Start the command; its output is appended to `log`."""
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=guard.group,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until(self, fact: Callable[[], bool], what: str, seconds: float) -> None:
        """Return once `fact` holds; raises PlaneError if the process ends before, or the time does."""
        deadline = time.monotonic() + seconds
        while not fact():
            if (code := self._process.poll()) is not None:
                raise PlaneError(f"{self._log.stem} ended with {code} before {what}; {self._last_words()}")
            if time.monotonic() > deadline:
                raise PlaneError(f"{what}: not within {seconds:.0f} s; {self._last_words()}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        self._process.terminate()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-15:]
        return f"the end of {self._log}:\n" + "\n".join(lines)
