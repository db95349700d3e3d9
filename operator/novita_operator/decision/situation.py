"""Everything that one decision may know, frozen. The reconciler fills it from memory; rules only read it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from novita_operator.model.claim import Claim
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import GOING_AWAY, Fleet, Machine, MachineState
from novita_operator.model.market import Market, Shelf
from novita_operator.model.naming import is_named_for, life_in
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import PowerState, Spec


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for every object of this operator; durations in seconds.

    `claim_window` is W: a create sent within W/3 of its claim lands by claim + W or never. `look_again`: how soon the
    market is looked at again when it had nothing.
    """

    cluster_id: str
    claim_window: float = 60.0
    list_lag: float = 10.0
    fleet_max_age: float = 90.0
    startup_timeout: float = 600.0
    default_region: str = ""
    look_again: float = 60.0

    def startup_seconds(self, spec: Spec) -> float:
        """How long a machine of this spec may take to come up."""
        return spec.startup.timeout_seconds or self.startup_timeout


class CallResult(StrEnum):
    """What this process knows of the create call that it made for a claim."""

    CREATED = "created"
    NOT_DONE = "not done"
    UNCERTAIN = "uncertain"


class CreateCall(NamedTuple):
    """The last create call of this process for the object; `machine` is the name in the claim."""

    machine: str
    result: CallResult
    machine_id: str | None = None


class Reading(NamedTuple):
    """One look for a single machine, made after a list (begun at `after_list`) had not shown it."""

    name: str
    after_list: float
    machine: Machine | None


class Kin(NamedTuple):
    """One look for all machines of the object alone, made after a list (begun at `after_list`)."""

    after_list: float
    is_shown: bool


class Verb(StrEnum):
    """What can be asked of a machine's power."""

    START = "start"
    STOP = "stop"


class PowerCall(NamedTuple):
    """The last power call of this process for a machine.

    `at` is the boot clock after its answer, `asked` the time for people; a start is the `retry`-th of its generation.
    """

    machine_id: str
    verb: Verb
    at: float
    asked: datetime
    generation: int
    retry: int = 0


