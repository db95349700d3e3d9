"""Novita's API key: a value, or a file that is read again when it changes, so that rotation needs no restart."""

from collections.abc import Callable
from pathlib import Path

_CHECK_SECONDS = 1.0


def check_key(text: str) -> str:
    """The key in `text`, without white space around it.

    Raises:
        ValueError: it is empty, or no HTTP header could carry it. The message does not show it.
    """
    key = text.strip()
    if not key:
        raise ValueError("the key is empty")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError("the key holds white space or a character that no HTTP header may carry")
    return key


def read_key(path: Path) -> str:
    """The key in a file.

    Raises:
        ValueError: the file cannot be read, or holds no key.
    """
    try:
        return check_key(path.read_text())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        reason = "it is not text" if isinstance(error, UnicodeDecodeError) else error
        raise ValueError(f"cannot use {path}: {reason}") from None


class KeySource:
    """Called, it gives the key as it is now. A file that is empty or missing for a while leaves the last key in force.

    Flow: at most once a second the file's identity is compared, and the file is read only if that changed. A mounted
    Secret changes by a symlink that points elsewhere, which is a new inode here.
    """

    def __init__(self, key: str | Path, clock: Callable[[], float]) -> None:
        """Take a key, or the file that holds it; `clock` gives monotonic seconds.

        Raises:
            ValueError: there is no usable key.
        """
        self._path = key if isinstance(key, Path) else None
        self._clock = clock
        self._checked = clock()
        self._seen = self._identity()
        self._keys = [read_key(key) if isinstance(key, Path) else check_key(key)]

    def __call__(self) -> str:
        if self._path and self._clock() - self._checked >= _CHECK_SECONDS:
            self._checked = self._clock()
            self._look_again(self._path)
        return self._keys[-1]

    @property
    def known(self) -> tuple[str, ...]:
        """The present key and those before it: what logs must never show."""
        self()
        return tuple(self._keys)

    def _look_again(self, path: Path) -> None:
        identity = self._identity()
        if identity is None or identity == self._seen:
            return
        try:
            key = read_key(path)
        except ValueError:
            return
        self._seen = identity
        if key not in self._keys[-1:]:
            self._keys.append(key)

    def _identity(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
