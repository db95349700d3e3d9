"""What is told to people about one resource, as a Kubernetes Event."""

from dataclasses import dataclass
from enum import StrEnum

from novita_operator.model.instance import GpuInstance

LONGEST_NOTE = 1024
LONGEST_WORD = 128


class NoticeType(StrEnum):
    """Whether somebody should look; the two words that Kubernetes knows."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Subject:
    """Which resource a notice is about; it may be gone by the time that it is told."""

    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, instance: GpuInstance) -> "Subject":
        return cls(instance.metadata.namespace, instance.metadata.name, instance.uid)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened; what is longer than Kubernetes takes is cut.

    `reason` (why) and `action` (what was done) are single CamelCase words from closed sets; `note` is a sentence for
    people, without secrets.
    """

    subject: Subject
    type: NoticeType
    reason: str
    action: str
    note: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", self.reason[:LONGEST_WORD])
        object.__setattr__(self, "action", self.action[:LONGEST_WORD])
        object.__setattr__(self, "note", self.note[:LONGEST_NOTE])
