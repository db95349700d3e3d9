"""Objects that the API server accepts and the operator cannot understand: each hurts only itself, and is told of."""

import json
from collections.abc import Callable

import httpx2
import pytest

from component.operator_fixtures import StartOperator
from novita_operator.model.claim import CLAIM_ANNOTATION
from novita_simulator.client import Simulator
from stage import Cluster, OperatorProcess, eventually

pytestmark = pytest.mark.server

YEAR_ZERO = "0000-01-01T00:00:00Z"
"""A time to Go, and none to Python."""


def unreadable(operator: OperatorProcess, cluster: Cluster, name: str) -> bool:
    labels = {"namespace": cluster.namespace, "gpuinstance": name}
    return operator.metric("novita_gpu_instance_unreadable", **labels) == 1


def told(cluster: Cluster, name: str) -> str:
    events = [event["note"] for event in cluster.events(name) if event["reason"] == "Unreadable"]
    return events[0] if events else ""


def spoil(cluster: Cluster, name: str, **status: str) -> None:
    cluster.patch(name, {"status": status}, "--subresource=status")


def running(novita: Simulator) -> set[str]:
    return {machine.name for machine in novita.machines() if machine.status == "running"}


def test_a_spec_that_only_the_api_server_understands_hurts_only_itself_and_is_served_when_it_is_mended(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    """A blank that is none to Go's patterns, and one to ours."""
    cluster.apply("poisoned", image="docker.io/acme/worker:1.9\N{NO-BREAK SPACE}")
    eventually(lambda: unreadable(running_operator, cluster, "poisoned"), "a metric says so")
    assert "spec.image" in eventually(lambda: told(cluster, "poisoned"), "an Event says so")
    assert f"{cluster.namespace}/poisoned cannot be understood: spec.image" in running_operator.lines
    cluster.apply("healthy")
    cluster.wait("healthy", "Ready")
    assert running_operator.get("/readyz").status_code == httpx2.codes.OK
    cluster.apply("poisoned")
    cluster.wait("poisoned", "Ready")
    assert not unreadable(running_operator, cluster, "poisoned")
    assert len(novita.journal("create")) == 2


def test_a_poisoned_status_leaves_its_machine_as_it_is_and_a_deletion_waits_until_it_is_mended(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    cluster.apply("poisoned")
    cluster.wait("poisoned", "Ready")
    machine = cluster.status("poisoned")["machineName"]
    spoil(cluster, "poisoned", startedTime=YEAR_ZERO)
    eventually(lambda: unreadable(running_operator, cluster, "poisoned"), "it is set aside")
    cluster.kubectl("delete", "gpui", "poisoned", "--wait=false")
    cluster.apply("healthy")
    cluster.wait("healthy", "Ready")
    polls = len(novita.journal("list"))
    eventually(lambda: len(novita.journal("list")) >= polls + 3, "three more lists, and sweeps")
    assert "not even a deletion" in eventually(lambda: told(cluster, "poisoned"), "an Event says so")
    assert machine in running(novita)
    assert running_operator.metric("novita_operator_orphans") == 0
    assert running_operator.lines.count("cannot be understood") == 1, "it is said once"
    spoil(cluster, "poisoned", startedTime="2026-11-21T12:00:00Z")
    cluster.kubectl("wait", "gpui/poisoned", "--for=delete", "--timeout=30s")
    assert machine not in running(novita)
    assert {asked.name for asked in novita.journal("delete")} == {machine}


def test_a_status_price_that_is_none_ends_no_scrape(cluster: Cluster, running_operator: OperatorProcess) -> None:
    for name in ("poisoned", "healthy"):
        cluster.apply(name)
    for name in ("poisoned", "healthy"):
        cluster.wait(name, "Ready")
    claim = json.loads(annotation(cluster, "poisoned"))
    del claim["bargain"]  # it would give the price back
    cluster.patch("poisoned", {"metadata": {"annotations": {CLAIM_ANNOTATION: json.dumps(claim)}}})
    spoil(cluster, "poisoned", hourlyPrice="much")

    def price(name: str) -> float:
        labels = {"namespace": cluster.namespace, "gpuinstance": name}
        return running_operator.metric("novita_gpu_instance_hourly_price_dollars", **labels)

    eventually(lambda: price("poisoned") == 0, "it has no price")
    assert price("healthy") == 0.18


CLAIMS: dict[str, Callable[[dict[str, object]], str]] = {
    "no JSON": lambda _: "{",
    "of a foreign machine": lambda claim: json.dumps({**claim, "machine": "notebook-of-a-colleague"}),
    "without a time zone": lambda claim: json.dumps({**claim, "at": "2026-11-21T12:00:00"}),
    "of a launch beyond all numbers": lambda claim: json.dumps({**claim, "launch": 10**40}),
    "at a price that fits no status": lambda claim: json.dumps(
        {**claim, "bargain": {**claim["bargain"], "hourlyPrice": "9" * 99}}  # type: ignore[dict-item]
    ),
}


def test_a_claim_spoilt_by_hand_is_put_back_and_no_machine_is_lost_or_launched_for_it(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    """By the run that remembers it, and by one that does not."""
    first = start_operator()
    names = [f"worker-{number}" for number in range(len(CLAIMS))]
    for name in names:
        cluster.apply(name)
    for name in names:
        cluster.wait(name, "Ready")
    machines = {name: cluster.status(name)["instanceId"] for name in names}
    claims = {name: json.loads(annotation(cluster, name)) for name in names}
    for is_restarted in (False, True):
        if is_restarted:
            first.kill()
        for name, spoilt in zip(names, CLAIMS.values(), strict=True):
            cluster.patch(name, {"metadata": {"annotations": {CLAIM_ANNOTATION: spoilt(claims[name])}}})
        if is_restarted:
            start_operator()
        for name in names:
            wait_claim(cluster, name, claims[name]["machine"])
    assert {name: cluster.status(name)["instanceId"] for name in names} == machines
    assert len(novita.journal("create")) == len(names)
    assert novita.journal("delete") == []
    assert novita.journal("stop") == []


def wait_claim(cluster: Cluster, name: str, machine: str) -> None:
    eventually(lambda: names_of(cluster, name) == machine, f"{name}: its claim is back")


def annotation(cluster: Cluster, name: str) -> str:
    text: str = cluster.get(name)["metadata"]["annotations"][CLAIM_ANNOTATION]
    return text


def names_of(cluster: Cluster, name: str) -> str:
    """The machine that the claim names, once it can be read again."""
    try:
        claim = json.loads(annotation(cluster, name))
    except ValueError:
        return ""
    return str(claim["machine"]) if claim["launch"] < 2**31 and claim["at"].endswith("Z") else ""
