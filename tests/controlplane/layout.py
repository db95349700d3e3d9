"""What one plane is made of: its files, its ports and its processes' flags; nothing runs here."""

import contextlib
import random
import socket
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"

# Enough for namespaces that end, owners, accounts, aggregated roles, quotas and typed policies; nothing runs pods.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "validatingadmissionpolicy-status-controller",
)


@dataclass(frozen=True)
class Layout:
    """The same across restarts, so that clients find the server again."""

    assets: Path
    directory: Path
    etcd_port: int
    peer_port: int
    api_port: int
    manager_port: int

    @property
    def certificate(self) -> Path:
        """The server's certificate, self-signed at its first start; it verifies itself."""
        return self.directory / "apiserver.crt"

    @property
    def key(self) -> Path:
        """The server's key, which signs the ServiceAccounts' tokens too: no second one has to be made."""
        return self.directory / "apiserver.key"

    @property
    def tokens(self) -> Path:
        return self.directory / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    def etcd(self) -> list[str]:
        client = f"http://{LOOPBACK}:{self.etcd_port}"
        peer = f"http://{LOOPBACK}:{self.peer_port}"
        return [
            str(self.assets / "etcd"),
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def api_server(self) -> list[str]:
        return [
            str(self.assets / "kube-apiserver"),
            f"--etcd-servers=http://{LOOPBACK}:{self.etcd_port}",
            f"--bind-address={LOOPBACK}",
            f"--advertise-address={LOOPBACK}",
            f"--secure-port={self.api_port}",
            f"--cert-dir={self.directory}",
            f"--token-auth-file={self.tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.key}",
            f"--service-account-signing-key-file={self.key}",
            "--shutdown-watch-termination-grace-period=1s",  # without it open watches hold the shutdown up
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
        ]

    def controller_manager(self) -> list[str]:
        return [
            str(self.assets / "kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={self.manager_port}",
            f"--root-ca-file={self.certificate}",
            f"--service-account-private-key-file={self.key}",
            f"--controllers={','.join(CONTROLLERS)}",
            "--leader-elect=false",
        ]


def new_layout(assets: Path, directory: Path) -> Layout:
    """A layout on ports that are free now."""
    etcd, peer, api, manager = _free_ports(4)
    return Layout(assets, directory, etcd_port=etcd, peer_port=peer, api_port=api, manager_port=manager)


def _free_ports(count: int) -> list[int]:
    # Below the range that outgoing connections are given, or one of them might take the port of a stopped server.
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            port = random.SystemRandom().randrange(20_000, 32_768)
            listener = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listener.bind((LOOPBACK, port))
                ports.append(port)
    return ports
