"""Every part of `manifests/` builds, and the API server would take what comes out."""

import functools
import json
import operator
import os
import re
import subprocess
import sys
from http.client import HTTPS_PORT
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from httpx2 import URL

from controlplane.plane import ControlPlane
from documents.pages import Page
from manifests.kustomize import COMPONENTS, LEAVES, MANIFESTS, build, name_of, objects, only, overlay
from manifests.schemas import conform, write_schemas
from novita_operator.cluster.rights import NAME, RIGHTS
from novita_operator.settings import Settings
from stage import KEY

pytestmark = [pytest.mark.server, pytest.mark.tools]

CLUSTER, NAMESPACE = MANIFESTS / "cluster-install", MANIFESTS / "namespace-install"
PRODUCTION = MANIFESTS / "overlays" / "production"
RENDERED = {CLUSTER: "install.yaml", NAMESPACE: "namespace-install.yaml"}
SAMPLES = sorted((MANIFESTS / "samples").glob("*.yaml"))
SELECTORS = [
    ("Deployment", "selector.matchLabels"),
    ("NetworkPolicy", "podSelector.matchLabels"),
    ("PodDisruptionBudget", "selector.matchLabels"),
    ("Service", "selector"),
    ("ServiceMonitor", "selector.matchLabels"),
]
NOVITA = URL(Settings().api_base_url).port or HTTPS_PORT
CHARTS_BOARDS = MANIFESTS.parent / "helm" / "novita-operator" / "files" / "dashboards"
SETTINGS = f"{NAME}-settings"
_REMOTE = re.compile(r"https://github\.com/novita-gpu-operator/novita-gpu-operator//(\S+)\?ref=v\S+")
leaves = pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
installs = pytest.mark.parametrize("install", RENDERED, ids=name_of)


