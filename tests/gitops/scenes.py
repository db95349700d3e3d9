"""A `GpuInstance` in every state that delivery tools judge, as the real operator writes it.

`python -m gitops.scenes` (with PYTHONPATH=tests) records each scene anew into the testdata of the Argo CD scripts.
"""

import contextlib
import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gitops.argo import Manifest
from novita_simulator.client import Simulator
from stage import PATIENCE, QUICK, Cluster, OperatorProcess, manifest, stage

ROOT = Path(__file__).parents[2]
CUSTOMIZATIONS = ROOT / "manifests" / "argocd" / "resource_customizations"
SCRIPTS = CUSTOMIZATIONS / "gpu.novita.ai" / "GpuInstance"
TESTDATA = SCRIPTS / "testdata"
FOREVER = 3600.0
"""Longer than any recording, in seconds."""

_PAUSE = '    gpu.novita.ai/paused: "true"\n'
PRESSED = {
    ("healthy-running", "stop"): ("powerState: Running", "powerState: Stopped"),
    ("suspended-stopped", "start"): ("powerState: Stopped", "powerState: Running"),
    ("healthy-running", "pause"): ("  annotations:\n", f"  annotations:\n{_PAUSE}"),
    ("suspended-paused", "resume"): (_PAUSE, ""),
    ("progressing-new", "pause"): ("metadata:\n", f"metadata:\n  annotations:\n{_PAUSE}"),
}
"""What a button changes in the text of a scene: how the files that the actions are compared with are made."""

_RECLAIM = r"Novita takes the spot machine back at \S+Z"

Scene = tuple[str, str]
"""The name of the resource, which is the name of its file, and its text."""

_RUNNING = (
    "healthy-running",
    "healthy-reclaim-announced",
    "suspended-stopped",
    "suspended-paused",
    "degraded-reclaimed",
    "progressing-deleting",
    "progressing-unobserved",
    "progressing-unreachable",
)
"""What begins as a machine that runs."""
_VOLATILE = {
    r"\d{4}-\d\d-\d\dT[\d:.]+Z": "<time>",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "<uid>",
    r'(?<="by\\":\\")[^\\]+': "<process>",
    r"(?<=machines at Novita )\(.+?\)(?=: nothing)": "<trouble>",
}


def play(cluster: Cluster, novita: Simulator, operator: OperatorProcess) -> Iterator[Scene]:
    """One scene after the other; at the end Novita does not answer any more."""
    for name in _RUNNING:
        _apply(cluster, name, ports=[{"port": 8000}])
    cluster.kubectl("wait", "gpui", "--all", "--for=condition=Ready", f"--timeout={PATIENCE:.0f}s")
    yield "healthy-running", _text(cluster, "healthy-running")
    yield from _as_people_want(cluster)
    yield from _reclaimed(cluster, novita)
    yield from _not_to_be_had(cluster)
    yield from _on_the_way(cluster, novita)
    with _frozen(operator):
        yield from _unobserved(cluster)
    novita.fault("html_403", times=None)
    yield _when(cluster, "progressing-unreachable", "NovitaUnreachable")


def shape(text: str) -> Manifest:
    """The manifest without what differs from run to run."""
    found: Manifest = yaml.safe_load(text)
    status = found["status"]
    words = {found["metadata"]["namespace"]: "<namespace>", found["metadata"]["resourceVersion"]: "<version>"}
    words |= {status[key]: f"<{key}>" for key in ("instanceId", "machineName") if key in status}
    plain = json.dumps(found)
    for word, mask in sorted(words.items(), key=lambda pair: -len(pair[0])):
        plain = re.sub(rf"\b{re.escape(word)}\b", mask, plain)
    for pattern, mask in _VOLATILE.items():
        plain = re.sub(pattern, mask, plain)
    shaped: Manifest = json.loads(plain)
    return shaped


@contextlib.contextmanager
def _frozen(operator: OperatorProcess) -> Iterator[None]:
    operator.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        operator.process.send_signal(signal.SIGCONT)


def _as_people_want(cluster: Cluster) -> Iterator[Scene]:
    cluster.patch("suspended-stopped", {"spec": {"powerState": "Stopped"}})
    cluster.patch("suspended-paused", {"metadata": {"annotations": {"gpu.novita.ai/paused": "true"}}})
    yield _when(cluster, "suspended-stopped", "Stopped")
    yield _when(cluster, "suspended-paused", "Paused")


def _reclaimed(cluster: Cluster, novita: Simulator) -> Iterator[Scene]:
    novita.reclaim(cluster.status("healthy-reclaim-announced")["instanceId"], notice=FOREVER)
    novita.reclaim(cluster.status("degraded-reclaimed")["instanceId"])
    yield _when(cluster, "healthy-reclaim-announced", "SpotReclaimAnnounced", "SpotReclaim")
    yield _when(cluster, "degraded-reclaimed", "SpotReclaimed")


def _not_to_be_had(cluster: Cluster) -> Iterator[Scene]:
    _apply(cluster, "progressing-no-stock", productName="H100 SXM 80GB")
    _apply(cluster, "degraded-product-not-found", productName="RTX 9090 96GB")
    yield _when(cluster, "progressing-no-stock", "NoStock")
    yield _when(cluster, "degraded-product-not-found", "ProductNotFound")


def _on_the_way(cluster: Cluster, novita: Simulator) -> Iterator[Scene]:
    novita.durations(pulling=FOREVER, removing=FOREVER)
    _apply(cluster, "progressing-starting")
    cluster.kubectl("delete", "gpui", "progressing-deleting", "--wait=false")
    yield _when(cluster, "progressing-starting", "Starting")
    yield "progressing-deleting", _text(cluster, "progressing-deleting")


def _unobserved(cluster: Cluster) -> Iterator[Scene]:
    _apply(cluster, "progressing-new")
    cluster.patch("progressing-unobserved", {"spec": {"powerState": "Stopped"}})
    yield "progressing-new", _text(cluster, "progressing-new")
    yield "progressing-unobserved", _text(cluster, "progressing-unobserved")


def _apply(cluster: Cluster, name: str, **spec: Any) -> None:  # Any: JSON
    cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(manifest(name, None, spec)))


def _when(cluster: Cluster, name: str, reason: str, kind: str = "Ready") -> Scene:
    cluster.wait_reason(name, reason, kind)
    return name, _text(cluster, name)


def _text(cluster: Cluster, name: str) -> str:
    return cluster.kubectl("get", "gpui", name, "-o", "yaml")


def main() -> None:
    with stage(QUICK, lambda _: None) as scene:
        for name, text in play(scene.cluster, scene.novita, scene.operator):
            _write(TESTDATA / f"{name}.yaml", text)
            sys.stdout.write(f"{name}\n")
    for (name, button), (before, after) in PRESSED.items():
        _write(SCRIPTS / "actions" / "testdata" / f"{name}-{button}.yaml", _recorded(name).replace(before, after))
    tests = SCRIPTS / "health_test.yaml"
    told = re.findall(_RECLAIM, _recorded("healthy-reclaim-announced"))
    _write(tests, re.sub(_RECLAIM, told[0], tests.read_text()))


def _recorded(name: str) -> str:
    return (TESTDATA / f"{name}.yaml").read_text()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    main()
