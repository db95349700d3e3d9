"""No verb of any rule that the chart grants is surplus: an operator without it is denied something in its life."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from chart.helm import Helm, Object, Values, of_kind, only
from controlplane.plane import ControlPlane
from novita_operator.cluster.rights import RIGHTS, Right, Scope
from novita_simulator.client import Simulator
from pods import Pod
from stage import BRISK, KEY, Cluster, OperatorProcess, eventually, install_crd

pytestmark = [pytest.mark.server, pytest.mark.tools]

GRANTS = ("ServiceAccount", "Secret", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
ROLES_ONLY: Values = {"scope": "Namespace", "clusterId": "staging"}


def test_no_verb_of_any_rule_is_surplus(plane: ControlPlane, helm4: Helm, novita: Simulator, tmp_path: Path):
    install_crd(plane)

    def live(scope: Values, less: Callable[[Object], Object], denial: str) -> bool:
        """Whether an operator hears the denial in its life, with each rule made less so."""
        objects = installed(helm4, novita, scope)
        for role in of_kind(objects, "Role", "ClusterRole"):
            role["rules"] = [rule for rule in map(less, role["rules"]) if rule["verbs"]]
        return is_denied(denial, objects, plane, tmp_path)

    def is_needed(right: Right, verb: str) -> bool:
        scope = {} if right.scope is Scope.CLUSTER else ROLES_ONLY
        return live(scope, lambda rule: lessened(rule, right, verb), f'cannot {verb} resource "{right.resource}"')

    with ThreadPoolExecutor(4) as pool:
        whole = pool.submit(live, ROLES_ONLY, lambda rule: rule, "orbidden")
        needed = {(right, verb): pool.submit(is_needed, right, verb) for right in RIGHTS for verb in right.verbs}
    assert not whole.result(), "with all of them nothing is denied"
    assert [right for right, answer in needed.items() if not answer.result()] == []


def installed(helm: Helm, novita: Simulator, scope: Values) -> list[Object]:
    """What the chart makes in a namespace of its own, with the key."""
    namespace = {"namespaceOverride": f"rights-{secrets.token_hex(4)}"}
    settings = {**BRISK, "NOVITA_API_BASE_URL": novita.url}
    key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "novita-api-key"}, "stringData": {"key": KEY}}
    return helm.render({**namespace, **scope, "settings": settings, "log": {"format": "text"}, "extraObjects": [key]})


def lessened(rule: Object, right: Right, verb: str) -> Object:
    return {**rule, "verbs": [kept for kept in rule["verbs"] if rule != right.rule() or kept != verb]}


def is_denied(denial: str, objects: list[Object], plane: ControlPlane, folder: Path) -> bool:
    """Whether an operator that is granted this much says so in its life."""
    namespace = only(objects, "Deployment")["metadata"]["namespace"]
    plane.kubectl("create", "namespace", namespace)
    granted = yaml.safe_dump_all(of_kind(objects, *GRANTS))
    plane.kubectl("-n", namespace, "apply", "--server-side", "-f", "-", input=granted)
    operator = Pod(plane, namespace, only(objects, "Deployment"), folder / namespace).start()
    try:
        return any(is_said(denial, operator, is_over) for is_over in life(Cluster(plane, namespace)))
    finally:
        operator.kill()


def is_said(words: str, operator: OperatorProcess, is_over: Callable[[], bool]) -> bool:
    """Whether the operator says so before a step is over."""
    eventually(lambda: words in operator.lines or is_over(), words)
    return words in operator.lines


def life(cluster: Cluster) -> Iterator[Callable[[], bool]]:
    """All that an operator has rights for, step by step; each is over when its look says so."""

    def has_come(what: str) -> Callable[[], bool]:
        arguments = ("-n", cluster.namespace, "wait", "gpui/trainer", f"--for={what}", "--timeout=500ms")
        return lambda: cluster.plane.kubectl(*arguments, check=False).returncode == 0

    cluster.apply("trainer", deletionPolicy="Retain")
    yield has_come("condition=Running")
    for power in ("Stopped", "Running", "Stopped"):  # the second stop is an Event's repeat
        cluster.patch("trainer", {"spec": {"powerState": power}})
        yield has_come(f"condition=Running={power == 'Running'}")
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    yield has_come("delete")
