"""What this process knows, all of it rebuildable: the objects as last read, the fleet, and what was just tried.

Kubernetes is the database; a restart begins with an empty memory and reaches the same decisions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from novita_operator.control.clock import Clock
from novita_operator.control.workqueue import Urgency
from novita_operator.decision.situation import (
    Account,
    CallResult,
    CreateCall,
    Hold,
    Kin,
    Policy,
    PowerCall,
    Reading,
    Situation,
)
from novita_operator.model.claim import Claim
from novita_operator.model.instance import GpuInstance, Poisoned
from novita_operator.model.machine import Fleet
from novita_operator.model.market import Market, Shelf
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import PowerState

_LONGER_THAN_WORDS = 8


class Sight(StrEnum):
    """How well the fleet is seen."""

    NOT_YET = "no list yet"
    SEEING = "the list is fresh"
    BLIND = "no fresh list"
    KEY_REJECTED = "the key is rejected"


@dataclass(slots=True)
class Entry:
    """One object, and what this process saw and did about it; the fields are those of `Situation`.

    `born_as`: the version in which the watch told of its creation, empty if it did not.
    """

    instance: GpuInstance
    version_read: float
    trace: tuple[str | None, ...]
    trace_seen: float
    remembered: Claim | None = None
    create_call: CreateCall | None = None
    power_call: PowerCall | None = None
    alone: Reading | None = None
    kin: Kin | None = None
    born_as: str = ""
    proved_gone: str = ""
    hold: Hold | None = None


@dataclass(slots=True)
class Memory:
    """All objects by UID, and the account.

    `deleted` are machine ids whose delete was acknowledged, and when; `asked` is when the list under way was begun;
    `unreadable` are the objects that exist and cannot be understood: nothing is done for them.
    """

    policy: Policy
    clock: Clock
    started: float
    entries: dict[str, Entry] = field(default_factory=dict)
    unreadable: dict[str, Poisoned] = field(default_factory=dict)
    fleet: Fleet | None = None
    key_accepted: bool | None = None
    trouble: str = ""
    asked: float | None = None
    hold: Hold | None = None
    refusals: dict[Shelf, datetime] = field(default_factory=dict)
    deleted: dict[str, float] = field(default_factory=dict)

    def seen(self, uid: str) -> GpuInstance | Poisoned | None:
        """The object as last read."""
        entry = self.entries.get(uid)
        return self.unreadable.get(uid) if entry is None else entry.instance

    def all_seen(self) -> dict[str, GpuInstance | Poisoned]:
        """Every object as last read, by UID."""
        return {uid: entry.instance for uid, entry in self.entries.items()} | self.unreadable

    def knows(self, uid: str, resource_version: str) -> bool:
        """Whether the object was read at this version or a later one: an echo, mostly of a write of ours."""
        seen = self.seen(uid)
        return seen is not None and int(resource_version) <= seen.version

    def remember(self, instance: GpuInstance) -> None:
        """The watch or a list brought it. An echo of an older version changes nothing."""
        entry, unreadable = self.entries.get(instance.uid), self.unreadable.get(instance.uid)
        if unreadable is not None and not _is_newer(instance, unreadable):
            return
        self.unreadable.pop(instance.uid, None)
        if entry is None:
            boot = self.clock.boot()
            self.entries[instance.uid] = Entry(instance, boot, _trace(instance), boot, instance.claim)
        elif _is_newer(instance, entry.instance):
            self._keep(entry, instance)

    def see_born(self, instance: GpuInstance) -> None:
        """The watch told of its creation: until this version has passed, nobody can have launched for it."""
        self.remember(instance)
        if entry := self.entries.get(instance.uid):
            entry.born_as = instance.metadata.resource_version

    def keep_up(self, instance: GpuInstance) -> None:
        """A write of ours brought it back. What is forgotten stays so: its end was told before the answer came."""
        if self.seen(instance.uid) is not None:
            self.remember(instance)

    def reread(self, before: GpuInstance | Poisoned, fresh: GpuInstance) -> None:
        """A read past every cache, begun when `before` was known. If it is the older one, etcd was restored."""
        entry = self.entries.get(fresh.uid)
        if not _is_restored(before, fresh):
            (self.keep_up if fresh.uid == before.uid else self.remember)(fresh)
        elif entry is not None:
            self._keep(entry, fresh)
        elif self.unreadable.pop(fresh.uid, None) is not None:
            self.remember(fresh)

    def _keep(self, entry: Entry, instance: GpuInstance) -> None:
        boot, trace = self.clock.boot(), _trace(instance)
        if trace != entry.trace:
            entry.trace, entry.trace_seen = trace, boot
        if _is_passed(entry, instance):
            entry.create_call = None  # should its claim come back, it is not ours any more
        entry.instance, entry.version_read = instance, boot
        entry.remembered = instance.claim or entry.remembered

    def set_aside(self, found: Poisoned, before: GpuInstance | Poisoned | None = None) -> bool:
        """Forget what the object was before it could not be understood; whether that is news.

        `before` is for a read past every cache, as in `reread`.
        """
        seen = self.seen(found.uid)
        is_restored = before is not None and _is_restored(before, found)
        if seen is not None and not is_restored and not _is_newer(found, seen):
            return False
        self.entries.pop(found.uid, None)
        self.unreadable[found.uid] = found
        return not isinstance(seen, Poisoned) or seen.why != found.why

    def forget(self, uid: str) -> None:
        """The object is gone from the cluster."""
        self.entries.pop(uid, None)
        self.unreadable.pop(uid, None)

    def situation(self, uid: str, market: Market | None) -> Situation:
        """Everything that one decision may know. `uid` must be remembered."""
        entry = self.entries[uid]
        return Situation(
            instance=entry.instance,
            policy=self.policy,
            now=self.clock.now(),
            boot=self.clock.boot(),
            started=self.started,
            version_read=entry.version_read,
            trace_seen=entry.trace_seen,
            remembered=entry.remembered,
            create_call=entry.create_call,
            power_call=entry.power_call,
            alone=entry.alone,
            kin=entry.kin,
            is_newborn=entry.born_as == entry.instance.metadata.resource_version,
            deleted=self.deleted,
            proved_gone=entry.proved_gone,
            hold=entry.hold,
            fleet=self.fleet,
            account=Account(self.key_accepted, self.trouble, self.hold, self.refusals),
            market=market,
        )

    def urgency(self, uid: str) -> Urgency:
        """Delete and stop before create before the rest."""
        entry = self.entries.get(uid)
        if entry is None:
            return Urgency.REST
        if entry.instance.is_deleting:
            return Urgency.DELETE
        if entry.instance.spec.power_state is PowerState.STOPPED:
            return Urgency.STOP
        return Urgency.REST if entry.instance.claim else Urgency.CREATE

    def sight(self) -> Sight:
        """How well the fleet is seen; the rule `blind` draws the same lines."""
        if self.key_accepted is False:
            return Sight.KEY_REJECTED
        if self.sight_left() < 0:
            return Sight.BLIND
        return Sight.NOT_YET if self.fleet is None else Sight.SEEING

    def sight_left(self) -> float:
        """Seconds until the last list, or the wait for the first, is too old; below 0 it is."""
        since = self.started if self.fleet is None else self.fleet.begun
        return self.policy.fleet_max_age - (self.clock.boot() - since)

    def sees_well(self) -> bool:
        """Whether the list is fresh and to be believed, and nothing failed since."""
        return self.sight() is Sight.SEEING and not self.trouble and not self._is_braked()

    def _is_braked(self) -> bool:
        return self.fleet is not None and self.fleet.suspect

    def account_of_sight(self) -> str:
        """How well the fleet is seen, why, and what is under way, for people."""
        sight = self.sight()
        why = [self.trouble] if self.trouble else []
        if self._is_braked():
            why.append(f"{Reason.BRAKED}: {Reason.BRAKED.meaning}")
        if self.asked is not None and sight is not Sight.SEEING:
            why.append(f"asked for one {self.clock.boot() - self.asked:.0f} s ago, it is not complete yet")
        return f"{sight}: {'; '.join(why)}" if why else sight

    def secrets(self) -> Iterator[str]:
        """Values of the environments that Novita was given; short ones are words that may stand anywhere."""
        for instance in self.instances():
            yield from (variable.value for variable in instance.spec.env if len(variable.value) >= _LONGER_THAN_WORDS)

    def instances(self) -> Iterator[GpuInstance]:
        return (entry.instance for entry in self.entries.values())


def _trace(instance: GpuInstance) -> tuple[str | None, ...]:
    """What absence is counted by: the claim with its present record, else what status and a backup remember."""
    if instance.claim is not None:
        return instance.claim.machine, instance.recorded_id
    restored = instance.restored_claim
    return instance.status.machine_name, instance.status.instance_id, restored.machine if restored else None


def _is_passed(entry: Entry, instance: GpuInstance) -> bool:
    """Whether what our last create call was for counts no more: another claim took its place, or may have, unseen."""
    call, before, after = entry.create_call, entry.instance.claim, instance.claim
    if call is None or before is None or before.machine != call.machine:
        return False
    return call.result is CallResult.NOT_DONE if after is None else after.machine != call.machine


def _is_newer(one: GpuInstance | Poisoned, other: GpuInstance | Poisoned) -> bool:
    return one.version > other.version


def _is_restored(before: GpuInstance | Poisoned, fresh: GpuInstance | Poisoned) -> bool:
    """Whether a read past every cache shows less than was known when it began."""
    return fresh.uid == before.uid and _is_newer(before, fresh)
