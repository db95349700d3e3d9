"""The examples for Argo CD and Flux: they name what there is, and guard the machines."""

from pathlib import Path

import pytest
import yaml

from controlplane.plane import ControlPlane
from gitops import argo
from gitops.argo import Manifest
from gitops.scenes import CUSTOMIZATIONS, ROOT, SCRIPTS, TESTDATA
from novita_operator.model.resource import GROUP
from stage import Cluster

ARGOCD = ROOT / "manifests" / "argocd"
FLUX = ROOT / "manifests" / "flux"
IN_GIT = sorted((ROOT / "manifests" / "gitops").rglob("*.yaml"))


def load(path: Path) -> Manifest:
    found: Manifest = yaml.safe_load(path.read_text())
    return found


def settings() -> dict[str, str]:
    found: dict[str, str] = load(ARGOCD / "argocd-cm.yaml")["data"]
    return found


def sources() -> list[str]:
    """The folders of this repository that Applications and Kustomizations take their manifests from."""
    found = [load(path) for path in [*ARGOCD.glob("*.yaml"), *ARGOCD.glob("apps/*.yaml"), *FLUX.glob("*.yaml")]]
    specs = [each["spec"] for each in found if each["kind"] in {"Application", "Kustomization"}]
    return sorted({path for spec in specs if (path := {**spec, **spec.get("source", {})}.get("path"))})


@pytest.mark.parametrize("source", sources())
def test_every_source_is_a_folder_of_manifests(source: str):
    assert list((ROOT / source).glob("*.yaml"))


def test_crds_come_first_and_instances_last():
    waves = {
        path.stem: int(load(path)["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for path in (ARGOCD / "apps").iterdir()
    }
    assert sorted(waves, key=waves.__getitem__) == ["crds", "operator", "instances"]


def test_the_crd_goes_with_no_application():
    crds = load(ARGOCD / "apps" / "crds.yaml")
    assert "finalizers" not in crds["metadata"]
    assert "prune" not in crds["spec"]["syncPolicy"]["automated"]


@pytest.mark.parametrize("path", IN_GIT, ids=lambda path: path.stem)
def test_what_is_in_git_is_deleted_by_people_only_and_says_nothing_of_power(path: Path):
    found = load(path)
    annotations = found["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/sync-options"] == "Prune=confirm,Delete=confirm"
    assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    assert not [name for name in annotations if name.startswith(GROUP)]
    assert "powerState" not in found.get("spec", {})


def test_the_settings_of_argo_cd_hold_the_scripts_that_are_tested():
    actions = yaml.safe_load(settings()["resource.customizations.actions.gpu.novita.ai_GpuInstance"])
    scripts = {each["name"]: each["action.lua"] for each in actions["definitions"]}
    assert actions["discovery.lua"] == (SCRIPTS / "actions" / "discovery.lua").read_text()
    assert scripts == {path.parent.name: path.read_text() for path in SCRIPTS.glob("actions/*/action.lua")}
    assert scripts.keys() == {button["name"] for button in argo.buttons(SCRIPTS / "actions", {})}
    for kind in CUSTOMIZATIONS.glob("*/*"):
        name = f"{kind.parent.name}_{kind.name}"
        assert settings()[f"resource.customizations.health.{name}"] == (kind / "health.lua").read_text()


def test_the_updates_that_argo_cd_ignores_are_none_that_health_reads():
    ignored = yaml.safe_load(settings()["resource.customizations.ignoreResourceUpdates.gpu.novita.ai_GpuInstance"])
    paths = [[part.replace("~1", "/") for part in pointer.split("/")[1:]] for pointer in ignored["jsonPointers"]]
    for path in TESTDATA.iterdir():
        before = argo.health(SCRIPTS / "health.lua", load(path))
        after = load(path)
        for *parents, last in paths:
            found = after
            for parent in parents:
                found = found.get(parent, {})
            found.pop(last, None)
        assert argo.health(SCRIPTS / "health.lua", after) == before


@pytest.mark.server
def test_the_settings_are_added_to_those_that_are_there(plane: ControlPlane):
    plane.kubectl("create", "namespace", "argocd")
    plane.kubectl("create", "configmap", "argocd-cm", "-n", "argocd", "--from-literal=url=https://argocd.example")
    plane.kubectl(
        "apply", "--server-side", "-f", str(ARGOCD / "argocd-cm.yaml"), "-f", str(ARGOCD / "argocd-rbac-cm.yaml")
    )
    found = yaml.safe_load(plane.kubectl("get", "configmap", "argocd-cm", "-n", "argocd", "-o", "yaml").stdout)["data"]
    assert found == {"url": "https://argocd.example", **settings()}


@pytest.mark.server
def test_the_api_server_takes_what_is_in_git(cluster: Cluster):
    for path in IN_GIT:
        cluster.plane.kubectl("apply", "--server-side", "--dry-run=server", "-n", cluster.namespace, "-f", str(path))
