"""What was asked of the simulator, without secrets: no key, no env value, no body."""

from collections import Counter, deque
from hashlib import sha256

from pydantic import BaseModel, ConfigDict

KEPT = 200_000


class Asked(BaseModel):
    """`at` in simulated Unix seconds; `status` 0 is a dropped connection; `page` counts from 0."""

    model_config = ConfigDict(frozen=True)

    at: float
    method: str
    path: str
    operation: str
    status: int
    account: str
    key: str
    machine_id: str
    name: str
    page: int | None
    is_applied: bool
    faults: tuple[str, ...]


class Journal:
    def __init__(self) -> None:
        self.entries: deque[Asked] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()

    def write(self, asked: Asked) -> None:
        self.entries.append(asked)
        self.counts[asked.operation] += 1

    def clear(self) -> None:
        self.entries.clear()
        self.counts.clear()


def fingerprint(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:8] if key else ""
