"""A real Prometheus scrapes two replicas through a life with faults: every expression is understood and has data."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest

from component.operator_fixtures import StartOperator
from novita_simulator.client import Simulator
from observability.expressions import BOARDS, documented, expressions
from observability.monitor import NAMESPACE, Prometheus, prometheus
from stage import Cluster, OperatorProcess, eventually

pytestmark = [pytest.mark.server, pytest.mark.tools]

MAY_BE_EMPTY: Mapping[str, str] = MappingProxyType(
    {
        "Alerts": "only while an alert fires",
        "Events that were never posted": "only after the API server took none for long",
        "Writes that did not go well": "only after Kubernetes refused a write",
    }
)
SELDOM = "8s"
"""So seldom is the first leader scraped: what it told last still stands when the second one leads."""


@pytest.fixture
def replicas(start_operator: StartOperator) -> list[OperatorProcess]:
    settings = {"INSTANCE_STARTUP_TIMEOUT": "8s"}
    first = start_operator("--leader-elect", **settings)
    eventually(lambda: first.metric("novita_operator_leader") == 1, "the first leads")
    return [first, start_operator("--leader-elect", **settings)]


@pytest.fixture
def monitor(replicas: list[OperatorProcess], tmp_path: Path) -> Iterator[Prometheus]:
    first, second = (urlsplit(replica.url).netloc for replica in replicas)
    with prometheus(tmp_path, {first: SELDOM, second: "500ms"}) as running:
        yield running


def test_every_expression_of_every_board_has_data_while_an_operator_lives(
    cluster: Cluster, novita: Simulator, replicas: list[OperatorProcess], monitor: Prometheus
) -> None:
    live(cluster, novita)
    chosen = {"fleet": cluster.namespace, "operator": NAMESPACE, "novita": NAMESPACE}
    waiting = [each for each in expressions(chosen) if each.where not in {"Resting", *MAY_BE_EMPTY}]

    def all_have_data() -> bool:
        waiting[:] = [each for each in waiting if not monitor.has_data(each.promql)]
        return not waiting

    try:
        eventually(all_have_data, "every panel has data")
    except AssertionError:
        pytest.fail("no data:\n" + "\n".join(map(str, waiting)))
    elsewhere = [each for each in expressions(dict.fromkeys(BOARDS, "elsewhere")) if "elsewhere" in each.promql]
    assert [each for each in elsewhere if monitor.has_data(each.promql)] == []
    for promql in documented():
        monitor.query(promql)
    tell_the_truth(cluster, monitor)
    change_the_leader(replicas[0], monitor)
    novita.fault("status_before", times=None)
    eventually(lambda: monitor.has_data(asked("novita", "Resting")), "calls rest in an outage")


def live(cluster: Cluster, novita: Simulator) -> None:
    """Two machines run, one cannot be had, two resources are wrong; Novita fails and throttles on the way."""
    novita.fault("status_before", "products", times=3)
    cluster.apply("trainer")
    cluster.apply("second")
    cluster.apply("scarce", productName="H100 SXM 80GB")
    cluster.apply("wrong", productName="no such thing")
    cluster.apply("poisoned", image="docker.io/acme/worker:1.9\N{NO-BREAK SPACE}")
    cluster.wait("trainer", "Ready")
    cluster.wait("second", "Ready")
    novita.fault("lost_after", "list", times=1)
    novita.fault("status_before", "list", times=2, status=429, reason="TOO_MANY_REQUESTS", retry_after=1)
    cluster.wait_reason("wrong", "ProductNotFound", "Stalled")
    cluster.patch("second", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("second", "Stopped")


def tell_the_truth(cluster: Cluster, monitor: Prometheus) -> None:
    """Two replicas count each resource once, under its own namespace; what is stopped costs nothing."""

    def values(board: str, *titles: str) -> list[float]:
        return [sample.value for title in titles for sample in monitor.query(asked(board, title))]

    def namespaces(board: str) -> list[str]:
        return [sample.labels["namespace"] for sample in monitor.query(asked(board, "$namespace"))]

    wanted = [4, 0.5, 2, 1, 0.18]
    titles = ("Resources", "As wanted", "Late", "Stalled", "Cost per hour")
    eventually(lambda: values("fleet", *titles) == wanted, f"{titles} are {wanted}")
    assert values("operator", "Replicas", "Acting") == [2, 1]
    assert values("operator", "Cannot be understood") == [1]
    assert (namespaces("fleet"), namespaces("operator")) == ([cluster.namespace], [NAMESPACE])
    assert [rule["lastError"] for rule in monitor.rules() if rule["health"] != "ok"] == []


def change_the_leader(leader: OperatorProcess, monitor: Prometheus) -> None:
    """While the old and the new one tell of the same, each expression has an answer, and nothing counts twice."""
    told, began = "count(novita_gpu_instance_info)", time.time()
    just_now = "time() - timestamp(novita_operator_leader) < 1 and novita_operator_leader == 1"
    eventually(lambda: monitor.query(just_now), "the leader was scraped just now")
    leader.stop()
    eventually(lambda: monitor.query(told)[0].value == 8, "both have told")
    eventually(lambda: monitor.query(told)[0].value == 4, "the old one is forgotten")
    highest = {each: monitor.highest(each.promql, began) for each in expressions()}
    wanted = {"Resources": 4, "Stalled": 1, "Cost per hour": 0.18}
    assert {each.where: value for each, value in highest.items() if each.where in wanted} == wanted


def asked(board: str, where: str) -> str:
    """The one expression there."""
    (promql,) = (each.promql for each in expressions() if (each.board, each.where) == (board, where))
    return promql


def test_what_may_be_empty_is_there() -> None:
    assert {*MAY_BE_EMPTY} <= {each.where for each in expressions()}
