"""What the chart renders, for the values that decide about it."""

import json
import re
import tomllib
from http.client import HTTPS_PORT
from pathlib import Path

import pytest
import yaml
from httpx2 import URL

from chart.helm import CHART, CI, KNOWS_PROMETHEUS, RELEASE, ROOT, Helm, Object, Values, load, of_kind, only
from novita_operator.cluster.rights import PEOPLE, RIGHTS, Scope
from novita_operator.model.crd import crd
from novita_operator.settings import Settings

pytestmark = pytest.mark.tools

NAMESPACES: Values = {"scope": "Namespace", "watchNamespaces": ["team-a", "team-b"], "clusterId": "staging"}
AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
DIGEST = f"sha256:{'0' * 64}"
MONITORED: Values = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}


def rules(*scopes: Scope) -> list[Object]:
    return [right.rule() for right in RIGHTS if right.scope in scopes]


def granted(objects: list[Object], kind: str) -> dict[tuple[str, str], list[Object]]:
    """Rules by the role's namespace and name."""
    return {(r["metadata"].get("namespace", ""), r["metadata"]["name"]): r["rules"] for r in of_kind(objects, kind)}


def container(objects: list[Object]) -> Object:
    found: Object = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return found


def environment(objects: list[Object]) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container(objects)["env"]}


@pytest.mark.parametrize("path", CI, ids=lambda path: path.stem)
def test_both_versions_of_helm_render_the_same(helm3: Helm, helm4: Helm, path: Path):
    three, four = (sorted(map(json.dumps, helm.render(load(path)))) for helm in (helm3, helm4))
    assert three == four


def test_in_the_whole_cluster_the_operator_gets_the_rules_of_the_table_and_no_others(helm4: Helm):
    objects = helm4.render({})
    name = "novita-operator"
    assert granted(objects, "ClusterRole") == {
        ("", name): rules(Scope.CLUSTER, Scope.RESOURCES),
        ("", f"{name}-view"): [PEOPLE["view"].rule()],
        ("", f"{name}-edit"): [PEOPLE["edit"].rule()],
    }
    assert granted(objects, "Role") == {("ours", name): rules(Scope.OPERATOR)}
    bound = {(b["kind"], b["roleRef"]["name"]) for b in of_kind(objects, "ClusterRoleBinding", "RoleBinding")}
    assert bound == {("ClusterRoleBinding", name), ("RoleBinding", name)}


def test_in_listed_namespaces_there_are_roles_only(helm4: Helm):
    objects = helm4.render(NAMESPACES)
    assert of_kind(objects, "ClusterRole", "ClusterRoleBinding") == []
    assert granted(objects, "Role") == {
        ("ours", "novita-operator"): rules(Scope.OPERATOR),
        ("team-a", "novita-operator-resources"): rules(Scope.RESOURCES),
        ("team-b", "novita-operator-resources"): rules(Scope.RESOURCES),
    }
    subject = {"kind": "ServiceAccount", "name": "novita-operator", "namespace": "ours"}
    assert [binding["subjects"] for binding in of_kind(objects, "RoleBinding")] == [[subject]] * 3
    assert environment(objects)["NOVITA_OPERATOR_WATCH_NAMESPACES"] == "team-a,team-b"


def test_without_a_list_the_namespace_is_the_operators_own(helm4: Helm):
    objects = helm4.render({**NAMESPACES, "watchNamespaces": []})
    assert granted(objects, "Role")["ours", "novita-operator-resources"] == rules(Scope.RESOURCES)
    assert environment(objects)["NOVITA_OPERATOR_WATCH_NAMESPACES"] == "ours"


def test_people_get_the_rights_that_the_manifests_give_them(helm4: Helm):
    manifests = ROOT / "manifests" / "cluster-install" / "rbac_users.yaml"
    chart = [role for role in of_kind(helm4.render({}), "ClusterRole") if role["metadata"]["name"] != RELEASE]
    assert sorted(map(peoples, chart)) == sorted(map(peoples, yaml.safe_load_all(manifests.read_text())))


def test_what_is_not_aggregated_is_in_no_role_of_kubernetes(helm4: Helm):
    rendered = helm4.render({"rbac": {"aggregateToEdit": False}})
    assert AGGREGATE + "edit" not in {label for role in rendered for label in role["metadata"]["labels"]}
    assert [to for _, to, _ in map(peoples, of_kind(rendered, "ClusterRole"))] == [["admin"], ["admin", "view"], []]


