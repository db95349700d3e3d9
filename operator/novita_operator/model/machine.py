"""What Novita runs and bills, and one complete list of it."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from novita_operator.model.naming import Mark, Owner, is_named_for, name_part
from novita_operator.model.resource import BillingMode, PortProtocol


class MachineState(StrEnum):
    """Novita's words for what a machine does (API reference 7.1); a word that we do not know is `UNKNOWN`."""

    TO_CREATE = "toCreate"
    CREATING = "creating"
    PULLING = "pulling"
    RUNNING = "running"
    TO_START = "toStart"
    STARTING = "starting"
    TO_STOP = "toStop"
    STOPPING = "stopping"
    EXITED = "exited"
    TO_RESTART = "toRestart"
    RESTARTING = "restarting"
    TO_RESET = "toReset"
    RESETTING = "resetting"
    MIGRATING = "migrating"
    FREEZING = "freezing"
    TO_REMOVE = "toRemove"
    REMOVING = "removing"
    REMOVED = "removed"
    PENDING = "pending"
    UNKNOWN = "unknown"


COMING_BACK = frozenset(
    {
        MachineState.TO_START,
        MachineState.STARTING,
        MachineState.TO_RESTART,
        MachineState.RESTARTING,
        MachineState.TO_RESET,
        MachineState.RESETTING,
    }
)
"""On the way up again after a run, a start or an upgrade (API reference 7.2): never seen on the first way up."""
COMING_UP = COMING_BACK | {
    MachineState.TO_CREATE,
    MachineState.CREATING,
    MachineState.PULLING,
    MachineState.PENDING,
}
GOING_DOWN = frozenset({MachineState.TO_STOP, MachineState.STOPPING})
GOING_AWAY = frozenset({MachineState.TO_REMOVE, MachineState.REMOVING})
MOVING = COMING_UP | GOING_DOWN | GOING_AWAY | {MachineState.MIGRATING}


class SpotStatus(StrEnum):
    """How safe a spot machine is from being taken back (API reference 8.1)."""

    NONE = ""
    RUNNING = "running"
    NOTIFIED = "notified"
    RECLAIMING = "reclaiming"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a port of a machine is reached; `address` is empty until the machine is placed."""

    port: int
    protocol: PortProtocol
    address: str


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as a list or a single read shows it.

    Its environment is not kept: it may hold secrets, and only the mark in it matters to us.
    `endpoints` is None where the answer says nothing about ports.
    """

    id: str
    name: str
    state: MachineState
    mark: Mark | None = None
    product_id: str = ""
    product_name: str = ""
    region_id: str = ""
    region: str = ""
    billing: BillingMode | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    spot: SpotStatus = SpotStatus.NONE
    reclaim_at: datetime | None = None
    error: str = ""
    created: datetime | None = None
    started: datetime | None = None
    stopped: datetime | None = None

    def belongs_to(self, cluster_id: str) -> bool:
        """Ours only if name *and* mark say so, for this cluster id."""
        return self.mark is not None and self.mark.cluster_id == cluster_id and is_named_for(self.name, self.mark.uid)

    def is_of(self, owner: Owner, lives: AbstractSet[str]) -> bool:
        """Whether it was made for this resource, in one of these lives: `GpuInstance.lives`."""
        return self.mark is not None and self.mark.owner == owner and name_part(self.mark.uid) in lives

    @property
    def is_reclaimed(self) -> bool:
        """A spot machine that was taken back (API reference 8.3), not one that stopped before its notice ran out."""
        if self.state is not MachineState.EXITED:
            return False
        if self.spot is SpotStatus.TERMINATED or self.reclaim_at is None:
            return self.spot is SpotStatus.TERMINATED
        return self.billing is BillingMode.SPOT and (self.stopped is None or self.stopped >= self.reclaim_at)

    @property
    def has_every_endpoint(self) -> bool:
        return self.endpoints is None or all(endpoint.address for endpoint in self.endpoints)


@dataclass(frozen=True, slots=True)
class Fleet:
    """One complete list of the account's machines.

    `ours` are those with a mark of this cluster, by the namespace and name in it. `begun` is the boot clock (seconds)
    before its first page was asked for. A `suspect` list lost too many machines at once: what it shows is true, what it
    does not show means nothing.
    """

    begun: float
    machines: Mapping[str, Machine] = field(default_factory=dict)
    ours: Mapping[Owner, tuple[Machine, ...]] = field(default_factory=dict)
    suspect: bool = False

    @classmethod
    def of(cls, machines: Iterable[Machine], *, cluster_id: str, begun: float, suspect: bool = False) -> "Fleet":
        """Index a list by machine id, and our own machines by the resource that they were made for."""
        by_id = {machine.id: machine for machine in machines}
        ours: dict[Owner, list[Machine]] = {}
        for machine in by_id.values():
            if machine.mark is not None and machine.belongs_to(cluster_id):
                ours.setdefault(machine.mark.owner, []).append(machine)
        return cls(begun, by_id, {owner: tuple(group) for owner, group in ours.items()}, suspect)

    def made_for(self, owner: Owner) -> tuple[Machine, ...]:
        """Every machine of ours that was made for a resource of this namespace and name, whatever its UID."""
        return self.ours.get(owner, ())
