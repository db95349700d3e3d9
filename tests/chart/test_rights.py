"""No verb of any rule that the chart grants is surplus: without it, a life is not whole."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from chart.helm import Helm, Object, of_kind, only
from controlplane.plane import ControlPlane
from novita_operator.cluster.rights import RIGHTS, Right, Scope
from novita_simulator.client import Simulator
from pods import Pod
from stage import BRISK, KEY, Cluster, OperatorProcess, eventually, install_crd

pytestmark = [pytest.mark.server, pytest.mark.tools]


def test_without_any_verb_of_any_rule_a_life_is_not_whole(
    plane: ControlPlane, helm4: Helm, novita: Simulator, tmp_path: Path
):
    install_crd(plane)
    verbs = [(right, verb) for right in RIGHTS for verb in right.verbs]

    def is_missed(case: tuple[Right, str] | None) -> bool:
        return misses(case, plane, helm4, novita, tmp_path)

    with ThreadPoolExecutor(4) as pool:
        whole, *missed = pool.map(is_missed, [None, *verbs])
    assert not whole, "with all rights nothing is missed"
    assert [case for case, is_needed in zip(verbs, missed, strict=True) if not is_needed] == []


def misses(case: tuple[Right, str] | None, plane: ControlPlane, helm: Helm, novita: Simulator, folder: Path) -> bool:
    """Whether an operator without this one verb is denied it in its life."""
    namespace = f"rights-{secrets.token_hex(4)}"
    objects = installed(helm, novita, namespace, of_the_cluster=case is not None and case[0].scope is Scope.CLUSTER)
    for role in of_kind(objects, "Role", "ClusterRole"):
        role["rules"] = [less for rule in role["rules"] if (less := lessened(rule, case))["verbs"]]
    plane.kubectl("create", "namespace", namespace)
    granted = of_kind(objects, "ServiceAccount", "Secret", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    plane.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(granted))
    operator = Pod(plane, namespace, only(objects, "Deployment"), folder / namespace).start()
    denial = f'cannot {case[1]} resource "{case[0].resource}"' if case else "orbidden"
    try:
        return is_said(denial, operator, life(Cluster(plane, namespace)))
    finally:
        operator.kill()


def installed(helm: Helm, novita: Simulator, namespace: str, *, of_the_cluster: bool) -> list[Object]:
    """What the chart makes in a namespace of its own, with the key."""
    key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "novita-api-key", "namespace": namespace}}
    values = {"namespaceOverride": namespace, "log": {"format": "text"}}
    scope = {} if of_the_cluster else {"scope": "Namespace", "clusterId": "staging"}
    settings = {**BRISK, "NOVITA_API_BASE_URL": novita.url}
    secret = {**key, "stringData": {"key": KEY}}
    return helm.render({**values, **scope, "settings": settings, "extraObjects": [secret]})


def lessened(rule: Object, case: tuple[Right, str] | None) -> Object:
    if case is None or rule != case[0].rule():
        return rule
    return {**rule, "verbs": [verb for verb in rule["verbs"] if verb != case[1]]}


def life(cluster: Cluster) -> Iterator[Callable[[], bool]]:
    """All that the operator has rights for, step by step; each is over when its look says so."""

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


def is_said(words: str, operator: OperatorProcess, steps: Iterator[Callable[[], bool]]) -> bool:
    """Whether the operator says so before the last step is over."""

    def is_said_now() -> bool:
        return words in operator.lines

    return any(eventually(lambda: is_said_now() or is_over(), words) and is_said_now() for is_over in steps)  # noqa: B023
