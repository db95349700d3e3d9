"""The chart on a real API server: installed, upgraded, rolled back, uninstalled; its notes; may its pods run."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart.helm import CHART, CI, KNOWS_PROMETHEUS, RELEASE, ROOT, Helm, Object, Release, load, of_kind
from controlplane.plane import ControlPlane
from stage import eventually

pytestmark = [pytest.mark.server, pytest.mark.tools]

CRD = "gpuinstances.gpu.novita.ai"
MONITORING = ROOT / "tests" / "manifests" / "monitoring_crds.yaml"
RELEASED = sorted((ROOT / "helm" / "released").glob("v*.yaml"))
EVERYTHING = load(CHART / "ci" / "everything-values.yaml")
EXAMPLE = yaml.safe_load(load(CHART / "Chart.yaml")["annotations"]["artifacthub.io/crdsExamples"])[0]


@pytest.fixture(scope="module", autouse=True)
def _monitoring(plane: ControlPlane) -> None:
    plane.kubectl("apply", "--server-side", "-f", str(MONITORING))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(MONITORING))


@pytest.fixture
def release(helm: Helm, plane: ControlPlane, namespace: str) -> Iterator[Release]:
    """A release in a namespace that takes restricted pods only; in the end the cluster is as it was."""
    plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    release = Release(helm, plane, namespace)
    yield release
    release.run("uninstall", "--ignore-not-found")
    plane.kubectl("delete", "crd", CRD, "--ignore-not-found")


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def previous(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The chart with the values that a release of it had."""
    chart = shutil.copytree(CHART, tmp_path / "chart")
    shutil.copy(request.param, chart / "values.yaml")
    return chart


def test_installed_upgraded_rolled_back_and_uninstalled(release: Release, previous: Path):
    release.install({"commonLabels": {"team": "gpu"}}, previous)
    release.run("upgrade", str(CHART), "--reuse-values", "--set=replicaCount=3,crds.annotations.seen=yes")
    deployment = release.get("deployment")
    assert (deployment["spec"]["replicas"], deployment["metadata"]["labels"]["team"]) == (3, "gpu")
    assert release.get("crd", CRD)["metadata"]["annotations"]["seen"] == "yes"
    release.run("rollback", "1")
    assert release.get("deployment")["spec"]["replicas"] == 2
    assert "seen" not in release.get("crd", CRD)["metadata"]["annotations"]
    release.plane.kubectl("-n", release.namespace, "apply", "-f", "-", input=json.dumps(EXAMPLE))
    release.run("uninstall")
    left = release.plane.kubectl(
        "-n", release.namespace, "get", "all,sa,role,rolebinding,pdb,gpuinstance", "-o", "name", "--ignore-not-found"
    )
    assert left.stdout.split() == ["serviceaccount/default", "gpuinstance.gpu.novita.ai/trainer"]
    cluster = release.plane.kubectl(
        "get", "clusterrole,clusterrolebinding", "-l", f"app.kubernetes.io/instance={RELEASE}"
    )
    assert cluster.stdout == ""
    release.install({})
    assert release.get("gpuinstance", "trainer")["spec"]["productName"] == EXAMPLE["spec"]["productName"]


@pytest.mark.parametrize("helm", ["helm4"], indirect=True)
def test_a_release_of_helm_3_goes_on_with_helm_4(release: Release, helm3: Helm):
    Release(helm3, release.plane, release.namespace).install({})
    release.run("upgrade", str(CHART), "--set=replicaCount=1")
    assert release.get("deployment")["spec"]["replicas"] == 1


