"""Who decides about power: what Git says, or what a button changed on the living object."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from gitops import argo
from gitops.scenes import ROOT, SCRIPTS
from novita_simulator.client import Simulator
from stage import Cluster

pytestmark = pytest.mark.server

_MANAGER = "--field-manager=argocd-controller"
SYNCS = {"server-side": ("--server-side", "--force-conflicts", _MANAGER), "client-side": (_MANAGER,)}
"""How Argo CD applies: with ServerSideApply=true, and without."""

Sync = Callable[..., None]


@pytest.fixture(params=SYNCS)
def sync(request: pytest.FixtureRequest, cluster: Cluster) -> Sync:
    """Applies what is in Git, the spec with these changes; then nothing may differ any more."""
    how = SYNCS[request.param]

    def apply(**spec: Any) -> None:  # Any: JSON
        manifest = in_git(**spec)
        cluster.kubectl("apply", *how, "-f", "-", input=manifest)
        cluster.kubectl("diff", *how, "-f", "-", input=manifest)

    return apply


def in_git(**spec: Any) -> str:
    found = yaml.safe_load((ROOT / "manifests" / "gitops" / "team-a" / "trainer.yaml").read_text())
    return json.dumps({**found, "spec": {**found["spec"], **spec}})


def press(cluster: Cluster, button: str) -> None:
    """As argocd-server does it: the action's script, and what it changed as a merge patch."""
    live = json.loads(cluster.kubectl("get", "gpui", "trainer", "-o", "json", "--show-managed-fields"))
    patch = argo.merge_patch(live, argo.press(SCRIPTS / "actions", button, live))
    cluster.patch("trainer", patch, "--field-manager=argocd-server")


def power(cluster: Cluster) -> str:
    found: str = cluster.get("trainer")["spec"]["powerState"]
    return found


@pytest.mark.usefixtures("running_operator")
def test_a_stop_by_button_survives_the_next_sync(cluster: Cluster, novita: Simulator, sync: Sync):
    sync()
    cluster.wait("trainer", "Ready")
    press(cluster, "stop")
    cluster.wait_reason("trainer", "Stopped")
    sync()
    sync(deletionPolicy="Delete")
    assert power(cluster) == "Stopped"
    cluster.wait("trainer", "Ready")
    machine = novita.machine(cluster.status("trainer")["machineName"])
    assert (machine.status, novita.journal("start")) == ("exited", [])
    press(cluster, "start")
    cluster.wait("trainer", "Running")
    assert len(novita.journal("create")) == 1


def test_power_that_is_in_git_undoes_the_button_at_the_next_sync(cluster: Cluster, sync: Sync):
    sync(powerState="Running")
    press(cluster, "stop")
    assert power(cluster) == "Stopped"
    sync(powerState="Running")
    assert power(cluster) == "Running"


def test_power_that_is_in_git_is_left_alone_where_differences_are_ignored_and_respected(cluster: Cluster, sync: Sync):
    sync(powerState="Stopped")
    press(cluster, "start")
    given = argo.respecting(json.loads(in_git(powerState="Stopped")), cluster.get("trainer"), "/spec/powerState")
    sync(**given["spec"])
    assert power(cluster) == "Running"


def test_power_that_is_taken_out_of_git_starts_the_machine(cluster: Cluster, sync: Sync):
    sync(powerState="Stopped")
    sync()
    assert power(cluster) == "Running"


def test_a_pause_by_button_survives_the_next_sync_until_it_is_resumed(cluster: Cluster, sync: Sync):
    sync()
    press(cluster, "pause")
    sync()
    assert cluster.get("trainer")["metadata"]["annotations"]["gpu.novita.ai/paused"] == "true"
    press(cluster, "resume")
    assert "gpu.novita.ai/paused" not in cluster.get("trainer")["metadata"]["annotations"]


def test_a_sync_that_replaces_undoes_the_button(cluster: Cluster, sync: Sync):
    sync()
    press(cluster, "stop")
    cluster.kubectl("replace", "-f", "-", input=in_git())
    assert power(cluster) == "Running"
