"""The examples for Argo CD and Flux: they name what there is, and guard the machines."""

import functools
import operator
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from controlplane.plane import ControlPlane
from gitops import argo
from gitops.argo import Manifest
from gitops.scenes import CUSTOMIZATIONS, ROOT, SCRIPTS, TESTDATA
from novita_operator.model.crd import crd
from novita_operator.model.resource import GROUP
from stage import Cluster

ARGOCD = ROOT / "manifests" / "argocd"
FLUX = ROOT / "manifests" / "flux"
APPS = ARGOCD / "apps"
FOR_ARGOCD = sorted([*ARGOCD.glob("*.yaml"), *APPS.glob("*.yaml")])
ARGO_CRDS = Path(__file__).with_name("argo_crds.yaml")
IN_GIT = sorted((ROOT / "manifests" / "gitops").rglob("*.yaml"))


def load(path: Path) -> Manifest:
    found: Manifest = yaml.safe_load(path.read_text())
    return found


def settings() -> dict[str, str]:
    found: dict[str, str] = load(ARGOCD / "argocd-cm.yaml")["data"]
    return found


def sources() -> list[str]:
    """The folders of this repository that Applications and Kustomizations take their manifests from."""
    found = [load(path) for path in [*FOR_ARGOCD, *FLUX.glob("*.yaml")]]
    specs = [each["spec"] for each in found if each["kind"] in {"Application", "Kustomization"}]
    return sorted({path for spec in specs if (path := {**spec, **spec.get("source", {})}.get("path"))})


@pytest.mark.parametrize("source", sources())
def test_every_source_is_a_folder_of_manifests(source: str):
    assert list((ROOT / source).glob("*.yaml"))


def test_each_pattern_of_the_application_set_finds_folders_of_manifests():
    [generator] = load(ARGOCD / "applicationset.yaml")["spec"]["generators"]
    for directory in generator["git"]["directories"]:
        assert list(ROOT.glob(f"{directory['path']}/*.yaml"))


def test_whatever_flux_is_referred_to_is_there():
    found = [load(path) for path in FLUX.rglob("*.yaml")]
    there = {(each["kind"], each["metadata"]["name"]) for each in found}
    for each in found:
        sources = [each["spec"][name] for name in ("sourceRef", "chartRef") if name in each["spec"]]
        waited_for = [{"kind": each["kind"], **other} for other in each["spec"].get("dependsOn", ())]
        assert {(other["kind"], other["name"]) for other in [*sources, *waited_for]} <= there


def test_the_policy_gives_rights_to_buttons_and_applications_that_there_are():
    [(name, policy)] = load(ARGOCD / "argocd-rbac-cm.yaml")["data"].items()
    lines = [line.split(", ") for line in policy.splitlines()]
    instances = load(APPS / "instances.yaml")
    application = f"{instances['spec']['project']}/{instances['metadata']['name']}"
    actions = {f"action/{GROUP}/GpuInstance/{button['name']}" for button in argo.buttons(SCRIPTS / "actions", {})}
    roles = set()
    for _, role, resource, action, objects, effect in [line for line in lines if line[0] == "p"]:
        assert (resource, effect) == ("applications", "allow")
        assert any(fnmatch(right, action) for right in {"get", *actions})
        assert fnmatch(application, objects)
        roles.add(role)
    assert {role for _, _, role in [line for line in lines if line[0] == "g"]} == roles
    assert fnmatch(name, "policy.*.csv")


def test_crds_come_first_and_instances_last():
    waves = {
        path.stem: int(load(path)["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]) for path in APPS.iterdir()
    }
    assert sorted(waves, key=waves.__getitem__) == ["crds", "operator", "instances"]


def test_the_crd_goes_with_no_application():
    crds = load(APPS / "crds.yaml")
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


def ignored() -> list[list[str]]:
    """The path of each update that Argo CD ignores."""
    found = yaml.safe_load(settings()["resource.customizations.ignoreResourceUpdates.gpu.novita.ai_GpuInstance"])
    return [[part.replace("~1", "/") for part in pointer.split("/")[1:]] for pointer in found["jsonPointers"]]


def test_the_updates_that_argo_cd_ignores_are_none_that_health_reads():
    for path in TESTDATA.iterdir():
        before = argo.health(SCRIPTS / "health.lua", load(path))
        after = load(path)
        for *parents, last in ignored():
            found = after
            for parent in parents:
                found = found.get(parent, {})
            found.pop(last, None)
        assert argo.health(SCRIPTS / "health.lua", after) == before


@pytest.mark.parametrize("path", ignored(), ids="/".join)
def test_an_update_that_is_ignored_is_of_a_field_that_there_is(path: list[str]):
    found = load(TESTDATA / "healthy-running.yaml")
    if path[0] != "metadata":
        [version] = crd()["spec"]["versions"]
        found = version["schema"]["openAPIV3Schema"]
        path = [part for name in path for part in ("properties", name)]
    assert functools.reduce(operator.getitem, path, found)


@pytest.fixture(scope="module")
def argocd(plane: ControlPlane) -> ControlPlane:
    """A cluster that knows the kinds of Argo CD."""
    plane.kubectl("create", "namespace", "argocd", check=False)
    plane.kubectl("apply", "--server-side", "-f", str(ARGO_CRDS))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ARGO_CRDS))
    return plane


def dry_run(plane: ControlPlane, text: str) -> subprocess.CompletedProcess[str]:
    options = ("--server-side", "--dry-run=server", "--validate=strict")
    return plane.kubectl("apply", *options, "-f", "-", input=text, check=False)


@pytest.mark.server
@pytest.mark.parametrize("path", FOR_ARGOCD, ids=lambda path: path.stem)
def test_argo_cd_knows_every_field_of_its_manifests(argocd: ControlPlane, path: Path):
    done = dry_run(argocd, path.read_text())
    assert done.returncode == 0, done.stderr


@pytest.mark.server
@pytest.mark.parametrize(("name", "field"), [("app-of-apps", "targetRevision"), ("applicationset", "directories")])
def test_a_field_that_argo_cd_does_not_have_is_found(argocd: ControlPlane, name: str, field: str):
    wrong = (ARGOCD / f"{name}.yaml").read_text().replace(field, f"{field}s")
    assert f"{field}s: field not declared in schema" in dry_run(argocd, wrong).stderr


@pytest.mark.server
def test_the_settings_are_added_to_those_that_are_there(argocd: ControlPlane):
    plane = argocd
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
