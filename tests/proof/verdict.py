"""The soak's judge: what must hold of a whole account and all its objects once everything has come to rest.

Pure: it looks at values, not at time or wires, and answers in sentences; an empty list is the good news. `TRUTHS` is
the one place that says what each resting reason claims; a reason that is not there is no rest.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER
from novita_operator.model.naming import MARK_ENV, Mark, is_named_for
from novita_simulator.ledger import Entry
from novita_simulator.views import MachineView

NEVER_LABEL = "soak.test/never"
"""On objects whose spec no offer can ever meet: the reason that status must give."""
PAUSES = (0, 30, 120)
MOST_RETRIES = 3
SLACK = 5.0
_BILLING = {"spot": "Spot", "onDemand": "OnDemand"}
_FIXABLE_BY_PEOPLE = frozenset(
    {"SpotReclaimed", "TooManyRetries", "Refused", "ProductNotFound", "RegionNotFound", "TemplateNotFound"}
)
_TAKEN_BACK = frozenset({"notified", "reclaiming", "terminated"})

Resource = Mapping[str, Any]


class Scene(NamedTuple):
    """What is there and what is told, read at one moment.

    `let_go`: UIDs whose objects said Retain at some time. `retained`: ids in the operator's ConfigMap. `refusals`: how
    many requests Novita was made to refuse for good.
    """

    cluster_id: str
    objects: tuple[Resource, ...]
    machines: tuple[MachineView, ...]
    retained: frozenset[str] = frozenset()
    let_go: frozenset[str] = frozenset()
    refusals: int = 0
    now: datetime = datetime.min.replace(tzinfo=UTC)


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


def owner(machine: MachineView, cluster_id: str) -> str:
    return owner_of(machine.name, machine.envs.get(MARK_ENV, ""), cluster_id)


def doubles(entries: Iterable[Entry], cluster_id: str, most: int = 1) -> list[str]:
    """Objects that ever had more than `most` machines at one moment."""
    moments: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for entry in entries:
        if uid := owner_of(entry.name, entry.mark, cluster_id):
            moments[uid].append((entry.created, 1))
            if entry.ended is not None:
                moments[uid].append((entry.ended, -1))
    return [f"{peak} machines at once for {uid}" for uid, at in moments.items() if (peak := _peak(at)) > most]


def _peak(moments: list[tuple[float, int]]) -> int:
    alive, peak = 0, 0
    for _, change in sorted(moments):
        alive += change
        peak = max(peak, alive)
    return peak


def findings(scene: Scene) -> list[str]:
    """What is not true, not said, or not yet at rest."""
    groups: defaultdict[str, list[MachineView]] = defaultdict(list)
    for machine in scene.machines:
        if machine.status != "removed" and (uid := owner(machine, scene.cluster_id)):
            groups[uid].append(machine)
    living = {resource["metadata"]["uid"] for resource in scene.objects}
    told = [Told(each, tuple(groups[each["metadata"]["uid"]]), scene) for each in scene.objects]
    return [*_leftovers(groups, living, scene), *(f"{_name(t)}: {lie}" for t in told for lie in lies(t))]


def _name(told: Told) -> str:
    return str(told.resource["metadata"]["name"])


def _leftovers(groups: Mapping[str, Collection[MachineView]], living: Collection[str], scene: Scene) -> Iterator[str]:
    for uid, machines in groups.items():
        for machine in machines if uid not in living else ():
            if uid not in scene.let_go:
                yield f"machine {machine.name} ({machine.status}) is left behind, and nobody said Retain"
            elif machine.id not in scene.retained:
                yield f"machine {machine.name} ({machine.status}) was let go, and the list of retained ones lacks it"


def lies(t: Told) -> Iterator[str]:
    """Where one object does not say what is true, or is not yet where it may rest."""
    if len(t.machines) > 1:
        yield f"{len(t.machines)} machines are there: {[m.name for m in t.machines]}"
    if t.resource["metadata"].get("deletionTimestamp") and t.reason != "Paused":
        yield f"is still being deleted ({t.reason})"
        return
    if t.status.get("observedGeneration") != t.generation or t.condition("Ready")["observedGeneration"] != t.generation:
        yield f"status is about generation {t.status.get('observedGeneration')}, and it is {t.generation}"
        return
    truth = TRUTHS.get(t.reason)
    if truth is None:
        yield f"{t.reason} is no rest: {t.condition('Ready').get('message', '')}"
        return
    yield from truth(t)
    yield from _conditions(t)


def _conditions(t: Told) -> Iterator[str]:
    """What follows from the reason for the conditions that people's tools wait for."""
    ready = {"Running": "True", "Stopped": "True", "Paused": "Unknown"}.get(t.reason, "False")
    at_work = not t.condition("Stalled") and ready == "False"
    expected = {
        "Ready": ready,
        "Running": {"Running": "True", "Paused": "Unknown"}.get(t.reason, "False"),
        "Launched": "True" if t.status.get("instanceId") else "False",
        "Stalled": "True" if t.reason in _FIXABLE_BY_PEOPLE else None,
        "Reconciling": "True" if at_work else None,
    }
    if t.reason != "Paused":
        expected["CredentialsValid"] = "True"
        expected["SpotReclaim"] = "True" if t.machine is not None and t.machine.spot_status in _TAKEN_BACK else None
    for kind, wanted in expected.items():
        if (said := t.condition(kind).get("status")) != wanted:
            yield f"{t.reason}, and condition {kind} is {said} instead of {wanted}"


