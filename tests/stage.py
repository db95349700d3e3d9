"""The stage of the component tests and the demo: the operator as a process of its own, under its own rights."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx2
import yaml

import warm
from controlplane.plane import ControlPlane
from leaks import FED
from novita_operator.cluster.rights import manifests
from novita_simulator.client import Simulator
from novita_simulator.running import running

CRD = Path(__file__).parents[1] / "crds" / "gpu.novita.ai_gpuinstances.yaml"
KEY = FED.feed("the API key", "sk_simulator_main")
PATIENCE = 30.0
QUICK = {
    "toCreate": 0.1,
    "creating": 0.1,
    "pulling": 0.2,
    "toStart": 0.1,
    "starting": 0.1,
    "toStop": 0.1,
    "stopping": 0.1,
    "toRestart": 0.1,
    "restarting": 0.1,
    "toRemove": 0.1,
    "removing": 0.1,
    "removed": 0.5,
    "reclaiming": 0.1,
}
"""Durations of the simulated machines in seconds: fast, yet every state can be seen."""
BRISK = {
    "INSTANCE_POLL_INTERVAL": "1",
    "NOVITA_OPERATOR_CLAIM_WINDOW": "3s",
    "NOVITA_OPERATOR_LIST_LAG": "500ms",
    "NOVITA_OPERATOR_API_CALLS_PER_MINUTE": "6000",
    "NOVITA_OPERATOR_CATALOGUE_TTL": "1s",
    "NOVITA_OPERATOR_REFUSAL_TTL": "1s",
    "NOVITA_OPERATOR_LEASE_DURATION": "3s",
    "NOVITA_OPERATOR_AUDIT_INTERVAL": "2s",
    "NOVITA_OPERATOR_ORPHAN_INTERVAL": "1s",
}
"""Settings of an operator whose patience is short, so that tests need none."""

_SERVES = r"serves (http://127\.0\.0\.1:\d+)"

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, seconds: float = PATIENCE, *, every: float = 0.05) -> T:
    """The first truthy answer of `look`, asked `every` so many seconds; AssertionError if none comes in time."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {answer!r}")
        time.sleep(every)
    return answer


def install_crd(plane: ControlPlane) -> None:
    """The checked-in CRD, served, whoever wrote it last."""
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRD))


def install_account(plane: ControlPlane, namespace: str, watched: Sequence[str] = ()) -> Path:
    """The operator's account and its rights, no others; a kubeconfig to act under them.

    `watched` are the namespaces that it may work in, none for all.
    """
    account = f"operator-{namespace}"
    plane.kubectl("create", "serviceaccount", account, "-n", namespace)
    granted = yaml.safe_dump_all(manifests(account=account, namespace=namespace, watched=watched))
    plane.kubectl("apply", "--server-side", "-f", "-", input=granted)
    return plane.service_account_kubeconfig(namespace, account)


