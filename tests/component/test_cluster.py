"""The Kubernetes side of the operator against a real API server."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import yaml
from kubernetes.aio.config import incluster_config

from component.cluster_waiting import PATIENCE
from controlplane.plane import ControlPlane
from novita_operator.cluster import connection as connection_module
from novita_operator.cluster.connection import Connection, Json, connect
from novita_operator.cluster.errors import Conflict, Expired, Forbidden, Gone, Rejected, Terminating, Unreachable
from novita_operator.cluster.identity import cluster_id
from novita_operator.cluster.instances import Instances
from novita_operator.cluster.retained import Retained
from novita_operator.metrics import KUBERNETES_WRITES
from novita_operator.model.claim import FINALIZER, Claim
from novita_operator.model.instance import GpuInstance
from novita_operator.model.naming import machine_name

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("crd")]


async def test_a_claim_and_the_finalizer_come_in_one_write(instances: Instances, made: GpuInstance):
    written = await instances.write_claim(made, claim(made))
    assert written.claim == claim(made)
    assert written.metadata.finalizers == (FINALIZER,)
    assert written.generation == made.generation
    assert written == await instances.read(made.metadata.namespace, made.metadata.name)


async def test_a_claim_keeps_the_finalizers_of_others(instances: Instances, made: GpuInstance, plane: ControlPlane):
    patch(plane, made, {"metadata": {"finalizers": ["example.org/theirs"]}})
    seen = await instances.read(made.metadata.namespace, made.metadata.name)
    written = await instances.write_claim(seen, claim(seen))
    again = await instances.write_claim(written, claim(written, launch=2))
    assert again.metadata.finalizers == ("example.org/theirs", FINALIZER)


async def test_a_claim_on_a_stale_version_is_a_conflict(instances: Instances, made: GpuInstance, plane: ControlPlane):
    patch(plane, made, {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Conflict):
        await instances.write_claim(made, claim(made))


async def test_a_claim_for_a_recreated_object_is_a_conflict(
    instances: Instances, made: GpuInstance, plane: ControlPlane
):
    namespace, name = made.metadata.namespace, made.metadata.name
    plane.kubectl("delete", "gpui", name, "-n", namespace)
    create(plane, namespace, name)
    with pytest.raises(Conflict):
        await instances.write_claim(made, claim(made))


async def test_release_takes_only_our_finalizer(instances: Instances, made: GpuInstance, plane: ControlPlane):
    claimed = await instances.write_claim(made, claim(made))
    patch(plane, made, {"metadata": {"finalizers": ["example.org/theirs", FINALIZER]}})
    await instances.release(await instances.read(claimed.metadata.namespace, claimed.metadata.name))
    released = await instances.read(made.metadata.namespace, made.metadata.name)
    assert released.metadata.finalizers == ("example.org/theirs",)
    assert released.claim == claim(made)
    patch(plane, made, {"metadata": {"finalizers": None}})


async def test_release_lets_a_deleted_object_go_and_may_come_twice(
    instances: Instances, made: GpuInstance, plane: ControlPlane
):
    namespace, name = made.metadata.namespace, made.metadata.name
    await instances.write_claim(made, claim(made))
    plane.kubectl("delete", "gpui", name, "-n", namespace, "--wait=false")
    deleting = await instances.read(namespace, name)
    assert deleting.is_deleting
    await instances.release(deleting)
    await instances.release(deleting)
    with pytest.raises(Gone):
        await instances.read(namespace, name)


async def test_status_is_merged_and_null_takes_away(instances: Instances, made: GpuInstance):
    first = await instances.write_status(made, {"instanceId": "i-1", "region": "US-CA-06"})
    second = await instances.write_status(first, {"instanceId": None, "launches": 1})
    assert (second.status.instance_id, second.status.region, second.status.launches) == (None, "US-CA-06", 1)


async def test_status_on_a_stale_version_is_a_conflict(instances: Instances, made: GpuInstance):
    await instances.write_status(made, {"launches": 1})
    with pytest.raises(Conflict):
        await instances.write_status(made, {"launches": 2})


async def test_status_that_the_schema_refuses_is_rejected_by_name(instances: Instances, made: GpuInstance):
    with pytest.raises(Rejected, match=r"422: .*status\.state"):
        await instances.write_status(made, {"state": "Dancing"})


async def test_our_writes_bear_our_name(instances: Instances, made: GpuInstance, plane: ControlPlane):
    await instances.write_status(made, {"launches": 1})
    shown = plane.kubectl(
        "get", "gpui", made.metadata.name, "-n", made.metadata.namespace, "-o", "json", "--show-managed-fields"
    )
    managers = [entry["manager"] for entry in json.loads(shown.stdout)["metadata"]["managedFields"]]
    assert "novita-operator" in managers


async def test_writes_are_counted_by_how_they_ended(instances: Instances, made: GpuInstance):
    before = {result: counted("status", result) for result in ("ok", "conflict")}
    await instances.write_status(made, {"launches": 1})
    with pytest.raises(Conflict):
        await instances.write_status(made, {"launches": 2})
    assert {result: counted("status", result) - count for result, count in before.items()} == {"ok": 1, "conflict": 1}


async def test_a_list_has_every_page(
    instances: Instances, plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection_module, "PAGE_SIZE", 2)
    names = {f"n-{number}" for number in range(5)}
    for name in names:
        create(plane, namespace, name)
    assert {version.name for version in (await instances.versions(namespace)).values()} == names
    assert names <= {version.name for version in (await instances.versions(None)).values()}


async def test_versions_are_those_of_the_objects(instances: Instances, made: GpuInstance):
    found = await instances.versions(made.metadata.namespace)
    metadata = made.metadata
    assert found == {made.uid: (metadata.namespace, metadata.name, metadata.resource_version)}


async def test_a_namespace_without_resources_has_an_empty_list(instances: Instances, namespace: str):
    assert await instances.versions(namespace) == {}
    assert await instances.versions(namespace) == {}


@pytest.mark.parametrize("is_everywhere", [True, False])
async def test_a_watch_can_begin_with_all_that_is_there(instances: Instances, namespace: str, *, is_everywhere: bool):
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(Unreachable):  # it says 429 while the kind is new
                assert await instances.can_stream(None if is_everywhere else namespace)
                return
            await asyncio.sleep(0.1)


async def test_nothing_new_can_be_made_in_a_namespace_in_deletion(
    connection: Connection, made: GpuInstance, plane: ControlPlane
):
    namespace = made.metadata.namespace
    patch(plane, made, {"metadata": {"finalizers": ["example.org/theirs"]}})
    plane.kubectl("delete", "namespace", namespace, "--wait=false")
    with pytest.raises(Terminating):
        await Retained(connection, namespace).note("i-1", "kept")
    patch(plane, made, {"metadata": {"finalizers": None}})


async def test_a_list_that_the_server_forgot_begins_anew(
    connection: Connection, plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection_module, "PAGE_SIZE", 2)
    names = {f"n-{number}" for number in range(3)}
    for name in names:
        create(plane, namespace, name)
    forgetful = Forgetful(connection.client)
    assert {version.name for version in (await Instances(forgetful).versions(namespace)).values()} == names
    assert forgetful.forgot == 1


async def test_in_a_pod_a_rotated_token_is_picked_up(
    valid_token: str, plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    token = tmp_path / "token"
    token.write_text("expired")
    in_a_pod(monkeypatch, plane, tmp_path)
    connection = await connect()
    with pytest.raises(Forbidden):
        await cluster_id(connection)
    token.write_text(valid_token)
    monkeypatch.setattr(incluster_config, "datetime", SimpleNamespace(datetime=InAMinute, timedelta=timedelta))
    assert await cluster_id(connection)
    await connection.close()


async def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path, plane: ControlPlane):
    dead = tmp_path / "kubeconfig"
    dead.write_text(plane.kubeconfig.read_text().replace(plane.server_url, "https://127.0.0.1:1"))
    connection = await connect(dead)
    with pytest.raises(Unreachable):
        await Instances(connection).read("default", "any")
    await connection.close()


async def test_the_cluster_is_known_by_the_uid_of_kube_system(connection: Connection, plane: ControlPlane):
    shown = plane.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    assert await cluster_id(connection) == shown.stdout


async def test_retained_machines_are_written_down_once_each(connection: Connection, namespace: str):
    retained = Retained(connection, namespace)
    assert await retained.ids() == frozenset()
    await retained.note("i-1", "default/a")
    await retained.note("i-2", "default/b")
    await retained.note("i-1", "default/a")
    assert await retained.ids() == {"i-1", "i-2"}


async def test_a_retained_machine_is_struck_off_and_none_may_be_there(connection: Connection, namespace: str):
    retained = Retained(connection, namespace)
    await retained.forget("i-1")
    await retained.note("i-1", "default/a")
    await retained.note("i-2", "default/b")
    for _ in range(2):
        await retained.forget("i-1")
    assert await retained.ids() == {"i-2"}


class Forgetful(Connection):
    """Once, a second page is asked for too late; a real server forgets a list only after five minutes."""

    forgot = 0

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json") -> Json:
        if query and "continue" in query and not self.forgot:
            self.forgot += 1
            raise Expired("the provided continue parameter is too old")
        return await super().get(path, query, accept=accept)


class InAMinute(datetime):
    """The wall clock after the token's refresh period."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(minutes=1, seconds=1)


