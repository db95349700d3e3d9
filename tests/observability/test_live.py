"""A real Prometheus scrapes two replicas through a life with faults: every expression is understood and has data."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest

from component.operator_fixtures import StartOperator
from novita_simulator.client import Simulator
from observability.expressions import documented, expressions
from observability.monitor import NAMESPACE, Prometheus, prometheus
from stage import Cluster, OperatorProcess, eventually

pytestmark = [pytest.mark.server, pytest.mark.tools]

MAY_BE_EMPTY: Mapping[str, str] = MappingProxyType(
    {
        "Alerts": "only while an alert fires",
        "Left alone": "only while a resource cannot be understood",
        "Events that were never posted": "only after the API server took none for long",
        "Writes that did not go well": "only after Kubernetes refused a write",
    }
)


@pytest.fixture
def replicas(start_operator: StartOperator) -> list[OperatorProcess]:
    settings = {"INSTANCE_STARTUP_TIMEOUT": "8s"}
    first = start_operator("--leader-elect", **settings)
    eventually(lambda: first.metric("novita_operator_leader") == 1, "the first leads")
    return [first, start_operator("--leader-elect", **settings)]


@pytest.fixture
def monitor(replicas: list[OperatorProcess], tmp_path: Path) -> Iterator[Prometheus]:
    with prometheus(tmp_path, *(urlsplit(replica.url).netloc for replica in replicas)) as running:
        yield running


def test_every_expression_of_every_board_has_data_while_an_operator_lives(
    cluster: Cluster, novita: Simulator, monitor: Prometheus
) -> None:
    live(cluster, novita)
    waiting = [each for each in expressions() if each.where not in MAY_BE_EMPTY]

    def all_have_data() -> bool:
        waiting[:] = [each for each in waiting if not monitor.has_data(each.promql)]
        return not waiting

    try:
        eventually(all_have_data, "every panel has data")
    except AssertionError:
        pytest.fail("no data:\n" + "\n".join(map(str, waiting)))
    for promql in [each.promql for each in expressions()] + documented():
        monitor.query(promql)
    tell_the_truth(cluster, monitor)


def live(cluster: Cluster, novita: Simulator) -> None:
    """Two machines run, one cannot be had, one is asked for in vain; Novita fails and throttles on the way."""
    novita.fault("status_before", "products", times=3)
    cluster.apply("trainer")
    cluster.apply("second")
    cluster.apply("scarce", productName="H100 SXM 80GB")
    cluster.apply("wrong", productName="no such thing")
    cluster.wait("trainer", "Ready")
    cluster.wait("second", "Ready")
    novita.fault("lost_after", "list", times=1)
    novita.fault("status_before", "list", times=2, status=429, reason="TOO_MANY_REQUESTS", retry_after=1)
    cluster.wait_reason("wrong", "ProductNotFound", "Stalled")
    cluster.patch("second", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("second", "Stopped")


def tell_the_truth(cluster: Cluster, monitor: Prometheus) -> None:
    """Two replicas count each resource once, under its own namespace; what is stopped costs nothing."""
    promql = {(each.board, each.where): each.promql for each in expressions()}

    def values(board: str, *titles: str) -> list[float]:
        return [sample.value for title in titles for sample in monitor.query(promql[board, title])]

    def namespaces(board: str) -> list[str]:
        return [sample.labels["namespace"] for sample in monitor.query(promql[board, "$namespace"])]

    wanted = [4, 0.5, 2, 1, 0.18]
    titles = ("Resources", "As wanted", "Late", "Stalled", "Cost per hour")
    eventually(lambda: values("fleet", *titles) == wanted, f"{titles} are {wanted}")
    assert values("operator", "Replicas", "Acting") == [2, 1]
    assert (namespaces("fleet"), namespaces("operator")) == ([cluster.namespace], [NAMESPACE])
    assert [rule["lastError"] for rule in monitor.rules() if rule["health"] != "ok"] == []


def test_what_may_be_empty_is_there() -> None:
    assert {*MAY_BE_EMPTY} <= {each.where for each in expressions()}
