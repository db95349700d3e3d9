"""Builds commands from our small Go modules, whose go.sum locks all that goes into them."""

import contextlib
import hashlib
import math
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from toolbox.cache import cache, say
from toolbox.toolchain import ENVIRONMENT, find_go

PROGRESS_SECONDS = 15


class BuildError(Exception):
    """A command could not be built: the message says why."""


def locked_version(module: Path, dependency: str) -> str:
    """The version of a dependency that the module's go.mod pins, with its `v`."""
    found = re.search(
        rf"^\s*(?:require )?{re.escape(dependency)} (v\S+)", (module / "go.mod").read_text(), re.MULTILINE
    )
    assert found, f"{module}/go.mod does not name {dependency}"
    return found[1]


def fingerprint(module: Path) -> str:
    """What the module's build depends on, as twelve digits."""
    names = sorted(path.name for path in module.iterdir() if path.suffix in {".go", ".mod", ".sum"})
    return hashlib.sha256(b"".join((module / name).read_bytes() for name in names)).hexdigest()[:12]


def build(module: Path, package: str, output: Path, variables: Mapping[str, str], core_seconds: int) -> None:
    """Build `package` into the file `output`, `variables` set at link time; it says how long this takes.

    Raises:
        BuildError: go build failed.
        NoToolchainError: there is no Go, and none can be installed.
    """
    cores = os.cpu_count() or 1
    say(f"Building {output.name} for the tests, once: about {math.ceil(core_seconds / cores)} s on {cores} cores")
    ldflags = "-s -w " + " ".join(f"-X {name}={value}" for name, value in variables.items())
    command = ["build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", str(output), package]
    begun = time.monotonic()
    with tempfile.NamedTemporaryFile() as log:
        _run([str(find_go(cache())), *command], module, Path(log.name))
    say(f"Built in {time.monotonic() - begun:.0f} s")


def _run(command: list[str], module: Path, log: Path) -> None:
    begun = time.monotonic()
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=module, env=os.environ | ENVIRONMENT, stderr=stderr)
    with process:
        while (code := _code(process)) is None:
            say(f"  {time.monotonic() - begun:4.0f} s  {_tail(log, 1)}")
    if code:
        raise BuildError(f"go build ended with {code}:\n{_tail(log, 20)}")


def _code(process: subprocess.Popen[bytes]) -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(PROGRESS_SECONDS)
    return None


def _tail(log: Path, lines: int) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
