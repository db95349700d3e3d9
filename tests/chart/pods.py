"""What a kubelet makes of the operator's pod, as far as a process has it: environment, arguments, token, files."""

import base64
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from chart.helm import Object
from controlplane.plane import ControlPlane
from leaks import FED
from stage import BRISK, OperatorProcess


class Pod:
    """The pod of a Deployment, with its mounts in a folder."""

    def __init__(self, plane: ControlPlane, deployment: Object, folder: Path) -> None:
        self._plane = plane
        self._folder = folder
        self._namespace = deployment["metadata"]["namespace"]
        self._spec = deployment["spec"]["template"]["spec"]
        self._container = self._spec["containers"][0]

    def mount(self) -> None:
        """Bring the Secrets as they are now into their folders, as the kubelet does about once a minute."""
        secrets = {volume["name"]: volume["secret"] for volume in self._spec["volumes"] if "secret" in volume}
        for mount in self._container["volumeMounts"]:
            if secret := secrets.get(mount["name"]):
                read = ("-n", self._namespace, "get", "secret", secret["secretName"], "-o", "json")
                data = json.loads(self._plane.kubectl(*read).stdout)["data"]
                files = {item["path"]: base64.b64decode(data[item["key"]]).decode() for item in secret["items"]}
                _write(self._inside(mount["mountPath"]), files)

    def start(self, log: str = "operator.log") -> OperatorProcess:
        """The operator with what the pod gives it, and nothing else but an address of its own to listen on."""
        assert self._spec["automountServiceAccountToken"]
        assert "command" not in self._container, "the image's own"
        self.mount()
        command, *arguments = self._container["args"]
        assert command == "run"
        nothing = dict.fromkeys([*BRISK, "NOVITA_API_KEY", "NOVITA_API_BASE_URL"], "")
        given = {variable["name"]: self._seen(variable["value"]) for variable in self._container["env"]}
        kubeconfig = self._plane.service_account_kubeconfig(self._namespace, self._spec["serviceAccountName"])
        return OperatorProcess(self._folder / log, kubeconfig, "", {**nothing, **given}, *arguments)

    def _seen(self, value: str) -> str:
        """A path in the pod is one in the folder."""
        mounts = [mount["mountPath"] for mount in self._container["volumeMounts"]]
        return str(self._inside(value)) if value.startswith(tuple(mounts)) else value

    def _inside(self, path: str) -> Path:
        return self._folder / path.lstrip("/")


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
