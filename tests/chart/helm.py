"""The real Helm at the project's chart: offline, or as the administrator of a plane."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from controlplane.plane import ControlPlane

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "novita-operator"
CI = sorted((CHART / "ci").glob("*-values.yaml"))
KNOWS_PROMETHEUS = "--api-versions=monitoring.coreos.com/v1"
RELEASE = "novita-operator"

Object = dict[str, Any]
Values = Mapping[str, Any]
Done = subprocess.CompletedProcess[str]


class Helm:
    """One version of Helm, with a home of its own; nothing of the user's is read or written."""

    def __init__(self, command: Path, home: Path, kubeconfig: Path | None = None) -> None:
        """Without a kubeconfig it reaches no cluster."""
        self._command = command
        self._home = home
        folders = {f"HELM_{kind}_HOME": str(home / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        self._environment = {**os.environ, **folders, "KUBECONFIG": str(kubeconfig or os.devnull)}

    def at(self, plane: ControlPlane) -> "Helm":
        return Helm(self._command, self._home, plane.kubeconfig)

    def run(self, *arguments: str, values: Values | None = None, check: bool = True) -> Done:
        """Run a command, with values on its stdin; CalledProcessError with what it said, unless `check` is off."""
        given, text = ((), None) if values is None else (("--values=-",), json.dumps(values))
        command = [str(self._command), *arguments, *given]
        try:
            return subprocess.run(
                command, input=text, env=self._environment, capture_output=True, text=True, check=check
            )
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command."""
        command = [str(self._command), *arguments]
        return subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def render(self, values: Values, *arguments: str) -> list[Object]:
        """Every object of a release in namespace `ours`, hooks included."""
        rendered = self.run("template", RELEASE, str(CHART), "--namespace=ours", *arguments, values=values)
        return [found for found in yaml.load_all(rendered.stdout, yaml.CSafeLoader) if found]

    def refusal(self, values: Values, *arguments: str) -> str:
        """What Helm says about values that the chart refuses."""
        rendered = self.run("template", RELEASE, str(CHART), *arguments, values=values, check=False)
        assert rendered.returncode != 0, "it was rendered"
        return rendered.stderr


class Release:
    """The chart installed in a namespace of a plane."""

    def __init__(self, helm: Helm, plane: ControlPlane, namespace: str) -> None:
        self.helm = helm.at(plane)
        self.plane = plane
        self.namespace = namespace

    def run(self, command: str, *arguments: str, values: Values | None = None, check: bool = True) -> Done:
        """A command of Helm's about this release."""
        return self.helm.run(command, RELEASE, *arguments, f"--namespace={self.namespace}", values=values, check=check)

    def install(self, values: Values, chart: Path = CHART) -> Done:
        return self.run("install", str(chart), values=values)

    def get(self, kind: str, name: str = RELEASE) -> Object:
        """An object in the release's namespace, or of the cluster."""
        found: Object = json.loads(self.plane.kubectl("-n", self.namespace, "get", kind, name, "-o", "json").stdout)
        return found

    def give_key(self, key: str) -> None:
        """Make or change the Secret, as the manual says."""
        made = self.plane.kubectl(
            *("-n", self.namespace, "create", "secret", "generic", "novita-api-key"),
            *(f"--from-literal=key={key}", "--dry-run=client", "-o", "yaml"),
        ).stdout
        self.plane.kubectl("-n", self.namespace, "apply", "-f", "-", input=made)


def load(path: Path) -> Object:
    loaded: Object = yaml.safe_load(path.read_text())
    return loaded


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    return [found for found in objects if found["kind"] in kinds]


def only(objects: Iterable[Object], kind: str) -> Object:
    """The one object of its kind that is no hook."""
    (found,) = (o for o in of_kind(objects, kind) if "helm.sh/hook" not in o["metadata"].get("annotations", {}))
    return found
