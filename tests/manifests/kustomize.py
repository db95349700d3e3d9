"""What there is to build in `manifests/`, and the kustomize of kubectl to build it with."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from controlplane.plane import ControlPlane

MANIFESTS = Path(__file__).parents[2] / "manifests"

Object = dict[str, Any]


def _folders(kind: str) -> list[Path]:
    """Those of our own kustomizations; the examples for Argo CD and Flux hold what only they can read."""
    found = (path for path in MANIFESTS.rglob("kustomization.yaml") if path.is_relative_to(MANIFESTS))
    own = (path for path in found if path.relative_to(MANIFESTS).parts[0] not in {"argocd", "flux"})
    return sorted(path.parent for path in own if yaml.safe_load(path.read_text())["kind"] == kind)


LEAVES = _folders("Kustomization")
COMPONENTS = _folders("Component")


def name_of(folder: Path) -> str:
    return str(folder.relative_to(MANIFESTS))


def build(plane: ControlPlane, folder: Path) -> str:
    """As users build it; AssertionError if kustomize has anything to say."""
    done = plane.kubectl("kustomize", str(folder))
    assert done.stderr == ""
    return done.stdout


def overlay(folder: Path, *resources: Path, components: Sequence[Path] = (), **fields: Any) -> Path:  # Any: kustomize's
    """A user's own kustomization, in a new folder."""
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(path.resolve(), folder.resolve()) for path in resources],
        "components": [os.path.relpath(path.resolve(), folder.resolve()) for path in components],
        **fields,
    }
    (folder / "kustomization.yaml").write_text(json.dumps(content))
    return folder


def objects(text: str) -> list[Object]:
    return [found for found in yaml.safe_load_all(text) if found]


def only(text: str, kind: str) -> Object:
    """The one object of that kind."""
    [found] = [each for each in objects(text) if each["kind"] == kind]
    return found