def peoples(role: Object) -> tuple[str, list[str], list[Object]]:
    """A role's name, the roles of Kubernetes that it is added to, and its rules."""
    labels = role["metadata"]["labels"]
    to = sorted(
        label.removeprefix(AGGREGATE) for label, value in labels.items() if AGGREGATE in label and value == "true"
    )
    return role["metadata"]["name"], to, role["rules"]


def test_the_crd_is_the_models_and_is_kept(helm4: Helm):
    found = only(helm4.render({}), "CustomResourceDefinition")
    metadata = found.pop("metadata")
    assert found == {name: part for name, part in crd().items() if name != "metadata"}
    assert metadata["name"] == "gpuinstances.gpu.novita.ai"
    assert metadata["annotations"] == {
        "argocd.argoproj.io/sync-options": "ServerSideApply=true",
        "helm.sh/resource-policy": "keep",
    }


def test_the_crd_may_go_with_the_release_or_come_from_elsewhere(helm4: Helm):
    annotations = only(helm4.render({"crds": {"keep": False}}), "CustomResourceDefinition")["metadata"]["annotations"]
    assert "helm.sh/resource-policy" not in annotations
    assert of_kind(helm4.render({"crds": {"enabled": False}}), "CustomResourceDefinition") == []


def test_names_that_look_like_numbers_stay_names(helm4: Helm):
    names = {"fullnameOverride": "1", "nameOverride": "2", "namespaceOverride": "3", "serviceAccount": {"name": "4"}}
    objects = helm4.render({**names, "credentials": {"existingSecret": "5", "key": "6"}})
    text = yaml.safe_dump([found for found in objects if found["kind"] != "CustomResourceDefinition"])
    assert re.findall(r"^.*(?:name|Name|namespace|key|value|instance): \d+$", text, re.MULTILINE) == []
    assert {f"'{number}'" for number in range(1, 7)} <= set(re.findall(r"'\d'", text))


@pytest.mark.parametrize("path", CI, ids=lambda path: path.stem)
def test_what_selects_finds_the_operator_and_not_the_pod_of_the_test(helm4: Helm, path: Path):
    objects = helm4.render({**load(path), **MONITORED}, KNOWS_PROMETHEUS)
    operator = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    (tested,) = (pod["metadata"]["labels"] for pod in of_kind(objects, "Pod"))
    selectors = [only(objects, "Service")["spec"]["selector"]]
    selectors += [o["spec"]["selector"]["matchLabels"] for o in of_kind(objects, "Deployment", "PodDisruptionBudget")]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in of_kind(objects, "NetworkPolicy")]
    for selector in selectors:
        assert selector.items() <= operator.items()
        assert not selector.items() <= tested.items()
    monitor, service = only(objects, "ServiceMonitor")["spec"], only(objects, "Service")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {end["port"] for end in monitor["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}


def test_the_policy_lets_prometheus_in_and_the_operator_out(helm4: Helm):
    objects = helm4.render({"networkPolicy": {"enabled": True}})
    policy = only(objects, "NetworkPolicy")["spec"]
    (entrance,) = (port["port"] for rule in policy["ingress"] for port in rule["ports"])
    assert entrance in {port["name"] for port in container(objects)["ports"]}
    assert (URL(Settings().api_base_url).port or HTTPS_PORT) in {
        p["port"] for r in policy["egress"] for p in r["ports"]
    }


def test_pods_are_spread_among_those_that_a_constraint_selects_or_else_among_the_operators(helm4: Helm):
    theirs = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"foo": "bar"}}}
    spec = only(helm4.render({"topologySpreadConstraints": [{"topologyKey": "host"}, theirs]}), "Deployment")["spec"]
    ours = {"topologyKey": "host", "labelSelector": spec["selector"]}
    assert spec["template"]["spec"]["topologySpreadConstraints"] == [ours, theirs]


def test_every_object_of_the_chart_bears_the_common_labels_and_annotations(helm4: Helm):
    given = {**MONITORED, "dashboards": {"enabled": True}, "networkPolicy": {"enabled": True}}
    common = {"commonLabels": {"team": "gpu"}, "commonAnnotations": {"owner": "gpu@example.com"}}
    for found in helm4.render({**given, **common}, KNOWS_PROMETHEUS):
        assert found["metadata"]["labels"]["team"] == "gpu", found["kind"]
        assert found["metadata"]["annotations"]["owner"] == "gpu@example.com", found["kind"]
        assert {"app.kubernetes.io/version", "helm.sh/chart"} <= found["metadata"]["labels"].keys()


