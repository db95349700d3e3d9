"""A real control plane for tests and the demo: etcd, kube-apiserver and kube-controller-manager on loopback."""

import base64
import http.client
import json
import os
import secrets
import ssl
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from controlplane.binary import assets
from controlplane.layout import LOOPBACK, new_layout
from controlplane.processes import Guard, PlaneError, Process

__all__ = ["ControlPlane", "PlaneError"]

START_SECONDS = 60  # three on an idle machine
_DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


class ControlPlane:
    """One plane with its data in `directory`, RBAC on, and an administrator's kubeconfig.

    Guarantees: after `stop`, a failed `start`, or the end of this process, however it ends, no process is left; the
    data stay, and a later start of the same object serves them at the same address to the same credentials.
    Caveat: one owner at a time for a directory.
    """

    def __init__(self, directory: Path, *api_flags: str) -> None:
        """Take the commands (building them where there are none) and free ports; nothing is started yet.

        `api_flags` are further ones of kube-apiserver.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory.absolute()
        self._layout = new_layout(assets(), self.directory)
        self._api_flags = api_flags
        self._admin_token = secrets.token_hex(16)
        self._running: dict[str, Process] = {}
        self._guard: Guard | None = None
        self.server_url = f"https://{LOOPBACK}:{self._layout.api_port}"
        self.kubeconfig = self._layout.kubeconfig
        self.kubectl_path = self._layout.assets / "kubectl"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and return when the API answers and the accounts' controller has worked."""
        assert not self._guard, "the plane is running already"
        try:
            self._guard = Guard(str(self.directory))
            self._run("etcd", self._layout.etcd())
            self._write_secret(self._layout.tokens, f'{self._admin_token},admin,admin,"system:masters"\n')
            self.start_api()
            self._write_kubeconfig(self.kubeconfig, self._admin_token)
            manager = self._run("kube-controller-manager", self._layout.controller_manager())
            manager.wait_until(lambda: self._finds(_DEFAULT_ACCOUNT), "the default ServiceAccount", START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything, the servers after their clients: an API server whose etcd went first ignores SIGTERM."""
        try:
            for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
                self._end(name)
        finally:
            if self._guard:
                self._guard.close()
                self._guard = None

    def restart(self) -> None:
        """Stop and start under the same data and address."""
        self.stop()
        self.start()

    def start_api(self) -> None:
        """Start the API server alone, at its old address, and return when it is ready."""
        server = self._run("kube-apiserver", [*self._layout.api_server(), *self._api_flags])
        server.wait_until(lambda: self._finds("/readyz"), "the API server is ready", START_SECONDS)

    def stop_api(self) -> None:
        """Stop the API server alone: an outage, as its clients see it."""
        self._end("kube-apiserver")

    @property
    def environment(self) -> dict[str, str]:
        """What makes a program administrator here: this kubectl on the PATH, and nothing of the user's own."""
        return os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.directory / "kubectl-cache"),  # ports come back, and with them stale discovery
            "KUBERC": "off",
            "PATH": f"{self.kubectl_path.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:  # noqa: A002 - subprocess.run's own word
        """Run kubectl as administrator; raises CalledProcessError with what kubectl said, unless `check` is off."""
        command = [str(self.kubectl_path), *args]
        try:
            return subprocess.run(
                command, input=input, env=self.environment, capture_output=True, text=True, check=check
            )
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of what runs, by command."""
        return {name: process.pid for name, process in self._running.items()}

    def service_account_token(self, namespace: str, name: str) -> str:
        """A fresh token of an existing ServiceAccount, good for an hour."""
        return self.kubectl("create", "token", name, "--namespace", namespace, "--duration=1h").stdout.strip()

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig to act as an existing ServiceAccount, under its rights alone."""
        path = self.directory / f"kubeconfig-{namespace}-{name}"
        self._write_kubeconfig(path, self.service_account_token(namespace, name), namespace)
        return path

    def _run(self, name: str, command: list[str]) -> Process:
        assert self._guard, "the plane is stopped: call start() first"
        self._running[name] = Process(command, self.directory / f"{name}.log", self._guard)
        return self._running[name]

    def _end(self, name: str) -> None:
        if process := self._running.pop(name, None):
            process.stop()

    def _finds(self, path: str) -> bool:
        try:
            tls = ssl.create_default_context(cafile=self._layout.certificate)
            connection = http.client.HTTPSConnection(LOOPBACK, self._layout.api_port, timeout=5, context=tls)
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._admin_token}"})
            status = connection.getresponse().status
            connection.close()
        except (OSError, http.client.HTTPException):
            return False
        return status == http.HTTPStatus.OK

    def _write_kubeconfig(self, path: Path, token: str, namespace: str = "default") -> None:
        authority = base64.b64encode(self._layout.certificate.read_bytes()).decode()
        cluster = {"server": self.server_url, "certificate-authority-data": authority}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": cluster}],
            "users": [{"name": "plane", "user": {"token": token}}],
            "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": "plane", "namespace": namespace}}],
            "current-context": "plane",
        }
        self._write_secret(path, json.dumps(content, indent=2))

    @staticmethod
    def _write_secret(path: Path, content: str) -> None:
        path.touch(mode=0o600)
        path.write_text(content)