class Hold(NamedTuple):
    """Not now: something was refused. `until` None waits for a new generation of the spec."""

    reason: Reason
    message: str
    generation: int
    until: datetime | None

    def binds(self, now: datetime) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of the Novita account."""

    key_accepted: bool | None = None
    trouble: str = ""
    hold: Hold | None = None
    refusals: Mapping[Shelf, datetime] = field(default_factory=dict)


class Trace(NamedTuple):
    """The machine that this object was launched as: its name, and its id where it is known."""

    name: str
    machine_id: str | None


@dataclass(frozen=True)
class Situation:
    """One object and the world around it. `boot` and all ages are the boot clock in seconds; `now` is for people.

    `version_read`: when this version of the object was read. `trace_seen`: when this process first saw the present
    claim with its present record. `remembered`: the last claim that this process saw on the object. `deleted`: machine
    ids whose delete call was acknowledged, and when. `proved_gone`: name of a machine that was proved absent before.
    `is_newborn`: nobody has written to the object since it was created.
    """

    instance: GpuInstance
    policy: Policy
    now: datetime
    boot: float
    started: float = 0.0
    version_read: float = 0.0
    trace_seen: float = 0.0
    remembered: Claim | None = None
    create_call: CreateCall | None = None
    power_call: PowerCall | None = None
    alone: Reading | None = None
    kin: Kin | None = None
    is_newborn: bool = False
    deleted: Mapping[str, float] = field(default_factory=dict)
    proved_gone: str = ""
    hold: Hold | None = None
    fleet: Fleet | None = None
    account: Account = Account()
    market: Market | None = None

    @property
    def uid(self) -> str:
        return self.instance.uid

    @property
    def claim(self) -> Claim | None:
        return self.instance.claim

    @cached_property
    def trace(self) -> Trace | None:
        """From the claim; without one, from what status or a backup remembers. The claim decides."""
        if self.claim is not None:
            return Trace(self.claim.machine, self.instance.recorded_id)
        return self.told or self.restored

    @cached_property
    def told(self) -> Trace | None:
        """What status remembers; of an earlier life only the name, for the id may since be another's."""
        status = self.instance.status
        if status.machine_name is None or life_in(status.machine_name, *self.instance.owner) is None:
            return None
        return Trace(status.machine_name, status.instance_id if self.is_of_this_life(status.machine_name) else None)

    @cached_property
    def restored(self) -> Trace | None:
        """What a claim of an earlier life names: as good as a launch of which nobody knows how it ended."""
        restored = self.instance.restored_claim
        return Trace(restored.machine, None) if restored is not None else None

    @cached_property
    def lives(self) -> frozenset[str]:
        """As the object tells them, and the claim that this process saw on it; a deletion goes by that alone."""
        if self.claim is not None or self.remembered is None:
            return self.instance.lives
        seen = self.instance.lives_by(self.remembered)
        return seen if self.instance.is_deleting else seen | self.instance.lives

    def is_of_this_life(self, machine: str) -> bool:
        """Whether a machine of this name was launched under the object's present UID."""
        return is_named_for(machine, self.uid)

    def owned(self, machines: Iterable[Machine]) -> tuple[Machine, ...]:
        """Those that are this object's own by name and by mark, and not yet removed."""
        cluster, owner = self.policy.cluster_id, self.instance.owner
        mine = (machine for machine in machines if machine.belongs_to(cluster) and machine.is_of(owner, self.lives))
        return tuple(machine for machine in mine if machine.state is not MachineState.REMOVED)

    def is_not_done(self, claim: Claim) -> bool:
        """Whether this process called create for it, and knows that nothing came of it."""
        return self.create_call == (claim.machine, CallResult.NOT_DONE, None)

    def is_overtaken(self, claim: Claim) -> bool:
        """Whether status tells of a later launch: then somebody put the claim back."""
        return claim.launch < (self.instance.status.launches or 0)

    @cached_property
    def was_recorded(self) -> bool:
        """Whether the machine that the claim names is known to have existed."""
        return self.claim is not None and self.instance.status.machine_name == self.claim.machine

    @cached_property
    def ours(self) -> tuple[Machine, ...]:
        """Every machine in the list that bears this object's mark and is not yet removed."""
        return self.owned(self.fleet.made_for(self.instance.owner)) if self.fleet else ()

    @cached_property
    def machine(self) -> Machine | None:
        """The machine that the claim names, as the list shows it; by id where it is recorded, else the least id."""
        if self.claim is None:
            return None
        named = [machine for machine in self.ours if machine.name == self.claim.machine]
        recorded = self.instance.recorded_id
        return next((m for m in named if m.id == recorded), None) or min(named, key=lambda m: m.id, default=None)

    def is_being_deleted(self, machine: Machine) -> bool:
        """Its delete was acknowledged, and no list that is late enough to tell shows it going on all the same."""
        at = self.deleted.get(machine.id)
        if at is None or self.fleet is None:
            return False
        return machine.state in GOING_AWAY or self.fleet.begun <= at + self.policy.list_lag

    @cached_property
    def overtaking(self) -> Machine | None:
        """The machine of a later launch than the claim's, which status tells of: somebody put an old claim back."""
        if self.claim is None or self.told is None or not self.is_overtaken(self.claim):
            return None
        later = self.told.name if self.told.name != self.claim.machine else None
        return next((machine for machine in self.ours if machine.name == later), None)

    @property
    def strangers(self) -> tuple[Machine, ...]:
        """Machines with this object's mark that its claim does not name: duplicates."""
        return tuple(machine for machine in self.ours if machine is not self.machine)

    @property
    def wants_running(self) -> bool:
        return self.instance.spec.power_state is PowerState.RUNNING

    @property
    def held(self) -> Hold | None:
        """What forbids a launch or a start just now: this object's own hold, for as long as its spec is the same."""
        own, account = self.hold, self.account.hold
        if own is not None and own.generation == self.instance.generation and own.binds(self.now):
            return own
        return account if account is not None and account.binds(self.now) else None