def test_the_notes_warn_while_there_is_no_key_and_their_commands_work(release: Release, tmp_path: Path):
    warned = release.install({}).stdout
    assert f"WARNING: there is no Secret novita-api-key in namespace {release.namespace}" in warned
    (tmp_path / "novita-api-key").write_text("sk_no_account")
    create, *commands = re.findall(r"^  (kubectl .+)$", warned, re.MULTILINE)
    assert works(release, create.replace("./novita-api-key", str(tmp_path / "novita-api-key")))
    calm = release.run("upgrade", str(CHART)).stdout
    assert "WARNING" not in calm
    assert re.findall(r"^  (kubectl .+)$", calm, re.MULTILINE) == commands
    assert len(commands) == 3
    for command in commands:
        watched = command.removesuffix(" --watch")
        is_endless = watched != command or "rollout" in command
        once = f"{watched} --watch=false" if is_endless else command
        eventually(lambda: works(release, once), once)  # noqa: B023  a fresh CRD is explained a second later


def test_the_notes_warn_of_a_secret_that_lacks_the_entry(release: Release):
    release.plane.kubectl(
        "-n", release.namespace, "create", "secret", "generic", "novita-api-key", "--from-literal=token=sk_no_account"
    )
    assert f"novita-api-key in namespace {release.namespace} has no entry key" in release.install({}).stdout
    assert "WARNING" not in release.run("upgrade", str(CHART), "--set=credentials.key=token").stdout


def test_the_notes_look_for_the_key_where_the_operator_runs(release: Release):
    elsewhere = {"namespaceOverride": f"{release.namespace}-pods"}
    release.plane.kubectl("create", "namespace", elsewhere["namespaceOverride"])
    release.give_key("sk_no_account")
    warned = release.install(elsewhere).stdout
    assert f"there is no Secret novita-api-key in namespace {elsewhere['namespaceOverride']}" in warned


def test_the_notes_are_calm_where_the_key_comes_with_the_release(release: Release):
    assert "WARNING" not in release.install(load(CHART / "ci" / "default-values.yaml")).stdout


@pytest.mark.parametrize("kind", ["serviceMonitor", "prometheusRule"])
def test_a_monitor_is_made_where_the_cluster_has_the_kind_and_no_field_of_it_is_lost(release: Release, kind: str):
    values = {kind: {**EVERYTHING[kind], "renderMode": "skipIfMissing"}}
    release.install(values)
    (rendered,) = of_kind(release.helm.render(values, KNOWS_PROMETHEUS), kind[0].upper() + kind[1:])
    assert release.get(kind)["spec"] == rendered["spec"]


def works(release: Release, command: str) -> bool:
    return release.plane.kubectl(*shlex.split(command)[1:], check=False).returncode == 0


@pytest.mark.parametrize("helm", ["helm4"], indirect=True)
@pytest.mark.parametrize("path", CI, ids=lambda path: path.stem)
def test_what_is_rendered_is_installed_and_its_pods_pass_restricted_pod_security(release: Release, path: Path):
    release.install(load(path) | {"namespaceOverride": release.namespace})
    test, operator = pods(release)
    create(release, test)
    create(release, operator)
    operator["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        create(release, operator)


def pods(release: Release) -> list[Object]:
    """The pod of `helm test`, and the operator's, as its Deployment would make it."""
    deployments = json.loads(release.plane.kubectl("-n", release.namespace, "get", "deployment", "-o", "json").stdout)
    (deployment,) = deployments["items"]
    operator = {"apiVersion": "v1", "kind": "Pod", **deployment["spec"]["template"]}
    operator["metadata"]["name"] = "operator"
    hooks = release.helm.run("get", "hooks", RELEASE, f"--namespace={release.namespace}").stdout
    return [*of_kind(yaml.safe_load_all(hooks), "Pod"), operator]


def create(release: Release, pod: Object) -> None:
    """Have the API server judge it as if it were made; its ServiceAccount may just be on its way."""
    said = ""

    def is_judged() -> bool:
        nonlocal said
        arguments = ("-n", release.namespace, "create", "--dry-run=server", "-f", "-")
        said = release.plane.kubectl(*arguments, input=json.dumps(pod), check=False).stderr
        return "serviceaccount" not in said

    eventually(is_judged, "its ServiceAccount is there")
    assert not said, said