def _has(t: Told, status: str) -> Iterator[str]:
    """There is a machine in this state, and status names it and nothing else."""
    m = t.machine
    if m is None:
        yield f"{t.reason}, and no machine is there"
        return
    if m.status != status:
        yield f"{t.reason}, and the machine is {m.status}"
    told = {key: t.status.get(key) for key in ("instanceId", "machineName", "productId", "regionId", "billingMode")}
    true = dict(zip(told, (m.id, m.name, m.product_id, m.cluster_id, _BILLING[m.billing_mode]), strict=True))
    if told != true:
        yield f"status says {told}, and true is {true}"
    if t.claim.get("machine") != m.name:
        yield f"the claim names {t.claim.get('machine')}, and the machine is {m.name}"
    if FINALIZER not in t.resource["metadata"].get("finalizers", ()):
        yield "a machine is there, and no finalizer guards it"


def _has_none(t: Told) -> Iterator[str]:
    if t.machine is not None:
        yield f"{t.reason}, and machine {t.machine.name} is there ({t.machine.status})"
    if t.status.get("instanceId"):
        yield f"{t.reason}, and status names {t.status['instanceId']}, which is not there"


def _wants(t: Told, power: str) -> Iterator[str]:
    if t.power != power:
        yield f"{t.reason}, and {power} is not what is wanted"
    if t.never and power == "Running" and t.reason != t.never:
        yield f"{t.reason}, and it can never be other than {t.never}"


def _none_or_exited(t: Told) -> Iterator[str]:
    yield from _wants(t, "Running")
    yield from _has_none(t) if t.machine is None else _has(t, "exited")


def _running(t: Told) -> Iterator[str]:
    yield from _wants(t, "Running")
    yield from _has(t, "running")
    if t.status.get("state") != "Running":
        yield f"state is {t.status.get('state')}, and it runs"
    ports = [each["port"] for each in t.resource["spec"].get("ports", ())]
    if ports and sorted(each["port"] for each in t.status.get("endpoints", ())) != sorted(ports):
        yield f"ports {ports} are wanted, and the endpoints are {t.status.get('endpoints')}"


def _stopped(t: Told) -> Iterator[str]:
    yield from _wants(t, "Stopped")
    yield from _has_none(t) if t.machine is None else _has(t, "exited")
    if t.status.get("state") != "Stopped":
        yield f"state is {t.status.get('state')}, and it is stopped"


def _reclaimed(t: Told) -> Iterator[str]:
    yield from _wants(t, "Running")
    yield from _has(t, "exited")
    if t.machine is not None and t.machine.spot_status != "terminated":
        yield f"SpotReclaimed, and Novita did not take it back (spot status {t.machine.spot_status!r})"


def _given_up(t: Told) -> Iterator[str]:
    yield from _none_or_exited(t)
    if t.spent() < MOST_RETRIES:
        yield f"gave up after {t.spent()} retries"


def _retrying(t: Told) -> Iterator[str]:
    """It may wait, but for no longer than the pause says."""
    yield from _none_or_exited(t)
    if t.spent() >= MOST_RETRIES:
        yield f"still retrying after {t.spent()} retries"
    elif t.scene.now > t.next_try() + timedelta(seconds=SLACK):
        yield f"should have been tried again at {t.next_try()}, and it is {t.scene.now}"


def _refused(t: Told) -> Iterator[str]:
    yield from _none_or_exited(t)
    if not t.scene.refusals:
        yield "Refused, and Novita never refused anything"


def _never(t: Told) -> Iterator[str]:
    yield from _has_none(t)
    if t.never != t.reason or t.power != "Running":
        yield f"{t.reason}, and Novita could have launched it"


def _paused(t: Told) -> Iterator[str]:
    """Nothing is done and nothing new is told; what status names may be outlived."""
    if t.resource["metadata"].get("annotations", {}).get("gpu.novita.ai/paused") != "true":
        yield "Paused, and nobody paused it"


TRUTHS: Mapping[str, Callable[[Told], Iterator[str]]] = {
    "Running": _running,
    "Stopped": _stopped,
    "SpotReclaimed": _reclaimed,
    "TooManyRetries": _given_up,
    "Retrying": _retrying,
    "Refused": _refused,
    "NoStock": _never,
    "TooExpensive": _never,
    "ProductNotFound": _never,
    "RegionNotFound": _never,
    "TemplateNotFound": _never,
    "Paused": _paused,
}
