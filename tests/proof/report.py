"""The figures of a soak, as they stand in the table at its end."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """The figures of a whole run."""

    seed: str
    seconds: float = 0.0
    cycles: int = 0
    rest_longest: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        rows = [("seed", self.seed), ("seconds", f"{self.seconds:.0f}"), ("cycles", self.cycles)]
        rows += [("longest way to rest, s", f"{self.rest_longest:.0f}"), *sorted(self.counts.items())]
        return [*(f"{name:<28} {value}" for name, value in [*rows, ("findings", len(self.findings))]), *self.findings]
