"""What processes use, as the kernel counts it: time on the processors, and memory."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_AFTER_NAME = re.compile(r"\) (.*)", re.DOTALL)
"""A process's name, in parentheses, may hold anything; the fields that are counted by position come after it."""
_USER, _SYSTEM = 11, 12


class Memory(NamedTuple):
    """Resident bytes: now, and the most there ever was."""

    now: int
    peak: int


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time since the process began, its own and the kernel's for it."""
    found = _AFTER_NAME.search(Path(f"/proc/{pid}/stat").read_text())
    assert found is not None, "the kernel's format"
    fields = found[1].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_PER_SECOND


def memory(pid: int) -> Memory:
    """How much the process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, peak = (re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE) for name in ("VmRSS", "VmHWM"))
    assert now, "the kernel's format"
    assert peak, "the kernel's format"
    return Memory(int(now[1]) * 1024, int(peak[1]) * 1024)


class Clocks:
    """Processor time of several processes from now on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def read(self) -> dict[str, float]:
        """Seconds by name."""
        return {name: round(cpu_seconds(pid) - self._before[name], 2) for name, pid in self._pids.items()}


def model_of_processor() -> str:
    """As the kernel names it."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"
