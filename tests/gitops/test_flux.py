"""Flux, by its own libraries: what it takes for healthy, and what of a change by hand it leaves."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from controlplane.plane import ControlPlane
from gitops.argo import Manifest
from gitops.scenes import ROOT, TESTDATA
from stage import Cluster

pytestmark = [pytest.mark.server, pytest.mark.tools]

MANIFESTS = ROOT / "manifests" / "flux"
TRAINER = ROOT / "manifests" / "gitops" / "team-a" / "trainer.yaml"
POLICY = "kustomize.toolkit.fluxcd.io/ssa"
STATES = {path.stem: path.read_text() for path in sorted(TESTDATA.iterdir())}
BY_WORD = {"healthy": "Current", "suspended": "Current", "degraded": "Failed", "progressing": "InProgress"}
BY_KSTATUS = {name: BY_WORD[name.split("-")[0]] for name in STATES} | {
    "progressing-deleting": "Terminating",
    "suspended-paused": "InProgress",
}
BY_EXPRESSION = {name: BY_WORD[name.split("-")[0]] for name in STATES}

Apply = Callable[[Manifest], str]


def run(
    flux: Path, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [str(flux), *arguments]
    return subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, check=False)


def judged(flux: Path, *arguments: str) -> dict[str, str]:
    answer = run(flux, "status", *arguments, stdin="\n---\n".join(STATES.values()))
    assert answer.returncode == 0, answer.stderr
    return dict(zip(STATES, answer.stdout.split(), strict=True))


@pytest.fixture
def reconcile(plane: ControlPlane, cluster: Cluster, flux: Path) -> Apply:
    """Applies as kustomize-controller does; tells what it did."""

    def apply(manifest: Manifest) -> str:
        placed = {**manifest, "metadata": {**manifest["metadata"], "namespace": cluster.namespace}}
        answer = run(flux, "apply", stdin=json.dumps(placed), environment=plane.environment)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()

    return apply


def trainer(policy: str) -> Manifest:
    found: Manifest = yaml.safe_load(TRAINER.read_text())
    found["metadata"]["annotations"][POLICY] = policy
    return found


def test_kstatus_tells_the_truth_of_every_state(flux: Path):
    assert judged(flux) == BY_KSTATUS


def test_by_the_expressions_a_paused_instance_holds_nothing_up(flux: Path):
    assert judged(flux, str(MANIFESTS / "instances.yaml")) == BY_EXPRESSION


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_flux_knows_every_field_of_its_manifests(flux: Path, path: Path):
    answer = run(flux, "decode", str(path))
    assert answer.returncode == 0, answer.stderr


def test_a_field_that_flux_does_not_have_is_found(flux: Path, tmp_path: Path):
    (tmp_path / "wrong.yaml").write_text((MANIFESTS / "instances.yaml").read_text() + "  powerState: Running\n")
    assert "powerState" in run(flux, "decode", str(tmp_path / "wrong.yaml")).stderr


def test_the_manifest_for_git_says_merge(cluster: Cluster, reconcile: Apply):
    assert yaml.safe_load(TRAINER.read_text()) == trainer("Merge")
    assert reconcile(trainer("Merge")) == "created"
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    assert reconcile(trainer("Merge")) == "unchanged"
    assert cluster.get("trainer")["spec"]["powerState"] == "Stopped"


def test_without_merge_flux_undoes_a_stop_by_kubectl_and_the_machine_runs_again(cluster: Cluster, reconcile: Apply):
    reconcile(trainer("Override"))
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    assert reconcile(trainer("Override")) == "configured"
    assert cluster.get("trainer")["spec"]["powerState"] == "Running"


@pytest.mark.usefixtures("running_operator")
def test_flux_leaves_what_the_operator_writes(cluster: Cluster, reconcile: Apply):
    reconcile(trainer("Override"))
    cluster.wait("trainer", "Ready")
    before = cluster.get("trainer")
    assert reconcile(trainer("Override")) == "unchanged"
    assert cluster.get("trainer") == before
