"""With Roles only, in its own and one more namespace: what a kubelet would start there keeps its machine."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chart.helm import Helm, Release, Values
from controlplane.plane import ControlPlane
from leaks import check_cluster
from novita_operator.model.crd import CRD_NAME
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
def values(novita: Simulator, release: Release, team: str) -> Values:
    settings = {**BRISK, "NOVITA_API_BASE_URL": novita.url}
    watched = [release.namespace, team]
    return {"scope": "Namespace", "watchNamespaces": watched, "clusterId": "staging", "settings": settings}


@pytest.fixture
def team(release: Release) -> str:
    """The other namespace."""
    name = f"{release.namespace}-team"
    release.plane.kubectl("create", "namespace", name)
    return name


@pytest.fixture
def release(helm3: Helm, plane: ControlPlane, namespace: str) -> Iterator[Release]:
    """The CRD goes with it: Helm would not let the next one have it."""
    release = Release(helm3, plane, namespace)
    release.give_key(KEY)
    yield release
    plane.kubectl("delete", "crd", CRD_NAME, "--timeout=30s")


def test_a_machine_runs_on_through_an_uninstall_and_a_new_install_finds_it(
    release: Release, values: Values, team: str, start: Callable[[str], OperatorProcess], novita: Simulator
):
    cluster = Cluster(release.plane, team)
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


def test_what_is_run_in_the_pod_knows_its_namespaces(release: Release, values: Values, team: str, tmp_path: Path):
    release.install(values)
    Cluster(release.plane, team).apply("trainer")
    pod = Pod(release.plane, release.namespace, release.get("deployment"), tmp_path)
    checked, orphans, bundle = (
        pod.execute(*line.split()) for line in ("check", "orphans", "support-bundle --output -")
    )
    assert (checked.returncode, orphans.returncode, bundle.returncode) == (0, 0, 0), checked.stdout + orphans.stderr
    assert b"ok       rights" in checked.stdout
    with tarfile.open(fileobj=io.BytesIO(bundle.stdout)) as tar:
        files = {Path(entry.name).name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    assert [each["metadata"]["name"] for each in json.loads(files["resources.json"])] == ["trainer"]
    assert f"NOVITA_OPERATOR_WATCH_NAMESPACES={release.namespace},{team}\n".encode() in files["settings.txt"]
