"""The whole world of one example, and the judge of what must never happen in it.

Excused are single launches of which users or Novita made something that no client can mend: such a machine may stand
beside another for a while. Even then the claimed one is kept, and all comes to rest.
"""

import asyncio
import json
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from build import CLUSTER
from model.cloud import Cloud, Landing, W
from model.cluster import Cluster
from model.line import Plan
from novita_operator.decision.rules.claim import ADOPTED
from novita_operator.model.claim import CLAIM_ANNOTATION, Claim
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import Machine, MachineState
from novita_operator.model.market import Order
from novita_operator.model.naming import name_part
from novita_operator.model.reasons import Reason

_UP_FOR_LONG = 30.0


class Finding(StrEnum):
    """What the judge may find."""

    DOUBLE = "two machines live for one object"
    LEFT_BEHIND = "a machine is left behind"
    FOREIGN = "a hand was laid on a foreign machine"
    WRONGED = "a machine was deleted that an object counts on"
    UNTRUE = "status or claim says what is not so"
    UNREST = "no rest"
    BROKEN = "a step failed in a way that nobody thought of"


class Found(AssertionError):  # noqa: N818  it is no error of the model
    """Stops an example at its first finding."""

    def __init__(self, finding: Finding, detail: str) -> None:
        super().__init__(f"{finding}: {detail}")
        self.finding = finding


class _Launch(NamedTuple):
    uid: str
    claimed_at: float


