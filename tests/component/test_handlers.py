"""The handlers alone, in kopf's own runner: they take notes and write nothing."""

import asyncio
import json
from pathlib import Path

import kopf.testing
import pytest

from build import POLICY
from controlplane.plane import ControlPlane
from novita_operator.control.clock import system_clock
from novita_operator.control.memory import Memory
from novita_operator.control.workqueue import Urgency, WorkQueue
from novita_operator.handlers import registry
from stage import Cluster, eventually

pytestmark = pytest.mark.server


@pytest.mark.parametrize("streams", [True, False])
def test_handlers_enqueue_and_write_nothing(
    plane: ControlPlane, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, streams: bool
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    clock = system_clock()
    memory, queue = Memory(POLICY, clock, started=clock.boot()), WorkQueue(clock.boot)
    aside: list[object] = []
    arguments = ["run", "--standalone", "--namespace", cluster.namespace, str(empty_module(tmp_path))]
    handlers = registry(memory, queue, aside.append, streams=streams)
    cluster.apply("early")
    with kopf.testing.KopfRunner(arguments, registry=handlers, timeout=30) as runner:
        eventually(lambda: memory.entries, "what was there before is remembered")
        assert asyncio.run(queue.get()) == cluster.get("early")["metadata"]["uid"]
        cluster.apply("trainer")
        uid = cluster.get("trainer")["metadata"]["uid"]
        eventually(lambda: uid in memory.entries, "it is remembered")
        cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
        eventually(lambda: memory.urgency(uid) is Urgency.STOP, "the change is remembered")
        assert asyncio.run(queue.get()) == uid
        found = json.loads(cluster.kubectl("get", "gpui", "trainer", "-o", "json", "--show-managed-fields"))
        cluster.delete("trainer")
        eventually(lambda: uid not in memory.entries, "it is forgotten")
    assert runner.exception is None
    assert aside == []
    assert {entry["manager"] for entry in found["metadata"]["managedFields"]} <= {
        "kubectl-client-side-apply",
        "kubectl-patch",
    }
    assert "finalizers" not in found["metadata"]
    assert found["status"] == {"observedGeneration": -1}


def empty_module(folder: Path) -> Path:
    """kopf's command line wants a file; the handlers come by the registry."""
    module = folder / "nothing.py"
    module.write_text("")
    return module
