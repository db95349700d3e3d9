"""Backup and restore: a restored object has a new UID and no status, and the machine of its earlier life lives on."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from component.cluster_waiting import cancelled, until
from component.operator_fixtures import StartOperator
from component.operator_parts import LAG, Parts, StartParts, W, orphaned
from controlplane.plane import ControlPlane
from novita_operator.cluster.errors import Conflict, Unreachable
from novita_operator.cluster.retained import NAME as RETAINED
from novita_operator.model.claim import CLAIM_ANNOTATION
from novita_operator.model.naming import MARK_ENV
from novita_simulator.client import Simulator
from stage import Cluster, eventually, install_account, install_crd, operator

pytestmark = pytest.mark.server

_MADE_BY_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
_GONE = {"toRemove", "removing", "removed"}


def backup(cluster: Cluster) -> dict[str, Any]:
    """A list of all resources as backup tools restore them: without what the server made, and without status."""
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "gpui", "-o", "json"))
    for item in found["items"]:
        kept = {name: value for name, value in item["metadata"].items() if name not in _MADE_BY_THE_SERVER}
        item["metadata"] = kept
        del item["status"]
    return found


def backup_without_finalizers(cluster: Cluster) -> dict[str, Any]:
    saved = backup(cluster)
    for item in saved["items"]:
        del item["metadata"]["finalizers"]
    return saved


def backup_as_it_is(cluster: Cluster) -> dict[str, Any]:
    """With UID, version and status, as `kubectl get` prints it: a server makes its own of these."""
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "gpui", "-o", "json"))
    return found


def restore(cluster: Cluster, saved: dict[str, Any]) -> None:
    cluster.kubectl("create", "-f", "-", input=json.dumps(saved))


def destroy(cluster: Cluster) -> None:
    """As a disaster does it: no finalizer holds the objects, and their machines are left."""
    for name in cluster.names():
        cluster.patch(name, {"metadata": {"finalizers": None}})
    cluster.kubectl("delete", "gpui", "--all", "--ignore-not-found")
    assert cluster.names() == []


def ids(cluster: Cluster) -> dict[str, str]:
    return {name: cluster.status(name)["instanceId"] for name in cluster.names()}


def alive(novita: Simulator, cluster: Cluster) -> set[str]:
    """Ids of the machines that were made for resources of this namespace, and are there."""
    mine = f"/{cluster.namespace}/"
    return {m.id for m in novita.machines() if mine in m.envs.get(MARK_ENV, "") and m.status not in _GONE}


def id_of(cluster: Cluster) -> str:
    """As it stands in the marks of its machines."""
    return cluster.plane.kubectl("get", "ns", "kube-system", "-o", "jsonpath={.metadata.uid}").stdout


@pytest.mark.parametrize("save", [backup_as_it_is, backup_without_finalizers])
def test_after_a_disaster_exactly_the_old_machines_live_on_and_are_the_restored_objects_own(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator, save: Callable[[Cluster], dict[str, Any]]
) -> None:
    """While the sweep deletes whatever it takes for an orphan; and the next process knows as much."""
    first = start_operator()
    cluster.apply("trainer")
    cluster.apply("resting")
    for name in ("trainer", "resting"):
        cluster.wait(name, "Ready")
    cluster.patch("resting", {"spec": {"powerState": "Stopped"}})
    cluster.wait_reason("resting", "Stopped")
    before = ids(cluster)
    first.kill()
    saved = save(cluster)
    destroy(cluster)
    restore(cluster, saved)
    second = start_operator(NOVITA_OPERATOR_ORPHAN_POLICY="Delete")
    for name in before:
        cluster.wait(name, "Ready")
    assert ids(cluster) == before
    assert cluster.status("trainer")["hourlyPrice"]
    second.kill()
    third = start_operator(NOVITA_OPERATOR_ORPHAN_POLICY="Delete")
    cluster.patch("resting", {"spec": {"powerState": "Running"}})
    cluster.wait_reason("resting", "Running")
    eventually(lambda: third.metric("novita_operator_orphans") == 0, "a sweep that finds nothing")
    assert len(novita.journal("create")) == len(before)
    assert novita.journal("delete") == []
    cluster.delete("trainer")
    assert alive(novita, cluster) == {before["resting"]}


@pytest.fixture
def second_plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path / "second") as plane:
        install_crd(plane)
        yield plane


def test_a_restore_into_a_new_cluster_that_bears_the_old_one_s_id_takes_the_machines_over(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator, second_plane: ControlPlane, tmp_path: Path
) -> None:
    first = start_operator()
    cluster.apply("trainer")
    cluster.wait("trainer", "Ready")
    before = ids(cluster)
    first.kill()
    old_id = id_of(cluster)
    moved = Cluster(second_plane, cluster.namespace)
    second_plane.kubectl("create", "namespace", moved.namespace)
    restore(moved, backup(cluster))
    settings = {
        "NOVITA_OPERATOR_CLUSTER_ID": old_id,
        "NOVITA_OPERATOR_ORPHAN_POLICY": "Delete",
        "NOVITA_OPERATOR_NAMESPACE": moved.namespace,
    }
    account = install_account(second_plane, moved.namespace)
    with operator(tmp_path / "moved.log", account, novita.url, settings, "--namespace", moved.namespace) as second:
        moved.wait("trainer", "Ready")
        eventually(lambda: second.wait_ready().metric("novita_operator_orphans") == 0, "a sweep that finds nothing")
        assert ids(moved) == before
        assert (len(novita.journal("create")), novita.journal("delete")) == (1, [])
        moved.delete("trainer")
    assert alive(novita, cluster) == set()


def test_a_machine_that_was_left_running_on_purpose_is_spared_if_the_list_of_those_is_restored(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator, home: str
) -> None:
    """The operator's namespace is lost, and the sweep deletes whatever it takes for an orphan."""
    first = start_operator()
    for name, policy in (("keeper", "Retain"), ("trainer", "Delete")):
        cluster.apply(name, deletionPolicy=policy)
        cluster.wait(name, "Ready")
    before = ids(cluster)
    cluster.delete("keeper")
    first.kill()
    saved = backup_as_it_is(cluster)
    retained = cluster.plane.kubectl("get", "configmap", "-n", home, RETAINED, "-o", "json").stdout
    destroy(cluster)
    cluster.plane.kubectl("delete", "namespace", home)
    cluster.plane.kubectl("create", "namespace", home)
    cluster.plane.kubectl("create", "-f", "-", input=retained)
    restore(cluster, saved)
    install_account(cluster.plane, home)
    second = start_operator(NOVITA_OPERATOR_ORPHAN_POLICY="Delete")
    orphaned(novita, cluster.namespace, "lost", cluster_id=id_of(cluster))
    eventually(lambda: second.metric("novita_operator_orphans_deleted_total") == 1, "a sweep that deletes")
    cluster.wait("trainer", "Ready")
    assert alive(novita, cluster) == set(before.values())