@pytest.fixture(scope="module")
def schemas(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of every API version that any part speaks."""
    folder = tmp_path_factory.mktemp("schemas")
    spoken = {found["apiVersion"] for leaf in LEAVES for found in objects(build(plane, leaf))}
    write_schemas(plane, {*spoken, "gpu.novita.ai/v1alpha1"}, folder)
    return folder


def dry_run(plane: ControlPlane, text: str) -> subprocess.CompletedProcess[str]:
    """What the API server would say; the namespaces that are spoken of are there."""
    for name in {found["metadata"].get("namespace", "default") for found in objects(text)}:
        plane.kubectl("create", "namespace", name, check=False)
    options = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    return plane.kubectl("apply", *options, "-f", "-", input=text, check=False)


@leaves
def test_the_api_server_takes_a_part(plane: ControlPlane, leaf: Path):
    done = dry_run(plane, build(plane, leaf))
    assert (done.returncode, done.stderr) == (0, "")


@leaves
def test_a_part_conforms_to_the_schemas(plane: ControlPlane, schemas: Path, leaf: Path):
    assert conform(build(plane, leaf), schemas) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_conforms_to_the_schema(schemas: Path, sample: Path):
    assert conform(sample.read_text(), schemas) == []


@pytest.mark.parametrize("wrong", [{"replica": 2}, {"replicas": "two"}])
def test_a_wrong_field_does_not_conform(plane: ControlPlane, schemas: Path, wrong: dict[str, object]):
    deployment = only(build(plane, CLUSTER), "Deployment")
    deployment["spec"] |= wrong
    [complaint] = conform(yaml.safe_dump(deployment), schemas)
    assert "/spec" in complaint


@installs
@pytest.mark.parametrize("component", COMPONENTS, ids=name_of)
def test_a_component_goes_with_an_install(
    plane: ControlPlane, schemas: Path, tmp_path: Path, install: Path, component: Path
):
    text = build(plane, overlay(tmp_path, install, components=[component], namespace="elsewhere"))
    assert dry_run(plane, text).stderr == ""
    assert conform(text, schemas) == []


def test_the_overlay_that_is_shown_builds_from_this_tree(plane: ControlPlane, schemas: Path, tmp_path: Path):
    [shown] = [fence.code for fence in Page(MANIFESTS / "README.md").fences if fence.language == "yaml"]
    here = os.path.relpath(MANIFESTS.parent, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(_REMOTE.sub(rf"{here}/\1", shown))
    text = build(plane, tmp_path)
    assert dry_run(plane, text).stderr == ""
    assert conform(text, schemas) == []
    [container] = only(text, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "@sha256:" in container["image"]
    assert "--leader-elect" in container["args"]


@installs
def test_what_is_rendered_is_what_kustomize_builds(plane: ControlPlane, install: Path):
    assert (MANIFESTS / RENDERED[install]).read_text() == build(plane, install), "run: make generate"


@leaves
def test_no_right_is_changed_on_the_way(plane: ControlPlane, leaf: Path):
    # Kustomize gives new names to what it takes for references, and a Role names objects.
    found = objects(build(plane, leaf))
    bound = {each["roleRef"]["name"] for each in found if NAME in [who["name"] for who in each.get("subjects", ())]}
    roles = [each for each in found if each["kind"] in {"Role", "ClusterRole"} and each["metadata"]["name"] in bound]
    table = [right.rule() for right in RIGHTS]
    assert [rule for role in roles for rule in role["rules"] if rule not in table] == []


@pytest.mark.parametrize(("kind", "path"), SELECTORS)
def test_what_selects_finds_the_operator(plane: ControlPlane, kind: str, path: str):
    text = build(plane, PRODUCTION)
    selector = functools.reduce(operator.getitem, path.split("."), only(text, kind)["spec"])
    selected = only(text, "Service") if kind == "ServiceMonitor" else only(text, "Deployment")["spec"]["template"]
    assert selector
    assert selector.items() <= selected["metadata"]["labels"].items()


def test_two_operators_are_spread_and_grafana_finds_the_charts_boards(plane: ControlPlane):
    text = build(plane, PRODUCTION)
    deployment = only(text, "Deployment")["spec"]
    [spread] = deployment["template"]["spec"]["topologySpreadConstraints"]
    labels = deployment["template"]["metadata"]["labels"]
    assert (deployment["replicas"], spread["topologyKey"]) == (2, "kubernetes.io/hostname")
    assert spread["labelSelector"]["matchLabels"].items() <= labels.items()
    boards = [each["data"] for each in objects(text) if "grafana_dashboard" in each["metadata"].get("labels", {})]
    shipped = {f"{NAME}-{path.name}": json.loads(path.read_text()) for path in CHARTS_BOARDS.iterdir()}
    assert {name: json.loads(board) for each in boards for name, board in each.items()} == shipped
    assert len(boards) == len(shipped) == 3


def test_the_policy_lets_prometheus_in_and_the_operator_out(plane: ControlPlane):
    text = build(plane, PRODUCTION)
    [container] = only(text, "Deployment")["spec"]["template"]["spec"]["containers"]
    policy = only(text, "NetworkPolicy")["spec"]
    [entrance] = [port["port"] for rule in policy["ingress"] for port in rule["ports"]]
    assert entrance in {port["name"] for port in container["ports"]}
    assert NOVITA in {port["port"] for rule in policy["egress"] for port in rule["ports"]}


@installs
def test_an_install_moves_to_another_namespace_as_a_whole(plane: ControlPlane, tmp_path: Path, install: Path):
    found = objects(build(plane, overlay(tmp_path, install, namespace="gpus")))
    bound = [subject for each in found for subject in each.get("subjects", ())]
    assert {subject["namespace"] for subject in bound} == {"gpus"}
    assert {each["metadata"].get("namespace", "gpus") for each in found} == {"gpus"}


@installs
def test_the_pod_is_admitted_where_restricted_is_enforced(plane: ControlPlane, namespace: str, install: Path):
    plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    plane.kubectl("create", "serviceaccount", NAME, "-n", namespace)
    template = only(build(plane, install), "Deployment")["spec"]["template"]

    def refusal() -> str:
        pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "operator"}}
        create = ("create", "-n", namespace, "--dry-run=server", "-f", "-")
        return plane.kubectl(*create, input=json.dumps(pod), check=False).stderr

    assert refusal() == ""
    del template["spec"]["containers"][0]["securityContext"]["capabilities"]
    assert 'violates PodSecurity "restricted:latest": unrestricted capabilities' in refusal()


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf.parent.name == "overlays"], ids=name_of)
def test_the_operator_knows_the_arguments_and_settings_of(plane: ControlPlane, leaf: Path):
    text = build(plane, leaf)
    arguments = only(text, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
    subprocess.run([sys.executable, "-m", "novita_operator", *arguments, "--help"], capture_output=True, check=True)
    settings = [each["data"] for each in objects(text) if each["metadata"]["name"].startswith(SETTINGS)]
    assert Settings.load(functools.reduce(operator.or_, settings, {"NOVITA_API_KEY": KEY}))


@installs
def test_the_image_is_pinned_to_the_version(plane: ControlPlane, install: Path):
    [container] = only(build(plane, install), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"ghcr.io/novita-gpu-operator/novita-gpu-operator:{version('novita-gpu-operator')}"
