"""The one place that says what each resting reason claims of the world; a reason that is not in `TRUTHS` is no rest."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from novita_operator.model.claim import FINALIZER
from proof.told import Told

MOST_RETRIES = 3
SLACK = 5.0
_BILLING = {"spot": "Spot", "onDemand": "OnDemand"}
_FIXABLE_BY_PEOPLE = frozenset(
    {"SpotReclaimed", "TooManyRetries", "Refused", "ProductNotFound", "RegionNotFound", "TemplateNotFound"}
)
_TAKEN_BACK = frozenset({"notified", "reclaiming", "terminated"})


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
