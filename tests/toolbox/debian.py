"""Commands that Debian packages: the one on the PATH, else taken out of the package without installing it."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from toolbox.cache import kept, say

PACKAGED = ("prometheus", "promtool")
_PACKAGE = "prometheus"


class NotPackagedError(Exception):
    """The command is neither here nor to be had: the message says what to install."""


def packaged(name: str) -> Path:
    """The command; its package is downloaded if there is none on the PATH.

    Raises:
        NotPackagedError: there is no apt, or it could not get the package.
    """
    if found := shutil.which(name):
        return Path(found)
    return kept(f"debian-{_PACKAGE}", _unpack) / "usr" / "bin" / name


def _unpack(folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise NotPackagedError(
            f"put {' and '.join(PACKAGED)} (2.42 or newer) on the PATH: there is no apt to get them with"
        )
    say(f"Downloading Debian's {_PACKAGE} for the tests, once")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        Path(scratch, "lists", "partial").mkdir(parents=True)
        _apt(Path(scratch), "update")
        _apt(Path(scratch), "download", _PACKAGE)
        [package] = Path(scratch).glob("*.deb")
        subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)


def _apt(scratch: Path, *command: str) -> None:
    # Lists and cache of its own, because those of the system are root's, and often empty in a container.
    own = {"Dir::State::Lists": f"{scratch}/lists", "Dir::Cache": f"{scratch}/cache", "APT::Sandbox::User": ""}
    options = [word for key, value in own.items() for word in ("-o", f"{key}={value}")]
    done = subprocess.run(
        ["apt-get", "--quiet", *options, *command], cwd=scratch, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotPackagedError(f"put {' and '.join(PACKAGED)} on the PATH: apt-get {command[0]} failed: {done.stderr}")
