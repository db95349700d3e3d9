"""The operator's rights on a real API server: enough (every test of the cluster floor runs under them), and no more."""

from pathlib import Path

import pytest
import yaml

from component.cluster_waiting import until
from controlplane.plane import ControlPlane
from novita_operator.cluster.rights import manifests

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("crd")]

PEOPLE = Path(__file__).parents[2] / "manifests" / "cluster-install" / "rbac_users.yaml"

FORBIDDEN = [
    ("get", "secrets"),
    ("list", "secrets"),
    ("create", "gpuinstances.gpu.novita.ai"),
    ("delete", "gpuinstances.gpu.novita.ai"),
    ("update", "gpuinstances.gpu.novita.ai"),
    ("get", "configmaps/other"),
    ("update", "leases.coordination.k8s.io/other"),
    ("get", "namespaces/default"),
    ("list", "events.events.k8s.io"),
    ("create", "pods"),
    ("impersonate", "users"),
    ("bind", "clusterroles"),
]


def test_no_right_is_a_wildcard_or_speaks_of_secrets():
    for manifest in manifests() + manifests(watched=["a"]):
        for rule in manifest.get("rules", ()):
            words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert not {"*", "secrets"} & words


@pytest.mark.parametrize(("verb", "what"), FORBIDDEN)
def test_what_the_operator_need_not_do_it_may_not_do(
    plane: ControlPlane, operator_kubeconfig: Path, namespace: str, verb: str, what: str
):
    assert not can(plane, operator_kubeconfig, verb, what, namespace)


def test_kopf_may_watch_the_whole_cluster(plane: ControlPlane, operator_kubeconfig: Path):
    assert can(plane, operator_kubeconfig, "watch", "gpuinstances.gpu.novita.ai", "--all-namespaces")


def test_with_listed_namespaces_the_rights_end_there(plane: ControlPlane, namespace: str):
    plane.kubectl("create", "serviceaccount", f"narrow-{namespace}", "-n", namespace)
    granted = manifests(account=f"narrow-{namespace}", namespace=namespace, watched=[namespace])
    plane.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(granted))
    kubeconfig = plane.service_account_kubeconfig(namespace, f"narrow-{namespace}")
    for verb in ("get", "list", "watch", "patch"):
        assert can(plane, kubeconfig, verb, "gpuinstances.gpu.novita.ai", namespace)
        assert not can(plane, kubeconfig, verb, "gpuinstances.gpu.novita.ai", "default")
    assert can(plane, kubeconfig, "get", "namespaces/kube-system", namespace)
    assert can(plane, kubeconfig, "update", "leases.coordination.k8s.io/novita-operator", namespace)


@pytest.mark.parametrize(
    ("role", "verb", "what", "allowed"),
    [
        ("view", "get", "gpuinstances.gpu.novita.ai", True),
        ("view", "delete", "gpuinstances.gpu.novita.ai", False),
        ("edit", "create", "gpuinstances.gpu.novita.ai", True),
        ("edit", "patch", "gpuinstances.gpu.novita.ai/status", False),
    ],
)
async def test_people_get_their_rights_through_the_roles_of_kubernetes(
    plane: ControlPlane, namespace: str, role: str, verb: str, what: str, *, allowed: bool
):
    plane.kubectl("apply", "--server-side", "-f", str(PEOPLE))
    rules = {"view": 1, "edit": 2}[role]
    await until(lambda: aggregated(plane, role) == rules)
    plane.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}er", "-n", namespace)
    resource, _, part = what.partition("/")
    asked = ("auth", "can-i", verb, resource, f"--as={role}er", "-n", namespace, f"--subresource={part}")
    assert (plane.kubectl(*asked, check=False).stdout.strip() == "yes") is allowed


def aggregated(plane: ControlPlane, role: str) -> int:
    """How many of our rules Kubernetes has put into its own role."""
    return plane.kubectl("get", "clusterrole", role, "-o", "yaml").stdout.count("- gpuinstances\n")


def can(plane: ControlPlane, kubeconfig: Path, verb: str, what: str, where: str) -> bool:
    """Whether the identity of `kubeconfig` may; `where` is a namespace, or `--all-namespaces`."""
    place = [where] if where.startswith("--") else ["--namespace", where]
    said = plane.kubectl("--kubeconfig", str(kubeconfig), "auth", "can-i", verb, what, *place, check=False)
    return said.stdout.strip() == "yes"
