"""When much vanishes at once, brake: the list is suspect until further lists agree."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

_AT_LEAST = 5
_SHARE = 0.2
_AGREEING_LISTS = 3


class Brake(NamedTuple):
    """The machine ids of the last list that was believed; how many since then agree on something else."""

    known: frozenset[str] = frozenset()
    doubted: int = 0
    last: frozenset[str] = frozenset()

    def see(self, shown: frozenset[str], expected_to_go: AbstractSet[str]) -> "Brake":
        """After one more complete list; machines that were deleted knowingly do not count as vanished."""
        if not _too_many_vanished(self.known, shown | expected_to_go):
            return Brake(shown)
        agrees = not _too_many_vanished(self.last, shown | expected_to_go)
        doubted = self.doubted + 1 if agrees else 1
        return Brake(shown) if doubted >= _AGREEING_LISTS else Brake(self.known, doubted, shown)

    @property
    def is_on(self) -> bool:
        return self.doubted > 0


def _too_many_vanished(before: frozenset[str], accounted_for: AbstractSet[str]) -> bool:
    return len(before - accounted_for) > max(_AT_LEAST, _SHARE * len(before))
