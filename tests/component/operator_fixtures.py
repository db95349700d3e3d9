"""Fixtures of the tests of the whole operator: a simulator, a namespace, and operators that watch only that.

Whatever a test does, two things must hold at its end: no object ever had two machines, and no hand was laid on a
machine that is not ours.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane.plane import ControlPlane
from leaks import FED, check_cluster
from novita_simulator.client import Simulator
from novita_simulator.running import running
from stage import QUICK, Cluster, OperatorProcess, install_account

FOREIGN = {"notebook-of-a-colleague", "trainer-3f9a1c2b7d"}
SECRET = FED.feed("a value of an environment", "correct-horse-battery-staple")
"""A value of an environment; no log may ever show it."""
WRITES = {"create", "start", "stop", "restart", "delete"}

StartOperator = Callable[..., OperatorProcess]


@pytest.fixture
def novita() -> Iterator[Simulator]:
    """A pretend Novita with foreign machines in the account; its verdicts are read when the test is over."""
    with running(speed=1, durations=QUICK) as simulator:
        yield simulator
        ledger = simulator.ledger()
        assert max(ledger.max_alive.values()) <= 1, "an object had two machines at once"
        touched = {asked.name for asked in simulator.journal() if asked.operation in WRITES}
        assert not touched & FOREIGN, "a foreign machine was touched"


@pytest.fixture
def cluster(plane: ControlPlane, namespace: str, crd: None) -> Iterator[Cluster]:  # noqa: ARG001  it must be served
    """A namespace for the resources; at the end nothing in it waits for an operator that is no more."""
    cluster = Cluster(plane, namespace)
    yield cluster
    for name in cluster.names():
        cluster.patch(name, {"metadata": {"finalizers": None}})


@pytest.fixture
def home(plane: ControlPlane, namespace: str) -> Iterator[str]:
    """The operator's own namespace, which outlives that of the resources."""
    name = f"{namespace}-home"
    plane.kubectl("create", "namespace", name)
    yield name
    check_cluster(plane.kubeconfig)
    plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def start_operator(
    plane: ControlPlane, cluster: Cluster, novita: Simulator, home: str, tmp_path: Path
) -> Iterator[StartOperator]:
    """Starts operators under the rights of the table and no others; those still alive at the end are killed."""
    kubeconfig = install_account(plane, home)
    started: list[OperatorProcess] = []
    numbers = itertools.count(1)

    def start(*arguments: str, **settings: str) -> OperatorProcess:
        own = {"NOVITA_OPERATOR_NAMESPACE": home, **settings}
        log = tmp_path / f"operator-{next(numbers)}.log"
        arguments = ("--namespace", cluster.namespace, *arguments)
        process = OperatorProcess(log, kubeconfig, novita.url, own, *arguments, is_warm=True)
        started.append(process)
        return process.wait_ready()

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def running_operator(start_operator: StartOperator) -> OperatorProcess:
    """One operator."""
    return start_operator()
