"""What Novita refuses: a condition with a reason and a sentence, an Event, a retry at the pace that fits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from component.operator_fixtures import StartOperator
from novita_simulator.client import Simulator
from stage import KEY, PATIENCE, Cluster, OperatorProcess, eventually

pytestmark = pytest.mark.server


def no_stock(novita: Simulator) -> Callable[[], None]:
    novita.set_stock(0)
    return lambda: novita.set_stock(8)


def no_money(novita: Simulator) -> Callable[[], None]:
    novita.fault("status_before", "create", status=400, reason="BALANCE_NOT_ENOUGH", times=None)
    return novita.clear


def quota(novita: Simulator) -> Callable[[], None]:
    novita.fault("status_before", "create", status=400, reason="CREATE_INSTANCE_LIMIT", times=None)
    return novita.clear


def out_of_stock_on_create(novita: Simulator) -> Callable[[], None]:
    novita.fault("status_before", "create", status=400, reason="INSUFFICIENT_RESOURCE", times=None)
    return novita.clear


def too_dear(novita: Simulator) -> Callable[[], None]:
    return lambda: novita.set_price("4090.16c62g", spot_price=9000)


def deleted_template(novita: Simulator) -> None:
    novita.delete_template("901")


def nothing(_: Simulator) -> None:
    """The spec itself is the trouble."""


Trouble = Callable[[Simulator], Callable[[], None] | None]
"""Makes it, and gives back what mends it at Novita."""

CASES: dict[str, tuple[Trouble, dict[str, Any], str, str, bool]] = {  # the last: whether it stalls
    "no stock": (no_stock, {}, "NoStock", "No RTX 4090 24GB is free", False),
    "stock gone between look and create": (out_of_stock_on_create, {}, "NoStock", "No RTX 4090 24GB is free", False),
    "too dear": (too_dear, {"billing": {"maxPricePerHour": "0.10"}}, "TooExpensive", "above billing.maxPrice", False),
    "no money": (no_money, {}, "NoMoney", "top it up", True),
    "quota": (quota, {}, "QuotaExceeded", "may not have more machines", False),
    "unknown product": (nothing, {"productName": "RTX 9090"}, "ProductNotFound", "check productName", True),
    "unknown region": (nothing, {"regions": ["XX-01"]}, "RegionNotFound", "Novita has no region XX-01", True),
    "deleted template": (deleted_template, {"templateId": "901"}, "TemplateNotFound", "no template 901", True),
    "unknown credential": (nothing, {"imageAuthId": "ra-9"}, "CredentialNotFound", "no registry credential", True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("running_operator")
def test_a_refusal_is_told_and_retried_and_hides_nobody_else(cluster: Cluster, novita: Simulator, case: str) -> None:
    make_trouble, spec, reason, sentence, stalls = CASES[case]
    cluster.apply("bystander")
    cluster.wait("bystander", "Ready")
    mend = make_trouble(novita)
    cluster.apply("trainer", **spec)
    told = cluster.wait_reason("trainer", reason)
    assert sentence in told["message"]
    eventually(lambda: [e for e in cluster.events("trainer") if e["reason"] == reason], "an Event says so")
    stalled = cluster.condition("trainer", "Stalled").get("status") == "True"
    assert stalled is stalls, "stalled means that somebody must do something"
    cluster.patch("bystander", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("bystander", "Stopped")
    if mend is not None:
        mend()
        cluster.wait("trainer", "Ready")
        assert cluster.condition("trainer", "Stalled") == {}


@pytest.mark.usefixtures("running_operator")
def test_placement_tells_what_was_looked_at_and_why_it_was_passed_over(cluster: Cluster, novita: Simulator) -> None:
    novita.set_stock(0)
    cluster.apply("trainer", billing={"spotFallback": "OnDemand"})
    cluster.wait_reason("trainer", "NoStock")
    looked_at = {(p["region"], p["billingMode"]): p["verdict"] for p in cluster.status("trainer")["placement"]}
    assert looked_at["US-CA-06", "Spot"] == "no stock"
    assert looked_at["CN-HK-01", "OnDemand"] == "no stock"
    novita.set_stock(8)
    cluster.wait("trainer", "Ready")
    assert "placement" not in cluster.status("trainer")


@pytest.mark.usefixtures("running_operator")
def test_a_region_without_stock_falls_back_to_the_next(cluster: Cluster, novita: Simulator) -> None:
    novita.set_stock(0, cluster_id="us-ca-6")
    cluster.apply("trainer", regions=["US-CA-06", "CN-HK-01"])
    cluster.wait("trainer", "Ready")
    assert cluster.status("trainer")["region"] == "CN-HK-01"


def test_a_wrong_key_is_told_by_every_resource_and_mends_itself(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    novita.revoke_key(KEY)
    told = cluster.wait_reason("trainer", "KeyRejected")
    assert told["status"] == "Unknown"
    cluster.wait("trainer", "CredentialsValid=false")
    assert running_operator.get("/readyz").json()["dependencies"]["novita"]["ok"] is False
    novita.add_key(KEY, "main")
    cluster.wait("trainer", "CredentialsValid")
    cluster.wait("trainer", "Ready")


def test_novita_away_is_told_and_nothing_is_done_meanwhile(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    novita.fault("status_before", "*", status=503, times=None)
    told = cluster.wait_reason("trainer", "NovitaUnreachable")
    assert told["status"] == "Unknown"
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    generation = cluster.get("trainer")["metadata"]["generation"]
    eventually(lambda: cluster.status("trainer")["observedGeneration"] == generation, "the wish was seen")
    assert novita.journal("stop") == []
    assert running_operator.get("/readyz").status_code == 200
    assert running_operator.get("/livez").status_code == 200
    novita.clear()
    cluster.wait_reason("trainer", "Stopped", seconds=2 * PATIENCE)  # an open breaker rests for 30 s


def test_a_machine_that_never_comes_up_is_deleted_and_another_is_launched(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    start_operator(INSTANCE_STARTUP_TIMEOUT="5s")
    novita.fate("pulling", "freeze")
    cluster.apply("trainer")
    first = eventually(lambda: cluster.status("trainer").get("instanceId"), "the first is launched")
    cluster.wait("trainer", "Ready")
    status = cluster.status("trainer")
    assert status["instanceId"] != first
    assert (status["launches"], status["retries"]["count"]) == (2, 1)
    assert [asked.machine_id for asked in novita.journal("delete")] == [first]


def test_a_delete_that_fails_is_told_and_repeated_until_the_machine_is_gone(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    novita.fault("status_before", "delete", status=503, times=3)
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    told = cluster.wait_reason("trainer", "NovitaUnreachable")
    assert "Delete failed" in told["message"]
    assert cluster.status("trainer")["state"] == "Deleting"
    cluster.kubectl("wait", "gpui/trainer", "--for=delete", "--timeout=30s")
    assert running_operator.metric("novita_operator_reconcile_errors_total", error="Unknown") == 3
    assert [m for m in novita.machines() if m.group and m.status == "running" and m.name.startswith("test-")] == []


def test_a_key_that_is_changed_in_its_file_is_used_without_a_restart(
    cluster: Cluster, start_operator: StartOperator, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("sk_of_yesterday")
    start_operator(NOVITA_API_KEY="", NOVITA_API_KEY_FILE=str(file))
    cluster.apply("trainer")
    cluster.wait_reason("trainer", "KeyRejected")
    file.write_text(KEY)
    cluster.wait("trainer", "Ready")


@pytest.mark.usefixtures("running_operator")
def test_a_reclaimed_spot_machine_is_reported_and_not_replaced(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    novita.reclaim(cluster.status("trainer")["instanceId"])
    cluster.wait_reason("trainer", "SpotReclaimed")
    cluster.wait("trainer", "SpotReclaim")
    assert cluster.status("trainer")["state"] == "Reclaimed"
    polls = len(novita.journal("list"))
    eventually(lambda: len(novita.journal("list")) >= polls + 2, "two more polls")
    assert len(novita.journal("create")) == 1
    assert novita.journal("start") == []


@pytest.mark.usefixtures("running_operator")
def test_a_vanished_machine_is_replaced_once_it_is_proved_gone(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    first = cluster.status("trainer")["instanceId"]
    novita.vanish(first)
    eventually(lambda: cluster.status("trainer").get("instanceId") not in (None, first), "another machine")
    cluster.wait("trainer", "Ready")
    assert cluster.status("trainer")["retries"]["count"] == 1
    assert novita.journal("get"), "the second reading asked for it alone"


@pytest.mark.usefixtures("running_operator")
def test_a_crashed_machine_is_started_again(cluster: Cluster, novita: Simulator) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    machine_id = cluster.status("trainer")["instanceId"]
    novita.crash(machine_id)
    eventually(lambda: novita.journal("start"), "a start")
    cluster.wait("trainer", "Ready")
    assert cluster.status("trainer")["instanceId"] == machine_id
