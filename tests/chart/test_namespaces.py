"""With Roles only, in its own and one more namespace: what a kubelet would start there keeps its machine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chart.helm import Helm, Release
from controlplane.plane import ControlPlane
from leaks import check_cluster
from novita_simulator.client import Simulator
from pods import Pod
from stage import BRISK, KEY, Cluster, OperatorProcess

pytestmark = [pytest.mark.server, pytest.mark.tools]


@pytest.fixture
def start(release: Release, tmp_path: Path) -> Iterator[Callable[[str], OperatorProcess]]:
    """Starts operators as the release's pod; those still alive at the end are killed."""
    started: list[OperatorProcess] = []

    def run(log: str) -> OperatorProcess:
        pod = Pod(release.plane, release.namespace, release.get("deployment"), tmp_path)
        started.append(pod.start(log))
        return started[-1].wait_ready()

    yield run
    for operator in started:
        operator.kill()


@pytest.fixture
def release(helm3: Helm, plane: ControlPlane, namespace: str) -> Release:
    release = Release(helm3, plane, namespace)
    release.give_key(KEY)
    return release


def test_a_machine_runs_on_through_an_uninstall_and_a_new_install_finds_it(
    release: Release, start: Callable[[str], OperatorProcess], novita: Simulator
):
    team = f"{release.namespace}-team"
    release.plane.kubectl("create", "namespace", team)
    cluster = Cluster(release.plane, team)
    settings = {**BRISK, "NOVITA_API_BASE_URL": novita.url}
    watched = [release.namespace, team]
    values = {"scope": "Namespace", "watchNamespaces": watched, "clusterId": "staging", "settings": settings}
    release.install(values)
    first = start("first.log")
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    machine = cluster.status("trainer")["machineName"]
    assert "orbidden" not in first.lines
    release.run("uninstall")
    first.kill()
    assert novita.machine(machine).status == "running"
    release.install(values)
    second = start("second.log")
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("trainer", "Stopped")
    assert novita.machine(machine).status == "exited"
    cluster.delete("trainer")
    assert len(novita.journal("create")) == 1
    assert "orbidden" not in second.lines
    check_cluster(release.plane.kubeconfig)
