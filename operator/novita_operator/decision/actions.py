"""The one thing to do next, and why."""

from dataclasses import dataclass
from enum import StrEnum

from novita_operator.model.claim import Claim
from novita_operator.model.market import Offer
from novita_operator.model.reasons import Reason
from novita_operator.model.status import Placement


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do; status says where things stand."""


@dataclass(frozen=True, slots=True)
class AwaitList:
    """A list that begins after now must be seen first; one list serves all that wait."""


@dataclass(frozen=True, slots=True)
class ReadMarket:
    """Regions, products and the template are wanted for a choice."""


@dataclass(frozen=True, slots=True)
class ReadAlone:
    """Ask for one machine alone, after a list (begun at `after_list`) that did not show it."""

    name: str
    machine_id: str | None
    after_list: float


@dataclass(frozen=True, slots=True)
class ReadKin:
    """Ask for all machines of the object alone, after a list (begun at `after_list`) that showed none."""

    after_list: float


@dataclass(frozen=True, slots=True)
class Record:
    """Write into status which machine the claim became."""

    machine_id: str


@dataclass(frozen=True, slots=True)
class PutBack:
    """Write the claim and the finalizer that the object lost."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Launch:
    """Write a claim and call create for this offer. `launch` counts all, `retry` those beyond the first."""

    offer: Offer
    launch: int
    retry: int


@dataclass(frozen=True, slots=True)
class Start:
    """Start the machine; the `retry`-th time for this generation."""

    machine_id: str
    retry: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the machine."""

    machine_id: str


class DeleteCause(StrEnum):
    """Why a machine is deleted."""

    RESOURCE_DELETED = "resource deleted"
    DUPLICATE = "duplicate"
    STARTUP_TIMEOUT = "startup timeout"


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a machine of ours."""

    machine_id: str
    cause: DeleteCause


@dataclass(frozen=True, slots=True)
class Release:
    """Take the finalizer away; `retained` are ids of machines that are left running on purpose."""

    retained: tuple[str, ...] = ()


Look = AwaitList | ReadMarket | ReadAlone | ReadKin
Deed = PutBack | Launch | Start | Stop | Delete | Release
Action = Rest | Record | Look | Deed


@dataclass(frozen=True, slots=True)
class Decision:
    """An action with its reason and a sentence for people.

    `again`: seconds after which to look again without being woken; None waits for news.
    `quiet`: nothing is known that status does not say already; leave it.
    """

    action: Action
    reason: Reason
    message: str
    again: float | None = None
    quiet: bool = False
    placement: tuple[Placement, ...] = ()
