"""What a kubelet makes of the operator's pod, as far as a process has it: environment, arguments, token, files."""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controlplane.plane import ControlPlane
from leaks import FED
from novita_operator.settings import Settings
from stage import BRISK, OperatorProcess


class Pod:
    """The pod of a Deployment in a namespace, with its mounts in a folder."""

    def __init__(self, plane: ControlPlane, namespace: str, deployment: Mapping[str, Any], folder: Path) -> None:
        self._plane = plane
        self._folder = folder
        self._namespace = namespace
        self._spec = deployment["spec"]["template"]["spec"]
        self._container = self._spec["containers"][0]

    def mount(self) -> None:
        """Bring the Secrets as they are now into their folders, as the kubelet does about once a minute."""
        secrets = {volume["name"]: volume["secret"] for volume in self._spec["volumes"] if "secret" in volume}
        for mount in self._container["volumeMounts"]:
            if secret := secrets.get(mount["name"]):
                data = self._read("secret", secret["secretName"])["data"]
                files = {item["path"]: base64.b64decode(data[item["key"]]).decode() for item in secret["items"]}
                _write(self._inside(mount["mountPath"]), files)

    def start(self, log: str = "operator.log") -> OperatorProcess:
        """The operator with what the pod gives it, and nothing else but an address of its own to listen on."""
        assert self._spec["automountServiceAccountToken"]
        assert "command" not in self._container, "the image's own"
        self.mount()
        given = self.environment()
        command, *arguments = [_expanded(argument, given) for argument in self._container["args"]]
        assert command == "run"
        nothing = dict.fromkeys([*BRISK, "NOVITA_API_KEY", "NOVITA_API_BASE_URL"], "")
        log_file, settings = self._folder / log, {**nothing, **given}
        return OperatorProcess(log_file, self._kubeconfig(), "", settings, *arguments, is_warm=True)

    def execute(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        """`novita-operator COMMAND` as `kubectl exec` runs it: the container's environment, none of its arguments."""
        self.mount()
        own = {name: value for name, value in os.environ.items() if not name.startswith("NOVITA")}
        environment = {**own, "KUBECONFIG": str(self._kubeconfig()), **self.environment()}
        line = [sys.executable, "-m", "novita_operator", *command]
        done = subprocess.run(line, env=environment, capture_output=True, check=False)
        FED.check(command[0], done.stderr.decode())
        return done

    def _kubeconfig(self) -> Path:
        return self._plane.service_account_kubeconfig(self._namespace, self._spec["serviceAccountName"])

    def environment(self) -> dict[str, str]:
        """The container's variables; AssertionError where one is wanted that is not there, and no pod would start."""
        found: dict[str, str] = {}
        for source in self._container.get("envFrom", ()):
            found |= self._config_map(**source["configMapRef"])
        return found | {variable["name"]: self._value(variable) for variable in self._container["env"]}

    def probed(self, operator: OperatorProcess) -> dict[str, int]:
        """The operator's answer to each probe, by its path; AssertionError where a kubelet would ask another port."""
        gets = [probe["httpGet"] for name, probe in self._container.items() if name.endswith("Probe")]
        ports = {port["name"]: port["containerPort"] for port in self._container["ports"]}
        assert {ports[get["port"]] for get in gets} == {Settings().http_address.port}
        return {get["path"]: operator.get(get["path"]).status_code for get in gets}

    def _value(self, variable: Mapping[str, Any]) -> str:
        if source := variable.get("valueFrom", {}).get("configMapKeyRef"):
            data = self._config_map(source["name"])
            assert source["key"] in data, f"ConfigMap {source['name']} has no {source['key']}"
            return data[source["key"]]
        if "valueFrom" in variable:
            assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
            return self._namespace
        return self._seen(variable["value"])

    def _config_map(self, name: str, *, optional: bool = False) -> dict[str, str]:
        found = self._read("configmap", name)
        assert found or optional, f"ConfigMap {name} not found"
        data: dict[str, str] = found.get("data", {})
        return data

    def _read(self, kind: str, name: str) -> dict[str, Any]:
        said = self._plane.kubectl("-n", self._namespace, "get", kind, name, "--ignore-not-found", "-o", "json").stdout
        found: dict[str, Any] = json.loads(said or "{}")
        return found

    def _seen(self, value: str) -> str:
        """A path in the pod is one in the folder."""
        mounts = [mount["mountPath"] for mount in self._container["volumeMounts"]]
        return str(self._inside(value)) if value.startswith(tuple(mounts)) else value

    def _inside(self, path: str) -> Path:
        return self._folder / path.lstrip("/")


def _expanded(argument: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], argument)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """As a kubelet does: the files are links through one link, which a rename leads to the new ones."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for name, content in files.items():
        (fresh / name).write_text(FED.feed(f"the Secret's {name}", content))
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    link = folder / "..data_tmp"
    link.symlink_to(fresh.name)
    link.rename(folder / "..data")
