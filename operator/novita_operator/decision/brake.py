"""When much vanishes at once, brake: the list is suspect until further lists agree (design 5)."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

_AT_LEAST = 5
_SHARE = 0.2
_AGREEING_LISTS = 3


class Brake(NamedTuple):
    """The machine ids of the last list that was believed, and how many lists since then said otherwise."""

    known: frozenset[str] = frozenset()
    doubted: int = 0

    def see(self, shown: frozenset[str], expected_to_go: AbstractSet[str]) -> "Brake":
        """After one more complete list; machines that were deleted knowingly do not count as vanished."""
        missing = len(self.known - shown - expected_to_go)
        if missing <= max(_AT_LEAST, _SHARE * len(self.known)) or self.doubted + 1 >= _AGREEING_LISTS:
            return Brake(shown)
        return Brake(self.known, self.doubted + 1)

    @property
    def is_on(self) -> bool:
        return self.doubted > 0
