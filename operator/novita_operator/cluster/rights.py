"""The table of rights that the operator needs, and what is printed from it: no wildcards, no Secrets.

`make generate` writes the `rbac.yaml` of each part of `manifests/`, and the rules alone for the chart; a test holds the
files to the print.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from novita_operator.cluster import lease, retained
from novita_operator.model.resource import GROUP, PLURAL

NAME = "novita-operator"
_RBAC = "rbac.authorization.k8s.io"

Manifest = dict[str, Any]


class Scope(StrEnum):
    """Where a right holds."""

    CLUSTER = "Cluster"
    RESOURCES = "Resources"
    """Wherever the operator watches: the whole cluster, or each watched namespace."""
    OPERATOR = "Operator"
    """The operator's own namespace."""


@dataclass(frozen=True, slots=True)
class Right:
    """One line of the table; `names` narrows it to objects of these names."""

    scope: Scope
    group: str
    resource: str
    verbs: tuple[str, ...]
    reason: str
    names: tuple[str, ...] = ()

    def rule(self) -> dict[str, Any]:
        narrowed = {"resourceNames": list(self.names)} if self.names else {}
        return {"apiGroups": [self.group], "resources": [self.resource], **narrowed, "verbs": list(self.verbs)}


RIGHTS = (
    Right(Scope.CLUSTER, "", "namespaces", ("get",), "its UID is the cluster's id", ("kube-system",)),
    Right(
        Scope.RESOURCES, GROUP, PLURAL, ("get", "list", "watch", "patch"), "watched; claim and finalizer are written"
    ),
    Right(Scope.RESOURCES, GROUP, f"{PLURAL}/status", ("patch",), "status is written"),
    Right(
        Scope.RESOURCES, "events.k8s.io", "events", ("create", "patch"), "what happened is told, repeats are counted"
    ),
    Right(Scope.OPERATOR, "coordination.k8s.io", "leases", ("create",), "one operator acts"),
    Right(Scope.OPERATOR, "coordination.k8s.io", "leases", ("get", "update"), "one operator acts", (lease.NAME,)),
    Right(Scope.OPERATOR, "", "configmaps", ("create",), "retained machines are written down"),
    Right(Scope.OPERATOR, "", "configmaps", ("get", "patch"), "retained machines are written down", (retained.NAME,)),
)

PEOPLE = {
    "view": Right(Scope.RESOURCES, GROUP, PLURAL, ("get", "list", "watch"), "status is seen"),
    "edit": Right(
        Scope.RESOURCES,
        GROUP,
        PLURAL,
        ("create", "update", "patch", "delete", "deletecollection"),
        "status is left out: it is the operator's word",
    ),
}
"""Rights of people beside those of the operator, by the role of Kubernetes that they are added to."""


def manifests(*, account: str = NAME, namespace: str = NAME, watched: Sequence[str] = ()) -> list[Manifest]:
    """Roles and bindings for the ServiceAccount `account` of `namespace`; no `watched` means the whole cluster."""
    subject = _subject(account, namespace)
    everywhere = [Scope.CLUSTER] if watched else [Scope.CLUSTER, Scope.RESOURCES]
    granted = _granted("ClusterRole", {"name": account}, subject, everywhere)
    granted += _granted("Role", {"name": account, "namespace": namespace}, subject, [Scope.OPERATOR])
    for name in watched:
        granted += _granted("Role", {"name": f"{account}-resources", "namespace": name}, subject, [Scope.RESOURCES])
    return granted


def parts() -> dict[str, str]:
    """The `rbac.yaml` of each part of `manifests/`; Roles have no namespace there, so that they fit into any."""
    subject = _subject(NAME)
    whole_cluster = [Scope.CLUSTER, Scope.RESOURCES]
    return {
        "base": _text(_granted("Role", {"name": NAME}, subject, [Scope.OPERATOR])),
        "cluster-install": _text(_granted("ClusterRole", {"name": NAME}, subject, whole_cluster)),
        "namespace-install": _text(_granted("Role", {"name": f"{NAME}-resources"}, subject, [Scope.RESOURCES])),
    }


def people_yaml() -> str:
    """Roles that Kubernetes adds to its own roles view, edit and admin of each namespace."""
    stronger = {"view": ("view", "edit", "admin"), "edit": ("edit", "admin")}
    return _text([_aggregated(role, right, stronger[role]) for role, right in PEOPLE.items()])


def rules_yaml() -> str:
    """The rules alone, by scope and for people: what the chart makes its roles of."""
    rules = {str(scope): [right.rule() for right in RIGHTS if right.scope is scope] for scope in Scope}
    rules |= {role: [right.rule()] for role, right in PEOPLE.items()}
    return yaml.safe_dump(rules, sort_keys=False, width=120)


def _subject(account: str, namespace: str = "") -> Manifest:
    # In a RoleBinding a subject without a namespace is of the binding's own.
    return {"kind": "ServiceAccount", "name": account, **({"namespace": namespace} if namespace else {})}


def _granted(kind: str, metadata: Manifest, subject: Manifest, scopes: Sequence[Scope]) -> list[Manifest]:
    rules = [right.rule() for right in RIGHTS if right.scope in scopes]
    role = {"apiGroup": _RBAC, "kind": kind, "name": metadata["name"]}
    return [
        _manifest(kind, metadata, rules=rules),
        _manifest(f"{kind}Binding", metadata, roleRef=role, subjects=[subject]),
    ]


def _aggregated(name: str, right: Right, roles: Sequence[str]) -> Manifest:
    labels = {f"{_RBAC}/aggregate-to-{role}": "true" for role in roles}
    return _manifest("ClusterRole", {"name": f"{NAME}-{name}", "labels": labels}, rules=[right.rule()])


def _manifest(kind: str, metadata: Manifest, **content: object) -> Manifest:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": dict(metadata), **content}


def _text(manifests: Sequence[Manifest]) -> str:
    return yaml.safe_dump_all(manifests, sort_keys=True, width=120)
