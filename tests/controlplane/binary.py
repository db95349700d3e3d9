"""Where the plane's four commands are: given, cached, or built on first use.

`python -m controlplane.binary` prints their folder; it has the layout of `KUBEBUILDER_ASSETS`.
"""

import os
import sys
from pathlib import Path

from toolbox.cache import kept
from toolbox.gobuild import build, fingerprint, locked_version

COMMANDS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
_MODULE = Path(__file__).parent
_CORE_SECONDS = 480  # measured: a little over four minutes on two cores


class BinaryError(Exception):
    """The commands that were given are not the plane's four: the message says what to do."""


def assets() -> Path:
    """The folder that holds the commands, built now if there is none; progress goes to stderr."""
    if given := os.environ.get("KUBEBUILDER_ASSETS"):
        return _checked(Path(given))
    return kept(f"controlplane-{_version()}-{fingerprint(_MODULE)}", _build)


def _checked(given: Path) -> Path:
    # envtest's own archives lack the controller manager, and without it no namespace ever ends.
    if missing := [name for name in COMMANDS if not (given / name).exists()]:
        raise BinaryError(
            f"KUBEBUILDER_ASSETS={given} has no {', '.join(missing)}: "
            "add it there in the same version, or unset KUBEBUILDER_ASSETS to have the plane built"
        )
    return given.absolute()


def _version() -> str:
    return locked_version(_MODULE, "k8s.io/kubernetes").removeprefix("v")


def _build(folder: Path) -> None:
    build(_MODULE, ".", folder / "plane", _variables(), _CORE_SECONDS)
    for name in COMMANDS:
        (folder / name).symlink_to("plane")


def _variables() -> dict[str, str]:
    # Without its version the server's answer cannot be parsed, and Helm refuses every chart with a kubeVersion.
    major, minor, _ = _version().split(".")
    values = {"gitVersion": f"v{_version()}", "gitMajor": major, "gitMinor": minor}
    return {f"k8s.io/component-base/version.{name}": value for name, value in values.items()}


if __name__ == "__main__":
    sys.stdout.write(f"{assets()}\n")
