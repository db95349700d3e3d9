"""What `manifests/` installs works: the operator as its Deployment starts it, under the rights that come with it."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.plane import ControlPlane
from manifests.kustomize import MANIFESTS, only
from novita_operator.model.status import NEVER_OBSERVED
from novita_simulator.client import Simulator
from novita_simulator.machine import OWNER_ENV
from novita_simulator.running import running
from pods import Pod
from stage import BRISK, KEY, PATIENCE, QUICK, Cluster, OperatorProcess

pytestmark = pytest.mark.server

SHOWN: dict[str, dict[str, Any]] = {
    "batch": {"billingMode": "Spot", "hourlyPrice": "0.18"},
    "inference": {"region": "CN-HK-01"},
    "keeper": {"productName": "A100 SXM 80GB", "billingMode": "OnDemand"},
    "minimal": {"state": "Running", "billingMode": "Spot"},
    "notebook": {"state": "Running", "productName": "RTX 4090 24GB"},
    "standby": {"state": "Stopped", "instanceId": None},
    "training": {"productId": "4090.16c62g", "billingMode": "OnDemand", "hourlyPrice": "0.72"},
    "worker": {"state": "Running"},
}
"""What the status of each sample says in the end, at the pretend Novita."""


@pytest.fixture
def novita() -> Iterator[Simulator]:
    with running(speed=1, durations=QUICK) as simulator:
        yield simulator


@contextlib.contextmanager
def installed(
    plane: ControlPlane, novita: Simulator, namespace: str, rendered: str, folder: Path, **settings: str
) -> Iterator[OperatorProcess]:
    """As README has it: the rendered file, the key in a Secret, settings in a ConfigMap; the operator runs then."""
    install = (MANIFESTS / rendered).read_text()
    plane.kubectl("create", "namespace", namespace, check=False)
    inside = ("-n", namespace)
    plane.kubectl("create", "secret", "generic", "novita-api-key", *inside, f"--from-literal=key={KEY}")
    given = {**BRISK, "NOVITA_API_BASE_URL": novita.url, **settings}
    literals = [f"--from-literal={name}={value}" for name, value in given.items()]
    plane.kubectl("create", "configmap", "novita-operator-settings", *inside, *literals)
    plane.kubectl("apply", "--server-side", *inside, "-f", "-", input=install)
    pod = Pod(plane, namespace, only(install, "Deployment"), folder)
    operator = pod.start().wait_ready()
    try:
        assert pod.probed(operator) == {"/livez": 200, "/readyz": 200}
        yield operator
    finally:
        operator.stop()


def test_the_whole_cluster_is_served_and_each_sample_becomes_what_it_says(
    plane: ControlPlane, namespace: str, novita: Simulator, tmp_path: Path
):
    cluster = Cluster(plane, namespace)
    with installed(plane, novita, "novita-operator", "install.yaml", tmp_path):
        cluster.kubectl("apply", "-f", str(MANIFESTS / "samples"))
        cluster.kubectl("wait", "gpui", "--all", "--for=condition=Ready", f"--timeout={PATIENCE:.0f}s")
        statuses = {name: cluster.status(name) for name in cluster.names()}
        assert {name: {key: status.get(key) for key in SHOWN[name]} for name, status in statuses.items()} == SHOWN

        kept = novita.machine(statuses["keeper"]["machineName"])
        worker = novita.machine(statuses["worker"]["machineName"])
        assert worker.image == "docker.io/acme/worker:1.9", "the template's"
        assert worker.envs["MODE"] == "test", "the sample's"

        cluster.kubectl("delete", "gpui", "--all", f"--timeout={PATIENCE:.0f}s")
        retained = plane.kubectl("get", "configmap", "novita-operator-retained", "-n", "novita-operator", "-o", "json")
        assert list(json.loads(retained.stdout)["data"]) == [kept.id]
        assert novita.machine(kept.name).status == "running"


def test_one_namespace_is_served_with_roles_alone(
    plane: ControlPlane, namespace: str, novita: Simulator, tmp_path: Path
):
    ours, theirs = Cluster(plane, "team-a"), Cluster(plane, namespace)
    theirs.apply("of-others")
    with installed(
        plane, novita, "team-a", "namespace-install.yaml", tmp_path, NOVITA_OPERATOR_CLUSTER_ID="ours-alone"
    ) as operator:
        ours.kubectl("apply", "-f", str(MANIFESTS / "samples" / "minimal.yaml"))
        ours.wait("minimal", "Ready")
        assert novita.machine(ours.status("minimal")["machineName"]).envs[OWNER_ENV].startswith("ours-alone/team-a/")
        ours.delete("minimal")
        assert "forbidden" not in operator.lines
        deployment = only((MANIFESTS / "namespace-install.yaml").read_text(), "Deployment")
        checked = Pod(plane, "team-a", deployment, tmp_path).execute("check")
        assert checked.returncode == 0, checked.stdout.decode()
    assert theirs.status("of-others") == {"observedGeneration": NEVER_OBSERVED}


def test_a_namespace_install_does_not_start_before_its_cluster_id_is_given(plane: ControlPlane, tmp_path: Path):
    deployment = only((MANIFESTS / "namespace-install.yaml").read_text(), "Deployment")
    with pytest.raises(AssertionError, match="novita-operator-settings not found"):
        Pod(plane, "default", deployment, tmp_path).environment()
