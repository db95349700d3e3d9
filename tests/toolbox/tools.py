"""The tools that judge what we ship, as their users have them; each is made on first use and kept.

`python -m toolbox.tools [NAME ...]` makes them (all, if none is named) and prints where they are.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from toolbox.cache import kept
from toolbox.debian import PACKAGED, packaged
from toolbox.gobuild import build, fingerprint, locked_version

_HERE = Path(__file__).parent
_HELM3 = "helm.sh/helm/v3"
_CLIENT = "k8s.io/client-go"


class _GoTool(NamedTuple):
    """A command of a Go module; go.mod in the folder of the tool's name pins it."""

    module: str
    package: str
    version: str  # the variable that it tells its version from
    core_seconds: int


_BUILT: Mapping[str, _GoTool] = MappingProxyType(
    {
        "actionlint": _GoTool(
            "github.com/rhysd/actionlint", "cmd/actionlint", "github.com/rhysd/actionlint.version", 8
        ),
        "helm3": _GoTool(_HELM3, "cmd/helm", f"{_HELM3}/internal/version.version", 180),
        "helm4": _GoTool("helm.sh/helm/v4", "cmd/helm", "helm.sh/helm/v4/internal/version.version", 200),
        "kubeconform": _GoTool("github.com/yannh/kubeconform", "cmd/kubeconform", "main.version", 6),
    }
)
NAMES = (*_BUILT, *PACKAGED)


def tool(name: str) -> Path:
    """The command; made now if there is none yet, with progress on stderr."""
    if name in PACKAGED:
        return packaged(name)
    module, version = _HERE / name, _version(name)
    return kept(f"{name}-{version}-{fingerprint(module)}", lambda folder: _build(name, folder)) / name


def _version(name: str) -> str:
    return locked_version(_HERE / name, _BUILT[name].module)


def _build(name: str, folder: Path) -> None:
    made = _BUILT[name]
    variables = {made.version: _version(name)} | (_kubernetes_of_helm3() if name == "helm3" else {})
    build(_HERE / name, f"{made.module}/{made.package}", folder / name, variables, made.core_seconds)


def _kubernetes_of_helm3() -> dict[str, str]:
    # Helm's own build sets these from client-go; else it renders and lints for Kubernetes 1.20.
    minor = locked_version(_HERE / "helm3", _CLIENT).split(".")[1]
    return {f"{_HELM3}/pkg/{package}.k8sVersionMinor": minor for package in ("chartutil", "lint/rules")}


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES:
        sys.stdout.write(f"{tool(wanted)}\n")
