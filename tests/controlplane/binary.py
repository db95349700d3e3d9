"""Where the plane's four commands are: given, cached, or built on first use.

`python -m controlplane.binary` prints their folder; it has the layout of `KUBEBUILDER_ASSETS`.
"""

import contextlib
import fcntl
import hashlib
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from controlplane.toolchain import ENVIRONMENT, find_go

COMMANDS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
PROGRESS_SECONDS = 15
_MODULE = Path(__file__).parent
_CORE_MINUTES = 8  # measured: a little over four minutes on two cores


class BinaryError(Exception):
    """The plane's commands are missing and could not be built: the message says what to do."""


def assets() -> Path:
    """The folder that holds the commands, built now if there is none; progress goes to stderr."""
    if given := os.environ.get("KUBEBUILDER_ASSETS"):
        return _checked(Path(given))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "novita-gpu-operator"
    home = cache / f"controlplane-{_key()}"
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "controlplane.lock"):
            if not home.exists():
                _build(cache, home)
    return home


def _checked(given: Path) -> Path:
    # envtest's own archives lack the controller manager, and without it no namespace ever ends.
    if missing := [name for name in COMMANDS if not (given / name).exists()]:
        raise BinaryError(
            f"KUBEBUILDER_ASSETS={given} has no {', '.join(missing)}: "
            "add it there in the same version, or unset KUBEBUILDER_ASSETS to have the plane built"
        )
    return given.absolute()


def _version() -> str:
    found = re.search(r"k8s\.io/kubernetes v(\S+)", (_MODULE / "go.mod").read_text())
    assert found
    return found[1]


def _key() -> str:
    sources = b"".join((_MODULE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    return f"{_version()}-{hashlib.sha256(sources).hexdigest()[:12]}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for the control plane that another process builds")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(cache: Path, home: Path) -> None:
    """Build in a folder of its own, so that `home` appears complete or not at all."""
    go = find_go(cache)
    cores = os.cpu_count() or 1
    minutes = math.ceil(_CORE_MINUTES / cores)
    _say(f"Building Kubernetes {_version()} for the tests, once: about {minutes} min on {cores} cores, in {cache}")
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        folder = Path(scratch, "assets")
        folder.mkdir()
        _compile(go, folder / "plane", Path(scratch, "build.log"))
        for name in COMMANDS:
            (folder / name).symlink_to("plane")
        folder.rename(home)


def _compile(go: Path, output: Path, log: Path) -> None:
    command = [str(go), "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", _ldflags(), "-o", str(output), "."]
    begun = time.monotonic()
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=_MODULE, env=os.environ | ENVIRONMENT, stderr=stderr)
    with process:
        while (code := _code(process)) is None:
            _say(f"  {time.monotonic() - begun:4.0f} s  {_tail(log, 1)}")
    if code:
        raise BinaryError(f"go build ended with {code}:\n{_tail(log, 20)}")
    _say(f"Built in {time.monotonic() - begun:.0f} s")


def _ldflags() -> str:
    # Without its version the server's answer cannot be parsed, and Helm refuses every chart with a kubeVersion.
    major, minor, _ = _version().split(".")
    values = {"gitVersion": f"v{_version()}", "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())


def _code(process: subprocess.Popen[bytes]) -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(PROGRESS_SECONDS)
    return None


def _tail(log: Path, lines: int) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.stdout.write(f"{assets()}\n")