@pytest.mark.parametrize(
    ("mode", "known", "rendered"),
    [
        ("skipIfMissing", True, 2),
        ("skipIfMissing", False, 0),
        ("failIfMissing", True, 2),
        ("alwaysRender", True, 2),
        ("alwaysRender", False, 2),
    ],
)
def test_render_mode_decides_where_the_cluster_knows_no_prometheus(helm4: Helm, mode: str, known: bool, rendered: int):  # noqa: FBT001
    values = {name: {"enabled": True, "renderMode": mode} for name in MONITORED}
    objects = helm4.render(values, *([KNOWS_PROMETHEUS] if known else []))
    assert len(of_kind(objects, "ServiceMonitor", "PrometheusRule")) == rendered


@pytest.mark.parametrize("kind", ["serviceMonitor", "prometheusRule"])
def test_what_must_not_be_missing_is_refused_with_what_to_do(helm4: Helm, kind: str):
    said = helm4.refusal({kind: {"enabled": True, "renderMode": "failIfMissing"}})
    assert "install the Prometheus operator's CRDs first" in said


def test_every_alert_is_in_the_rule_but_those_that_are_disabled(helm4: Helm):
    groups = load(CHART / "files" / "rules.yaml")["groups"]
    first = groups[0]["rules"][0]["alert"]
    whole = only(helm4.render(MONITORED, KNOWS_PROMETHEUS), "PrometheusRule")
    assert whole["spec"]["groups"] == groups
    disabled = {"prometheusRule": {"enabled": True, "disabledAlerts": [first]}}
    less = only(helm4.render(disabled, KNOWS_PROMETHEUS), "PrometheusRule")
    left = [rule.get("alert") for group in less["spec"]["groups"] for rule in group["rules"]]
    assert left == [rule.get("alert") for group in groups for rule in group["rules"] if rule.get("alert") != first]


def test_each_dashboard_is_a_config_map_that_holds_it_unchanged(helm4: Helm):
    found: Object = {}
    for config in of_kind(helm4.render({"dashboards": {"enabled": True}}), "ConfigMap"):
        assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
        found |= {name: json.loads(text) for name, text in config["data"].items()}
    files = (CHART / "files" / "dashboards").glob("*.json")
    assert found == {f"novita-operator-{path.name}": json.loads(path.read_text()) for path in files}
    assert found


@pytest.mark.parametrize(
    ("image", "rendered"),
    [
        ({}, "ghcr.io/novita-gpu-operator/novita-gpu-operator:0.1.0"),
        ({"registry": "registry.example:5000", "repository": "gpu", "tag": "1.2"}, "registry.example:5000/gpu:1.2"),
        ({"repository": "gpu", "tag": "1.2", "digest": DIGEST}, f"ghcr.io/gpu@{DIGEST}"),
    ],
)
def test_the_image_is_named_by_tag_or_by_digest(helm4: Helm, image: Values, rendered: str):
    assert container(helm4.render({"image": image}))["image"] == rendered


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({}, 40),
        ({"terminationGracePeriodSeconds": 300}, 300),
        ({"settings": {"NOVITA_OPERATOR_CLAIM_WINDOW": "5m"}}, 120),
        ({"settings": {"NOVITA_OPERATOR_CLAIM_WINDOW": 100}}, 54),
        ({"settings": {"NOVITA_OPERATOR_CLAIM_WINDOW": "90500ms"}}, 51),
        ({"settings": {"NOVITA_OPERATOR_CLAIM_WINDOW": "3s"}, "terminationGracePeriodSeconds": 10}, 21),
    ],
)
def test_an_operator_that_ends_gets_the_time_for_a_launch_under_way(helm: Helm, values: Values, seconds: int):
    pod = only(helm.render(values), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == seconds


def test_without_leader_election_an_upgrade_stops_the_old_operator_first(helm4: Helm):
    objects = helm4.render({"replicaCount": 1, "leaderElection": {"enabled": False}})
    assert only(objects, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert "--leader-elect" not in container(objects)["args"]


def test_the_chart_tells_artifact_hub_the_truth():
    chart = load(CHART / "Chart.yaml")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    told = {name.removeprefix("artifacthub.io/"): yaml.safe_load(text) for name, text in chart["annotations"].items()}
    names = crd()["spec"]["names"]
    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert told["images"][0]["image"].endswith(f":{version}")
    assert [(c["kind"], c["name"]) for c in told["crds"]] == [(names["kind"], crd()["metadata"]["name"])]
    assert {kind["kind"] for kind in told["changes"]} <= {
        "added",
        "changed",
        "deprecated",
        "removed",
        "fixed",
        "security",
    }
