"""The operator as the chart installs it, in the whole cluster, with what its pod gives it; what Helm makes of it."""

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from chart.helm import RELEASE, Helm, Object, Release
from controlplane.plane import ControlPlane
from leaks import FED, check_cluster
from novita_simulator.client import Simulator
from pods import Pod
from stage import BRISK, KEY, Cluster, OperatorProcess, eventually

pytestmark = [pytest.mark.server, pytest.mark.tools]

ONE_INSTANCE = Path(__file__).parent / "one_instance"


class Installed(NamedTuple):
    """A release, its pod, and the operator that runs in it."""

    release: Release
    pod: Pod
    operator: OperatorProcess


@pytest.fixture(scope="module")
def installed(
    plane: ControlPlane, helm4: Helm, novita: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    plane.kubectl("create", "namespace", "operators")
    release = Release(helm4, plane, "operators")
    release.give_key(KEY)
    release.install({"settings": {**BRISK, "NOVITA_API_BASE_URL": novita.url}})
    pod = Pod(plane, release.namespace, release.get("deployment"), tmp_path_factory.mktemp("pod"))
    operator = pod.start()
    try:
        yield Installed(release, pod, operator.wait_ready())
    finally:
        operator.kill()
    check_cluster(plane.kubeconfig)


@pytest.fixture
def cluster(plane: ControlPlane, namespace: str) -> Iterator[Cluster]:
    """A namespace for resources; none is left in it."""
    cluster = Cluster(plane, namespace)
    yield cluster
    cluster.kubectl("delete", "gpui", "--all", "--ignore-not-found", "--timeout=30s")


def test_a_resource_of_any_namespace_lives_and_dies(installed: Installed, cluster: Cluster, novita: Simulator):
    cluster.apply("trainer")
    cluster.wait("trainer", "Running")
    name = cluster.status("trainer")["machineName"]
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("trainer", "Stopped")
    assert novita.machine(name).status == "exited"
    cluster.delete("trainer")
    assert name not in {machine.name for machine in novita.machines() if machine.status != "removed"}
    assert installed.operator.metric("novita_operator_leader") == 1
    assert "orbidden" not in installed.operator.lines


def test_the_probes_find_it_well(installed: Installed):
    assert installed.pod.probed(installed.operator) == {"/livez": 200, "/readyz": 200}


def test_a_new_key_in_the_secret_is_used_without_a_restart(installed: Installed, cluster: Cluster, novita: Simulator):
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    novita.revoke_key(KEY)
    cluster.wait_reason("trainer", "KeyRejected")
    fresh = FED.feed("the new API key", f"sk_{secrets.token_hex(16)}")
    novita.add_key(fresh, "main")
    installed.release.give_key(fresh)
    installed.pod.mount()
    cluster.wait("trainer", "Ready")
    assert installed.operator.process.poll() is None


@pytest.fixture
def install_one(installed: Installed, cluster: Cluster) -> Iterator[Callable[..., object]]:
    """Installs a user's chart that holds one GpuInstance, `trainer`."""
    where = f"--namespace={cluster.namespace}"
    yield lambda *arguments: installed.release.helm.run("install", "trainer", str(ONE_INSTANCE), where, *arguments)
    installed.release.helm.run("uninstall", "trainer", where)


def test_helm_waits_until_an_instance_in_a_chart_is_ready(install_one: Callable[..., object], cluster: Cluster):
    install_one("--wait", "--timeout=60s")
    assert cluster.condition("trainer")["status"] == "True"


def test_helm_fails_where_an_instance_in_a_chart_is_stalled(install_one: Callable[..., object], cluster: Cluster):
    with pytest.raises(subprocess.CalledProcessError) as failed:
        install_one("--wait", "--timeout=60s", "--set=productName=RTX 9090")
    assert "Failed" in failed.value.stderr
    assert cluster.condition("trainer", "Stalled")["status"] == "True"


@pytest.mark.parametrize(("answers", "code"), [(True, 0), (False, 1)])
def test_helm_test_tells_whether_the_operator_serves(installed: Installed, helm: Helm, answers: bool, code: int):  # noqa: FBT001
    release = Release(helm, installed.release.plane, installed.release.namespace)
    running = release.helm.start("test", RELEASE, f"--namespace={release.namespace}", "--timeout=60s")
    (container,) = eventually(lambda: waiting_pod(release), "the pod of the test")["spec"]["containers"]
    (python, *command), (*arguments, address) = container["command"], container["args"]
    assert (python, address) == ("python", f"http://{RELEASE}:8080")
    url = installed.operator.url if answers else "http://127.0.0.1:1"
    ended = subprocess.run([sys.executable, *command, *arguments, url], check=False, capture_output=True)
    phase = json.dumps({"status": {"phase": "Failed" if ended.returncode else "Succeeded"}})
    patch = ("patch", "pod", f"{RELEASE}-test", "--subresource=status", "--type=merge", "-p", phase)
    release.plane.kubectl("-n", release.namespace, *patch)
    said, _ = running.communicate(timeout=30)
    assert running.returncode == code, said


def waiting_pod(release: Release) -> Object:
    """The pod of `helm test` that nobody has run yet."""
    pods = json.loads(release.plane.kubectl("-n", release.namespace, "get", "pods", "-o", "json").stdout)["items"]
    return next((pod for pod in pods if pod["status"]["phase"] == "Pending"), {})
