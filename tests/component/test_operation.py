"""Operating it: one acts of two, rights, orphans, the end of the process, and what it shows of itself."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from component.operator_fixtures import FOREIGN, StartOperator
from controlplane.plane import ControlPlane
from novita_operator.cluster.connection import connect
from novita_operator.cluster.instances import Instances
from novita_simulator.client import Simulator
from stage import BRISK, KEY, Cluster, OperatorProcess, eventually, install_account, install_crd, operator

pytestmark = pytest.mark.server


def test_of_two_operators_one_acts_and_the_other_takes_over_when_it_is_killed(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    first = start_operator("--leader-elect")
    eventually(lambda: first.metric("novita_operator_leader") == 1, "the first leads")
    second = start_operator("--leader-elect")
    cluster.apply("one")
    cluster.wait("one", "Ready")
    assert second.get("/readyz").json()["dependencies"]["lease"]["detail"] == "standing by"
    assert second.metric("novita_operator_reconcile_total") == 0
    first.kill()
    cluster.apply("two")
    cluster.wait("two", "Ready")
    assert second.metric("novita_operator_leader") == 1
    assert len(novita.journal("create")) == 2


def test_a_leader_that_is_stopped_hands_its_lease_over_at_once(cluster: Cluster, start_operator: StartOperator) -> None:
    first = start_operator("--leader-elect", NOVITA_OPERATOR_LEASE_DURATION="30s")
    eventually(lambda: first.metric("novita_operator_leader") == 1, "the first leads")
    second = start_operator("--leader-elect", NOVITA_OPERATOR_LEASE_DURATION="30s")
    assert first.stop() == 0
    eventually(lambda: second.metric("novita_operator_leader") == 1, "the second leads")
    cluster.apply("one")
    cluster.wait("one", "Ready")


def test_rights_in_one_namespace_are_enough_for_an_operator_of_one_namespace(
    plane: ControlPlane, cluster: Cluster, home: str, novita: Simulator, tmp_path: Path
) -> None:
    kubeconfig = install_account(plane, home, watched=(cluster.namespace,))
    settings = {"NOVITA_OPERATOR_NAMESPACE": home}
    process = OperatorProcess(
        tmp_path / "log", kubeconfig, novita.url, settings, "--namespace", cluster.namespace, "--leader-elect"
    )
    try:
        process.wait_ready()
        cluster.apply("trainer")
        cluster.wait("trainer", "Ready")
        cluster.delete("trainer")
    finally:
        process.kill()
    assert "orbidden" not in process.lines


def test_an_operator_that_comes_before_the_crd_begins_once_it_is_there(novita: Simulator, tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "plane") as plane:
        account = install_account(plane, "default")
        with operator(tmp_path / "log", account, novita.url, {"NOVITA_OPERATOR_NAMESPACE": "default"}) as early:
            eventually(lambda: "the objects could not be listed yet" in early.lines, "it looks for them")
            assert early.get("/readyz").status_code == httpx2.codes.SERVICE_UNAVAILABLE
            install_crd(plane)
            early.wait_ready()
            cluster = Cluster(plane, "default")
            cluster.apply("trainer")
            cluster.wait("trainer", "Ready")
            cluster.delete("trainer")
            plane.kubectl("delete", "crd", "gpuinstances.gpu.novita.ai")
            assert eventually(early.process.poll, "it ends, to begin anew") == 1


def test_where_a_watch_cannot_begin_with_all_that_is_there_it_is_listed(novita: Simulator, tmp_path: Path) -> None:
    """As in Kubernetes 1.33."""
    with ControlPlane(tmp_path / "plane", "--feature-gates=WatchList=false") as plane:
        install_crd(plane)
        cluster, account = Cluster(plane, "default"), install_account(plane, "default")
        cluster.apply("trainer")
        assert asyncio.run(can_stream(account)) is False
        with operator(tmp_path / "log", account, novita.url, {"NOVITA_OPERATOR_NAMESPACE": "default"}) as process:
            cluster.wait("trainer", "Ready")
            cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
            eventually(lambda: cluster.status("trainer")["state"] == "Stopped", "a later change is seen")
            cluster.delete("trainer")
            assert process.process.poll() is None


async def can_stream(kubeconfig: Path) -> bool:
    connection = await connect(kubeconfig)
    try:
        return await Instances(connection).can_stream(None)
    finally:
        await connection.close()


def test_a_stop_signal_lets_the_launch_in_flight_end_and_be_recorded(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    operator = start_operator(NOVITA_OPERATOR_CLAIM_WINDOW="30s")
    held = novita.fault("hold_after", "create")
    cluster.apply("trainer")
    novita.wait_reached(held)
    operator.process.terminate()
    eventually(lambda: "shutting down" in operator.lines, "the end has begun")
    novita.release(held)
    assert operator.process.wait(timeout=20) == 0
    assert cluster.status("trainer")["instanceId"]


def test_an_orphan_is_reported_and_left_alone(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    machine = orphaned(cluster, novita)
    eventually(lambda: running_operator.metric("novita_operator_orphans") == 1, "it is counted")
    eventually(lambda: [e for e in cluster.events("trainer") if e["reason"] == "Orphaned"], "an Event says so")
    assert next(m.status for m in novita.machines() if m.id == machine) == "running"
    assert novita.journal("delete") == []


def test_an_orphan_is_deleted_where_the_policy_says_so(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    operator = start_operator(NOVITA_OPERATOR_ORPHAN_POLICY="Delete")
    machine = orphaned(cluster, novita)
    eventually(lambda: operator.metric("novita_operator_orphans_deleted_total") == 1, "it is deleted")
    eventually(lambda: [m for m in novita.machines() if m.id == machine and m.status == "removed"], "it is gone")
    assert {asked.machine_id for asked in novita.journal("delete")} == {machine}
    assert {m.name for m in novita.machines() if m.status == "running"} >= FOREIGN


def test_the_orphans_command_tells_orphans_from_retained_machines(
    plane: ControlPlane, cluster: Cluster, home: str, novita: Simulator, running_operator: OperatorProcess
) -> None:
    cluster.apply("kept", deletionPolicy="Retain")
    cluster.wait("kept", "Ready")
    kept = cluster.status("kept")["instanceId"]
    cluster.delete("kept")
    lost = orphaned(cluster, novita)
    running_operator.stop()
    environment = {
        **BRISK,
        "KUBECONFIG": str(plane.kubeconfig),
        "NOVITA_API_KEY": KEY,
        "NOVITA_API_BASE_URL": novita.url,
        "NOVITA_OPERATOR_NAMESPACE": home,
    }
    command = [str(Path(sys.executable).parent / "novita-operator"), "orphans"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    rows = {line.split()[1]: line.split()[0] for line in answer.stdout.splitlines()}
    assert rows == {kept: "retained", lost: "orphan"}
    assert answer.returncode == 1


def test_a_poisoned_object_hurts_only_itself(
    plane: ControlPlane, cluster: Cluster, start_operator: StartOperator
) -> None:
    """Made while the CRD was laxer, it is accepted no more, and cannot be understood."""
    crd = plane.kubectl("get", "crd", "gpuinstances.gpu.novita.ai", "-o", "json").stdout
    lax = re.sub(r'"enum":\s*\[\s*"Running",\s*"Stopped"\s*\],', "", crd)
    assert lax != crd
    plane.kubectl("replace", "-f", "-", input=lax)
    try:
        eventually(lambda: accepts(cluster, "poisoned", "Sleeping"), "the laxer CRD is served")
    finally:
        install_crd(plane)
    operator = start_operator()
    cluster.apply("healthy")
    cluster.wait("healthy", "Ready")
    assert "cannot be understood" in operator.lines
    assert cluster.status("poisoned") == {"observedGeneration": -1}


def test_metrics_tell_of_instances_polls_and_calls(cluster: Cluster, running_operator: OperatorProcess) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    labels = {"namespace": cluster.namespace, "gpuinstance": "trainer"}
    eventually(lambda: running_operator.metric("novita_gpu_instance_ready", **labels) == 1, "it is ready")
    assert running_operator.metric("novita_gpu_instance_hourly_price_dollars", **labels) == 0.18
    assert running_operator.metric("novita_gpu_instances", state="Running") == 1
    assert running_operator.metric("novita_fleet_machines", owner="foreign") == 2
    assert running_operator.metric("novita_api_requests_total", operation="create", outcome="ok") == 1
    assert running_operator.metric("novita_operator_cache_requests_total", cache="products", result="miss") >= 1
    cluster.delete("trainer")
    eventually(lambda: "gpuinstance=" not in running_operator.get("/metrics").text, "no series is left of it")


def test_an_api_server_outage_is_told_and_lived_through(
    plane: ControlPlane, cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
) -> None:
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    plane.stop_api()
    try:
        eventually(lambda: not dependency(running_operator, "kubernetes"), "/readyz says so", seconds=40)
        assert running_operator.get("/livez").status_code == 200
        assert len(novita.journal("create")) == 1
    finally:
        plane.start_api()
    eventually(lambda: dependency(running_operator, "kubernetes"), "it is back", seconds=40)
    cluster.patch("trainer", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("trainer", "Stopped")


def dependency(operator: OperatorProcess, name: str) -> bool:
    ok: bool = operator.get("/readyz").json()["dependencies"][name]["ok"]
    return ok


def orphaned(cluster: Cluster, novita: Simulator) -> str:
    """Id of a machine whose resource somebody tore out together with its finalizer."""
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    machine_id: str = cluster.status("trainer")["instanceId"]
    cluster.kubectl("annotate", "gpui", "trainer", "gpu.novita.ai/paused=true")
    cluster.wait_reason("trainer", "Paused")
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    cluster.patch("trainer", {"metadata": {"finalizers": None}})
    eventually(lambda: "trainer" not in cluster.names(), "the resource is gone")
    assert [m for m in novita.machines() if m.id == machine_id]
    return machine_id


def accepts(cluster: Cluster, name: str, power: str) -> bool:
    body = {
        "apiVersion": "gpu.novita.ai/v1alpha1",
        "kind": "GpuInstance",
        "metadata": {"name": name},
        "spec": {"image": "ubuntu", "productName": "RTX 4090 24GB", "powerState": power},
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(body), check=False)
    return name in cluster.names()
