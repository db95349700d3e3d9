"""Prints the CustomResourceDefinition from the models, so that there is one truth about the resource.

`make generate` writes `crds/`; a test holds the file to the print.
"""

from collections.abc import Sequence
from typing import Any

import yaml

from novita_operator.model.resource import GROUP, KIND, LAUNCH_ONLY, PLURAL, VERSION, Spec
from novita_operator.model.schema import Schema, structural
from novita_operator.model.status import NEVER_OBSERVED, Status

CRD_NAME = f"{PLURAL}.{GROUP}"

_DESCRIPTION = (
    "A GPU instance at Novita.ai. The operator launches a machine as spec says, keeps it so, reports in status, "
    "and deletes the machine with the resource."
)
_SELECTABLE = (".spec.powerState", ".spec.productName", ".spec.productId", ".status.state", ".status.region")


def _column(name: str, path: str, description: str, kind: str = "string", priority: int = 0) -> dict[str, Any]:
    return {"name": name, "jsonPath": path, "description": description, "type": kind, "priority": priority}


_FIXED = "what only a launch reads cannot change while a machine exists"
_ANEW = "or delete this GpuInstance and create it anew"
_READY = '.status.conditions[?(@.type=="Ready")]'
_COLUMNS = (
    _column("State", ".status.state", "What the machine does, in one word."),
    _column("Ready", f"{_READY}.status", "Whether what is observed is what is wanted."),
    _column("Product", ".status.productName", "Product that was launched."),
    _column("Region", ".status.region", "Region of the machine."),
    _column("$/h", ".status.hourlyPrice", "USD per hour for the whole machine, as offered at the launch."),
    _column("Age", ".metadata.creationTimestamp", "Time since the resource was created.", "date"),
    _column("Id", ".status.instanceId", "Novita's id of the machine.", priority=1),
    _column("Machine", ".status.machineName", "Name of the machine at Novita.", priority=1),
    _column("Reason", f"{_READY}.reason", "Why it is ready, or why not.", priority=1),
)


def crd() -> dict[str, Any]:
    """The whole CRD, as `kubectl apply` takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD_NAME},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["gpui"],
                "categories": ["novita"],
            },
            "versions": [_version()],
        },
    }


def crd_yaml() -> str:
    """The CRD as text: sorted keys, so that it changes only with the models."""
    return yaml.dump(crd(), Dumper=_Plain, sort_keys=True, width=120, allow_unicode=True)


class _Plain(yaml.SafeDumper):
    """Writes shared values out each time: an anchor helps nobody who reads a CRD."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  PyYAML's signature
        return True


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": list(_COLUMNS),
        "selectableFields": [{"jsonPath": path} for path in _SELECTABLE],
        "schema": {"openAPIV3Schema": schema()},
    }


def schema() -> Schema:
    """Of the whole object, as the CRD says it."""
    return {
        "type": "object",
        "description": _DESCRIPTION,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always {GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"Always {KIND}."},
            "metadata": {"type": "object"},
            "spec": structural(Spec),
            # Waiters must wait until an operator has looked (kstatus; Flux's own kinds do the same).
            "status": {**structural(Status), "default": {"observedGeneration": NEVER_OBSERVED}},
        },
        "x-kubernetes-validations": [fixed_after_launch(LAUNCH_ONLY)],
    }


def fixed_after_launch(fields: Sequence[str]) -> dict[str, str]:
    """The CEL rule that keeps fields of the spec as they were launched. At the root: only there a rule sees status too.

    One for all, and it asks first whether spec changed at all: it runs at each write of status, and a rule for each
    field would make a launch a third dearer for the API server (docs/performance.md).
    """
    changed = " + ".join(f"({_is_kept(field)} ? '' : 'spec.{field}, ')" for field in fields)
    return {
        "rule": "self.spec == oldSelf.spec || !has(oldSelf.status) || !has(oldSelf.status.instanceId) || "
        f"({' && '.join(map(_is_kept, fields))})",
        "message": f"{_FIXED}: set it back, {_ANEW}",
        "messageExpression": f"'{_FIXED}: set back ' + {changed} + '{_ANEW}'",
        "fieldPath": ".spec",
        "reason": "FieldValueForbidden",
    }


def _is_kept(field: str) -> str:
    """`has` catches a field that is added or removed; the short `self.spec.?x == oldSelf.spec.?x` costs too much."""
    new, old = f"self.spec.{field}", f"oldSelf.spec.{field}"
    return f"(has({new}) ? has({old}) && {new} == {old} : !has({old}))"