class World:
    """Cloud, API server, and what is planned; `found` is the first finding."""

    def __init__(self, loop: asyncio.AbstractEventLoop, news: Callable[[], None]) -> None:
        self.time = loop.time
        self.plan = Plan(loop.time)
        self.cloud = Cloud(loop, self)
        self.cluster = Cluster(self.wrote, self.users_did, news)
        self.found: Found | None = None
        self.excused: set[str] = set()
        self._launches: dict[str, _Launch] = {}
        self._intended: dict[str, float] = {}
        self._tokens = 0

    def fresh_token(self) -> str:
        self._tokens += 1
        return f"{self._tokens:08d}"

    def finds(self, finding: Finding, detail: str) -> None:
        self.plan.tell(f"-- {finding}: {detail}")
        self.found = self.found or Found(finding, detail)

    def billed(self, uid: str) -> list[Machine]:
        """The machines of the object that bears this UID, or once bore it."""
        return self.cloud.billed(self.cluster.lives(uid))

    # What the judge is told of Novita.

    def intends(self, claim: Claim) -> None:
        """A process begins to write this claim: its age counts from now."""
        self._intended.setdefault(claim.machine, self.time())

    def sent(self, order: Order) -> float:
        if self.cloud.weather.landing is Landing.TOO_LATE:
            self.excused.add(order.name)
        return max(self.time() + 2 * W / 3, self._intended.get(order.name, self.time()) + W)

    def landed(self, machine: Machine) -> None:
        assert machine.mark is not None, "orders bear a mark"
        uid = machine.mark.uid
        self.plan.tell(f"-- {machine.id} lands as {machine.name}")
        if machine.name in self.excused:
            return
        alive = [each.id for each in self.billed(uid) if each.name not in self.excused]
        if len(alive) > 1:
            self.finds(Finding.DOUBLE, f"{alive} for {uid}")
        if self.cluster.by_uid(uid) is None and machine.id not in self.cluster.retained:
            self.finds(Finding.LEFT_BEHIND, f"{machine.id} landed for {uid}, which is gone")

    def touched(self, machine: Machine) -> None:
        if not machine.belongs_to(CLUSTER):
            self.finds(Finding.FOREIGN, machine.id)

    def deletes(self, machine_id: str, *, as_orphan: bool) -> None:
        """A delete call begins, judged by the truth at that moment."""
        machine = self.cloud.truth(machine_id)
        if machine is None or machine.mark is None:
            return
        owner = self.cluster.by_uid(machine.mark.uid)
        if machine_id in self.cluster.retained and not _claims(owner, machine):
            self.finds(Finding.WRONGED, f"{machine_id} was left running on purpose")
        if owner is None or (owner.is_deleting and not as_orphan):
            return
        if as_orphan:
            if machine.name not in self.excused:
                self.finds(Finding.WRONGED, f"the sweep deletes {machine_id} of a living object")
        elif (_claims(owner, machine) or _was_overtaken(owner, machine)) and self._has_long_been_up(machine_id):
            self.finds(Finding.WRONGED, f"{machine_id} is up, and is the object's last launch")

    def _has_long_been_up(self, machine_id: str) -> bool:
        at, machine = self.cloud.pasts[machine_id][-1]
        up = machine is not None and machine.state in {MachineState.RUNNING, MachineState.EXITED}
        return up and self.time() - at > _UP_FOR_LONG

    # What the judge is told of the API server.

    def wrote(self, before: GpuInstance, after: GpuInstance) -> None:
        claim = after.claim
        if claim is not None and claim != before.claim and claim.by != ADOPTED:
            self._launches.setdefault(claim.machine, _Launch(claim.uid, self.time()))
        self._claimed(after)
        if before.has_finalizer and not after.has_finalizer:
            self._released(before)
        self._recorded(before, after)

    def _claimed(self, after: GpuInstance) -> None:
        """By the text itself: how the operator reads it may be what is wrong."""
        claim = json.loads(after.metadata.annotations.get(CLAIM_ANNOTATION, "{}"))
        parts = map(name_part, self.cluster.lives(after.uid))
        if claim.get("uid") == after.uid and not any(part in claim["machine"] for part in parts):
            self.finds(Finding.UNTRUE, f"{after.uid} claims {claim['machine']}, which is another's")

    def _released(self, instance: GpuInstance) -> None:
        if not instance.is_deleting:
            self.finds(Finding.LEFT_BEHIND, f"the finalizer of {instance.uid} was taken, and it is not deleted")
        lives = self.cluster.lives(instance.uid)
        under_way = [m for m in self.cloud.under_way if m.mark is not None and m.mark.uid in lives]
        left = [m.id for m in (*self.billed(instance.uid), *under_way) if m.name not in self.excused]
        unknown = set(left) - self.cluster.retained - self.cloud.doomed
        if unknown:
            self.finds(Finding.LEFT_BEHIND, f"{instance.uid} is released, and left {sorted(unknown)}")

    def _recorded(self, before: GpuInstance, after: GpuInstance) -> None:
        was, now = before.recorded_id, after.status.instance_id
        if now is not None and now != before.status.instance_id:
            claimed = after.claim.machine if after.claim else after.status.machine_name
            if self.cloud.names.get(now) != claimed:
                self.finds(Finding.UNTRUE, f"{now} was recorded, and the claim names {claimed}")
        machine = self.cloud.truth(was or "")
        if machine is not None and now is None and was not in self.cloud.doomed and machine.name not in self.excused:
            self.finds(Finding.UNTRUE, f"{was} is told to be gone, and lives")

    def users_did(self, uid: str) -> None:
        """After a user changed an object: launches that it lost sight of, and that no list need show, are excused.

        So are those of an earlier life of which nothing in the object tells any more: their marks do not either.
        """
        instance = self.cluster.by_uid(uid)
        lives = self.cluster.lives(uid)
        names = [name for name, launch in self._launches.items() if launch.uid in lives and self._is_open(name, launch)]
        names += [m.name for m in self.billed(uid) if instance is None or name_part(instance.uid) not in m.name]
        self.excused.update(name for name in names if not _knows(instance, name))

    def _is_open(self, name: str, launch: _Launch) -> bool:
        """It may still be sent, is under way, or too young for lists."""
        return self.time() - launch.claimed_at < W / 3 or self.cloud.is_news(name)

    # The end.

    def unrest(self) -> list[str]:
        """What is not as wanted, or not told as it is."""
        found = [
            f"{machine.id} has no object"
            for machine in self.cloud.billed()
            if machine.mark is not None and self.cluster.by_uid(machine.mark.uid) is None
            if machine.id not in self.cluster.retained
        ]
        for instance in self.cluster.instances():
            if not self._is_as_wanted(instance):
                machines = [(machine.id, machine.name, machine.state) for machine in self.billed(instance.uid)]
                ready = instance.status.condition("Ready")
                found.append(
                    f"{instance.metadata.name}: {machines}; claim {instance.claim and instance.claim.machine}, "
                    f"record {instance.status.machine_name} {instance.status.instance_id}, {ready and ready.reason}"
                )
        return found

    def _is_as_wanted(self, instance: GpuInstance) -> bool:
        machines, ready = self.billed(instance.uid), instance.status.condition("Ready")
        if instance.is_deleting or ready is None or len(machines) > 1:
            return False
        if not machines:
            return ready.reason == Reason.STOPPED and instance.status.instance_id is None
        (machine,) = machines
        told = instance.recorded_id == machine.id and instance.has_finalizer
        if machine.is_reclaimed and instance.spec.power_state == "Running":
            return told and ready.reason == Reason.SPOT_RECLAIMED
        expected = {"Running": MachineState.RUNNING, "Stopped": MachineState.EXITED}[instance.spec.power_state]
        return told and machine.state is expected and ready.status == "True"


def _knows(instance: GpuInstance | None, name: str) -> bool:
    """Whether claim or record name this machine."""
    if instance is None:
        return False
    return name in {instance.status.machine_name, instance.written_claim and instance.written_claim.machine}


def _claims(instance: GpuInstance | None, machine: Machine) -> bool:
    return instance is not None and instance.claim is not None and instance.claim.machine == machine.name


def _was_overtaken(instance: GpuInstance, machine: Machine) -> bool:
    """Whether this machine is of a later launch than the claim's: somebody put that one back."""
    claim, status = instance.claim, instance.status
    return claim is not None and claim.launch < (status.launches or 0) and status.machine_name == machine.name
