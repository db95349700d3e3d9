"""What the soak's judge looks at: everything that is there and everything that is told, as values."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from novita_operator.model.claim import CLAIM_ANNOTATION
from novita_operator.model.naming import MARK_ENV, Mark, is_named_for
from novita_simulator.views import MachineView

NEVER_LABEL = "soak.test/never"
"""On objects whose spec no offer can ever meet: the reason that status must give."""
PAUSES = (0, 30, 120)

Resource = Mapping[str, Any]


class Scene(NamedTuple):
    """What is there and what is told, read at one moment.

    `let_go`: UIDs whose objects said Retain at some time. `retained`: ids in the operator's ConfigMap. `refusals`: how
    many requests Novita was made to refuse for good. `heirs`: the UID under which a restored object lives on, by its
    earlier one.
    """

    cluster_id: str
    objects: tuple[Resource, ...]
    machines: tuple[MachineView, ...]
    retained: frozenset[str] = frozenset()
    let_go: frozenset[str] = frozenset()
    refusals: int = 0
    now: datetime = datetime.min.replace(tzinfo=UTC)
    heirs: Mapping[str, str] = MappingProxyType({})

    def owner(self, machine: MachineView) -> str:
        """UID of the object that answers for it, in its last life; empty for a foreign one."""
        return last_life(owner(machine, self.cluster_id), self.heirs)


class Told(NamedTuple):
    """One object with the machines that are its own."""

    resource: Resource
    machines: tuple[MachineView, ...]
    scene: Scene

    @property
    def status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.resource.get("status", {})
        return status

    @property
    def machine(self) -> MachineView | None:
        return self.machines[0] if self.machines else None

    @property
    def power(self) -> str:
        return str(self.resource["spec"].get("powerState", "Running"))

    @property
    def never(self) -> str:
        return str(self.resource["metadata"].get("labels", {}).get(NEVER_LABEL, ""))

    @property
    def generation(self) -> int:
        return int(self.resource["metadata"]["generation"])

    @property
    def claim(self) -> Mapping[str, Any]:
        return claim_of(self.resource)

    def condition(self, kind: str) -> Mapping[str, Any]:
        return next((each for each in self.status.get("conditions", ()) if each["type"] == kind), {})

    @property
    def reason(self) -> str:
        return str(self.condition("Ready").get("reason", "nothing"))

    def spent(self) -> int:
        retries = self.status.get("retries") or {}
        mine = retries.get("count", 0) if retries.get("generation") == self.generation else 0
        claimed = self.claim.get("retry", 0) if self.claim.get("generation") == self.generation else 0
        return int(max(mine, claimed))

    def next_try(self) -> datetime:
        times = [(self.status.get("retries") or {}).get("lastTime"), self.claim.get("at")]
        last = max(datetime.fromisoformat(time) for time in times if time)
        return last + timedelta(seconds=PAUSES[min(self.spent(), len(PAUSES) - 1)])


def claim_of(resource: Resource) -> dict[str, Any]:
    """The claim in the object if it was written for it, else {}."""
    text = resource["metadata"].get("annotations", {}).get(CLAIM_ANNOTATION, "{}")
    claim: dict[str, Any] = json.loads(text)
    return claim if claim.get("uid") == resource["metadata"]["uid"] else {}


def owner_of(name: str, mark: str, cluster_id: str) -> str:
    """UID of the object that a machine was made for, by its name and its mark; empty for a foreign one."""
    parsed = Mark.parse(mark)
    is_ours = parsed is not None and parsed.cluster_id == cluster_id and is_named_for(name, parsed.uid)
    return parsed.uid if parsed is not None and is_ours else ""


def last_life(uid: str, heirs: Mapping[str, str]) -> str:
    while uid in heirs:
        uid = heirs[uid]
    return uid


def owner(machine: MachineView, cluster_id: str) -> str:
    return owner_of(machine.name, machine.envs.get(MARK_ENV, ""), cluster_id)