def manifest(name: str, annotations: Mapping[str, str] | None, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A resource; by image and product unless the spec says otherwise."""
    runs = {} if "templateId" in spec else {"image": "docker.io/acme/worker:1.9"}
    wants = {} if "productId" in spec else {"productName": "RTX 4090 24GB"}
    for variable in spec.get("env", ()):
        FED.feed(f"the environment's {variable['name']}", variable.get("value", ""))
    return {
        "apiVersion": "gpu.novita.ai/v1alpha1",
        "kind": "GpuInstance",
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": {**runs, **wants, **spec},
    }


def _feed(environment: Mapping[str, str]) -> None:
    """Whatever the operator is given that it must keep to itself."""
    FED.feed("the API key of the settings", environment.get("NOVITA_API_KEY", ""))
    file = Path(environment.get("NOVITA_API_KEY_FILE", ""))
    if file.is_file():
        FED.feed("the API key of the file", file.read_text().strip())
    for user in json.loads(Path(environment["KUBECONFIG"]).read_text())["users"]:
        FED.feed("the operator's token", user["user"]["token"])


def _start_cold(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "novita_operator", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


class OperatorProcess:
    """One operator; its log is a file of JSON lines."""

    def __init__(
        self,
        log: Path,
        kubeconfig: Path,
        novita: str,
        settings: Mapping[str, str],
        *arguments: str,
        is_warm: bool = False,
    ) -> None:
        """Start it: `novita` is the simulator's URL, `settings` go over the brisk ones. A warm start: see `warm`."""
        self.log = log
        self.again = partial(OperatorProcess, log, kubeconfig, novita, settings, *arguments, is_warm=is_warm)
        """Starts another as this one was started."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NOVITA")},
            "KUBECONFIG": str(kubeconfig),
            "TMPDIR": str(log.parent),  # the client keeps certificates in files, which a killed process leaves
            "NOVITA_API_KEY": KEY,
            "NOVITA_API_BASE_URL": novita,
            "NOVITA_OPERATOR_HTTP_ADDRESS": "127.0.0.1:0",
            **BRISK,
            **settings,
        }
        _feed(environment)
        self.pages: dict[str, str] = {}
        self._begin = log.stat().st_size if log.exists() else 0
        start = warm.start if is_warm else _start_cold
        given = {name: value for name, value in environment.items() if value}
        self.process = start(["run", *arguments], given, log)

    @property
    def lines(self) -> str:
        """What this process has logged so far."""
        with self.log.open("rb") as log:
            log.seek(self._begin)
            return log.read().decode()

    @property
    def url(self) -> str:
        """Where it serves its health and metrics."""
        found = eventually(lambda: re.search(_SERVES, self.lines) or self._ended(), "its address")
        assert isinstance(found, re.Match), f"the operator ended: {self.lines}"
        return found[1]

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(self.url + path, trust_env=False, verify=False)  # plain HTTP: it needs no certificates

    def metric(self, name: str, **labels: str) -> float:
        """A sample's value, 0 where there is none."""
        wanted = "".join(f'(?=.*{key}="{re.escape(value)}")' for key, value in labels.items())
        pattern = rf"^{name}(?:\{{{wanted}[^}}]*\}})? (\S+)$"
        return sum(float(value) for value in re.findall(pattern, self.get("/metrics").text, re.MULTILINE))

    def wait_ready(self, seconds: float = PATIENCE) -> "OperatorProcess":
        """Until it has seen every object, and the machines."""

        def is_ready() -> bool:
            assert not self._ended(), f"the operator ended: {self.lines}"
            with contextlib.suppress(httpx2.HTTPError):
                return self.get("/readyz").status_code == httpx2.codes.OK
            return False

        eventually(is_ready, f"{self.url}/readyz is 200", seconds)
        return self

    def kill(self) -> None:
        """SIGKILL: no last word."""
        self._read_pages()
        self.process.kill()
        self.process.wait()
        self.check_secrets()

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self._read_pages()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.check_secrets()

    def check_secrets(self) -> None:
        """AssertionError if any secret of the run came out."""
        for where, text in {"the log": self.lines, **self.pages}.items():
            FED.check(f"{self.log.name}: {where}", text)

    def _read_pages(self) -> None:
        """What it serves, while it still does; one that is not yet or no longer up serves nothing."""
        found = None if self._ended() else re.search(_SERVES, self.lines)
        with contextlib.suppress(httpx2.HTTPError):
            for path in ("/metrics", "/livez", "/readyz") if found else ():
                self.pages[path] = httpx2.get(f"{found[1]}{path}", trust_env=False, timeout=2).text  # type: ignore[index]

    def _ended(self) -> bool:
        return self.process.poll() is not None


class Cluster:
    """`kubectl` in one namespace, for `GpuInstance` resources."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane = plane
        self.namespace = namespace

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002  subprocess' own word
        return self.plane.kubectl("-n", self.namespace, *arguments, input=input, check=check).stdout

    def apply(self, name: str, *, annotations: Mapping[str, str] | None = None, **spec: Any) -> None:
        """Apply a resource; by image and product unless the spec says otherwise."""
        self.kubectl("apply", "-f", "-", input=json.dumps(manifest(name, annotations, spec)))

    def patch(self, name: str, body: Mapping[str, Any], *arguments: str) -> None:
        self.kubectl("patch", "gpui", name, "--type=merge", "-p", json.dumps(body), *arguments)

    def names(self) -> list[str]:
        """Every resource of the namespace."""
        return self.kubectl("get", "gpui", "-o", "jsonpath={.items[*].metadata.name}").split()

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "gpui", name, "-o", "json"))
        return found

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.get(name).get("status", {})
        return status

    def condition(self, name: str, kind: str = "Ready") -> dict[str, Any]:
        """A condition, {} while there is none."""
        conditions = self.status(name).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {})

    def wait(self, name: str, condition: str, seconds: float = PATIENCE) -> None:
        """As `kubectl wait` does."""
        self.kubectl("wait", f"gpui/{name}", f"--for=condition={condition}", f"--timeout={seconds:.0f}s")

    def wait_reason(self, name: str, reason: str, kind: str = "Ready", seconds: float = PATIENCE) -> dict[str, Any]:
        """Until the condition has this reason."""

        def look() -> dict[str, Any]:
            condition = self.condition(name, kind)
            return condition if condition.get("reason") == reason else {}

        return eventually(look, f"{name}: {kind} because {reason}, but {self.condition(name, kind)}", seconds)

    def delete(self, name: str) -> None:
        """Delete, and wait until it is gone."""
        self.kubectl("delete", "gpui", name, f"--timeout={PATIENCE:.0f}s")

    def events(self, name: str) -> list[dict[str, Any]]:
        """What was told about a resource, oldest first."""
        found = json.loads(self.kubectl("get", "events.v1.events.k8s.io", "-o", "json"))["items"]
        about = [event for event in found if event["regarding"]["name"] == name]
        return sorted(about, key=lambda event: str(event["eventTime"]))


@contextlib.contextmanager
def operator(
    log: Path, kubeconfig: Path, novita: str, settings: Mapping[str, str] | None = None, *arguments: str
) -> Iterator[OperatorProcess]:
    """An operator for the length of a block."""
    running = OperatorProcess(log, kubeconfig, novita, settings or {}, *arguments)
    try:
        yield running
    finally:
        running.stop()


class Stage(NamedTuple):
    """Everything at once: a cluster, a pretend Novita, and an operator between them."""

    plane: ControlPlane
    novita: Simulator
    operator: OperatorProcess
    cluster: Cluster


@contextlib.contextmanager
def stage(durations: Mapping[str, float], tell: Callable[[str], None]) -> Iterator[Stage]:
    """The stage of the demo, in a folder that goes with it; `tell` hears what is being set up."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="novita-")))
        tell("a Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager")
        plane = stack.enter_context(ControlPlane(folder / "plane"))
        tell("a pretend Novita, with machines of other people in the account")
        novita = stack.enter_context(running(speed=1, durations=durations))
        tell("the operator, with its CRD and under its own rights")
        install_crd(plane)
        plane.kubectl("create", "namespace", "novita-operator")
        kubeconfig = install_account(plane, "novita-operator")
        settings = {"NOVITA_OPERATOR_NAMESPACE": "novita-operator"}
        log = folder / "operator.log"
        process = stack.enter_context(operator(log, kubeconfig, novita.url, settings, "--log-format", "text"))
        yield Stage(plane, novita, process.wait_ready(), Cluster(plane, "default"))
