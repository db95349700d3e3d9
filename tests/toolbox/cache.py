"""What takes long to make is made once and kept in the user's cache, whoever asks first."""

import contextlib
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """The cache's folder of this name; where there is none, `make` fills an empty one that then takes the name.

    So it appears complete or not at all. One process makes at a time: builds share the machine's cores badly.
    """
    home = cache() / name
    if not home.exists():
        with _locked(cache() / "making.lock"):
            if not home.exists():
                _fill(home, make)
    return home


def cache() -> Path:
    """The folder that holds all that is kept."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "novita-gpu-operator"
    path.mkdir(parents=True, exist_ok=True)
    return path


def say(line: str) -> None:
    """Progress: on stderr, because stdout is for the answer."""
    sys.stderr.write(f"{line}\n")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another process that fills {path.parent}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fill(home: Path, make: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        folder = Path(scratch, "folder")
        folder.mkdir()
        make(folder)
        folder.rename(home)