def in_a_pod(monkeypatch: pytest.MonkeyPatch, plane: ControlPlane, mounted: Path) -> None:
    """What a kubelet gives a pod: where the server is, its authority, a token file."""
    cluster = yaml.safe_load(plane.kubeconfig.read_text())["clusters"][0]["cluster"]
    (mounted / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(mounted / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(mounted / "ca.crt"))
    server = urlsplit(plane.server_url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(server.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))


@pytest.fixture
def valid_token(operator_kubeconfig: Path) -> str:
    token: str = yaml.safe_load(operator_kubeconfig.read_text())["users"][0]["user"]["token"]
    return token


@pytest.fixture
def instances(connection: Connection) -> Instances:
    return Instances(connection)


@pytest_asyncio.fixture
async def made(instances: Instances, plane: ControlPlane, namespace: str) -> GpuInstance:
    """A resource just made by somebody."""
    create(plane, namespace, "made")
    return await instances.read(namespace, "made")


def create(plane: ControlPlane, namespace: str, name: str) -> None:
    body = {
        "apiVersion": "gpu.novita.ai/v1alpha1",
        "kind": "GpuInstance",
        "metadata": {"name": name},
        "spec": {"image": "docker.io/acme/worker:1", "productName": "RTX 4090 24GB"},
    }
    plane.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(body))


def patch(plane: ControlPlane, instance: GpuInstance, body: dict[str, Any]) -> None:
    where = (instance.metadata.name, "-n", instance.metadata.namespace)
    plane.kubectl("patch", "gpui", *where, "--type=merge", "-p", json.dumps(body))


def claim(instance: GpuInstance, launch: int = 1) -> Claim:
    at = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    name = machine_name(instance.mark("cluster-1"), "abcdefgh")
    return Claim(uid=instance.uid, machine=name, launch=launch, by="test", at=at)


def counted(write: str, result: str) -> float:
    value: float = KUBERNETES_WRITES.labels(write, result)._value.get()  # noqa: SLF001  the client has no public reader
    return value