async def launched(cluster: Cluster, start_parts: StartParts) -> dict[str, Any]:
    """A resource with its machine; gives back a backup of it."""
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    await parts.see()
    return backup(cluster)


async def retained(cluster: Cluster, start_parts: StartParts) -> tuple[Parts, dict[str, Any]]:
    """A machine whose resource went and left it running; who released it, and a backup of the resource."""
    await launched(cluster, start_parts)
    cluster.patch("trainer", {"spec": {"deletionPolicy": "Retain"}})
    saved = backup(cluster)
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    parts = await start_parts()
    await parts.learn()
    await parts.see()
    return parts, saved


async def settled(parts: Parts, name: str = "trainer") -> None:
    await parts.learn()
    for _ in range(3):
        await parts.see(name)


async def test_a_process_that_is_killed_after_any_write_of_the_takeover_leaves_the_next_one_to_go_on(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    saved = await launched(cluster, start_parts)
    (machine,) = alive(still_novita, cluster)
    destroy(cluster)
    restore(cluster, saved)
    for _ in range(3):
        doomed = await start_parts()
        await doomed.learn()
        await doomed.poller.poll()
        doomed.relay.lose_next_answer()
        with contextlib.suppress(Unreachable):
            await doomed.look()
    last = await start_parts()
    await settled(last)
    assert last.known().status.instance_id == machine
    assert alive(still_novita, cluster) == {machine}
    assert (len(still_novita.journal("create")), still_novita.journal("delete")) == (1, [])


async def test_of_two_operators_one_takes_the_machine_over_and_the_other_agrees(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    saved = await launched(cluster, start_parts)
    (machine,) = alive(still_novita, cluster)
    destroy(cluster)
    restore(cluster, saved)
    one, two = await start_parts(), await start_parts()
    for parts in (one, two):
        await parts.learn()
        await parts.poller.poll()
    ends = await asyncio.gather(one.look(), two.look(), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [Conflict]
    for parts in (one, two):
        await settled(parts)
    assert one.claim() == two.claim()
    assert one.known().status.instance_id == two.known().status.instance_id == machine
    assert (len(still_novita.journal("create")), still_novita.journal("delete")) == (1, [])


async def test_a_restored_object_whose_machine_is_truly_gone_launches_one_after_the_wait(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    saved = await launched(cluster, start_parts)
    destroy(cluster)
    (machine,) = alive(still_novita, cluster)
    still_novita.vanish(machine)
    restore(cluster, saved)
    parts = await start_parts()
    await parts.launch()
    assert parts.reason() == "LaunchUncertain"
    parts.clock.turn(W + LAG - 1)
    await parts.see()
    assert len(still_novita.journal("create")) == 1
    parts.clock.turn(1)
    for _ in range(3):
        await parts.see()
    assert len(still_novita.journal("create")) == 2
    assert alive(still_novita, cluster) == {parts.known().status.instance_id}


async def test_a_copy_under_another_name_launches_its_own_at_once_and_leaves_the_other_s_alone(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    saved = await launched(cluster, start_parts)
    saved["items"][0]["metadata"]["name"] = "copy"
    restore(cluster, saved)
    parts = await start_parts()
    for name in ("copy", "trainer"):
        await settled(parts, name)
    owned = [parts.known(name).status.instance_id for name in ("copy", "trainer")]
    assert alive(still_novita, cluster) == set(owned)
    assert (len(still_novita.journal("create")), still_novita.journal("delete")) == (2, [])


async def test_a_retained_machine_that_a_restored_object_took_over_is_retained_no_more(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """Else the sweep would keep silent about it, should that object go without its machine."""
    parts, saved = await retained(cluster, start_parts)
    assert [orphan.is_retained for orphan in await parts.sweep.look()] == [True]
    restore(cluster, saved)
    await settled(parts)
    assert await parts.sweep.look() == ()
    destroy(cluster)
    assert [orphan.is_retained for orphan in await parts.sweep.look()] == [False]
    assert (len(still_novita.journal("create")), still_novita.journal("delete")) == (1, [])


async def test_a_retained_machine_stays_on_the_list_until_its_object_has_it(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts, saved = await retained(cluster, start_parts)
    restore(cluster, saved)
    await parts.learn()
    await parts.poller.poll()
    cluster.patch("trainer", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Conflict):
        await parts.look()
    destroy(cluster)
    assert [orphan.is_retained for orphan in await parts.sweep.look()] == [True]
    assert still_novita.journal("delete") == []


async def test_a_machine_without_a_claim_that_speaks_of_it_is_an_orphan(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """As after a backup that leaves the annotation out."""
    saved = await launched(cluster, start_parts)
    (machine,) = alive(still_novita, cluster)
    destroy(cluster)
    del saved["items"][0]["metadata"]["annotations"][CLAIM_ANNOTATION]
    restore(cluster, saved)
    parts = await start_parts()
    await settled(parts)
    assert [orphan.machine.id for orphan in await parts.sweep.look()] == [machine]
    assert parts.known().status.instance_id != machine


async def test_the_sweep_spares_a_machine_whose_object_is_restored_between_the_look_and_the_delete(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    saved = await launched(cluster, start_parts)
    (machine,) = alive(still_novita, cluster)
    destroy(cluster)
    parts = await start_parts()
    await parts.learn()
    assert [orphan.machine.id for orphan in await parts.sweep.look()] == [machine]
    parts.relay.at_next_answer(lambda: restore(cluster, saved))
    sweep = asyncio.create_task(parts.sweep.run(parts.recorder, interval=0.01, deletes=True, fence=lambda: None))
    await until(lambda: parts.sweep.found == ())
    await settled(parts)
    lists = len(still_novita.journal("list"))
    await until(lambda: len(still_novita.journal("list")) >= lists + 2)
    await cancelled(sweep)
    assert still_novita.journal("delete") == []
    assert parts.known().status.instance_id == machine


async def test_an_object_that_cannot_be_understood_may_be_a_restored_one(
    cluster: Cluster, start_parts: StartParts
) -> None:
    saved = await launched(cluster, start_parts)
    destroy(cluster)
    restore(cluster, saved)
    parts = await start_parts()
    cluster.patch("trainer", {"status": {"startedTime": "0000-01-01T00:00:00Z"}}, "--subresource=status")
    assert await parts.sweep.look() == ()
