"""The API key: read anew for every call, and silent once Novita has rejected it, until it changes."""

from collections.abc import Callable

from novita_operator.cloud.errors import CloudError, NotDone, NotPermitted, NotSent, Throttled, Unauthorized


class Credentials:
    """`read` gives the present key, `""` where there is none; a rotated key is used with the next call."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._last = ""
        self._valid: bool | None = None

    @property
    def valid(self) -> bool | None:
        """Whether Novita accepts the present key; None while it has not been tried."""
        self._look()
        return self._valid

    def key(self, *, probe: bool = False) -> str:
        """The present key, for one call.

        Raises:
            NotSent: there is no key, or Novita rejected it. A probe may still be sent with a rejected key.
        """
        key = self._look()
        if not key.isascii() or not key.isprintable() or not key:
            raise NotSent("there is no usable Novita API key: give the operator one")
        if self._valid is False and not probe:
            raise NotSent("Novita rejected the API key: give the operator a valid one")
        return key

    def judge(self, key: str, error: CloudError | None, *, probe: bool = False) -> None:
        """Learn from the end of a call that was made with `key`; a key that was replaced meanwhile is forgotten.

        One that may not do this may do other things; but without the probe, the list, nothing can be done with it.
        """
        if key != self._last or (isinstance(error, NotPermitted) and not probe):
            return
        if isinstance(error, Unauthorized):
            self._valid = False
        elif error is None or (isinstance(error, NotDone) and not isinstance(error, NotSent | Throttled)):
            self._valid = True

    def _look(self) -> str:
        key = self._read().strip()
        if key != self._last:
            self._last, self._valid = key, None
        return key
