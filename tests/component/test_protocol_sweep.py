"""The sweep and the audit: what is judged is what the servers say, in the right order, and never more than that."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from component.cluster_waiting import cancelled, until
from component.operator_parts import HOME, Parts, StartParts, alive, orphaned, planted
from controlplane.plane import ControlPlane
from novita_operator.cloud.errors import NotSent
from novita_operator.control.orphans import MOST_PER_PASS
from novita_simulator.client import Simulator
from stage import Cluster

pytestmark = pytest.mark.server


async def test_machines_are_listed_before_objects_are_read(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """An object that is made in between protects its machine; in the other order it would be an orphan."""
    parts = await start_parts()
    lists: list[int] = []
    parts.relay.at_next_answer(lambda: lists.append(len(still_novita.journal("list"))))
    await parts.sweep.look()
    assert lists == [1]
    cluster.apply("trainer")
    held = still_novita.fault("hold_after", "list")
    sweep = asyncio.create_task(parts.sweep.look())
    await asyncio.to_thread(still_novita.wait_reached, held)
    cluster.apply("younger")
    await parts.learn()
    for name in ("trainer", "younger"):
        planted(still_novita, parts.known(name), "aaaaaaaa")
    still_novita.release(held)
    assert await sweep == ()
    assert await parts.sweep.look() == ()


async def test_an_object_without_a_claim_protects_every_machine_of_its_uid(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.learn()
    for token in ("aaaaaaaa", "bbbbbbbb"):
        planted(still_novita, parts.known(), token)
    assert parts.known().claim is None
    assert await parts.sweep.look() == ()


async def test_objects_are_not_read_from_memory(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """Neither what memory has and the cluster has not, nor the other way round."""
    cluster.apply("gone")
    parts = await start_parts()
    await parts.learn()
    orphan = planted(still_novita, parts.known("gone"), "aaaaaaaa")
    cluster.delete("gone")
    cluster.apply("unknown")
    other = await start_parts()
    await other.learn()
    planted(still_novita, other.known("unknown"), "aaaaaaaa")
    assert [found.machine.id for found in await parts.sweep.look()] == [orphan]


async def test_other_clusters_unwatched_namespaces_foreign_and_retained_machines_are_spared(
    plane: ControlPlane, namespace: str, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    orphan = orphaned(still_novita, namespace, "orphan")
    orphaned(still_novita, namespace, "theirs", cluster_id="another-cluster")
    orphaned(still_novita, "unwatched", "elsewhere")
    kept = orphaned(still_novita, namespace, "kept")
    plane.kubectl("delete", "configmap", "novita-operator-retained", "-n", HOME, "--ignore-not-found")
    plane.kubectl("create", "configmap", "novita-operator-retained", "-n", HOME, f"--from-literal={kept}=it")
    try:
        found = {each.machine.id: each.is_retained for each in await parts.sweep.look()}
        assert found == {orphan: False, kept: True}
        await swept(parts, still_novita, 1)
    finally:
        plane.kubectl("delete", "configmap", "novita-operator-retained", "-n", HOME)
    assert [asked.machine_id for asked in still_novita.journal("delete")] == [orphan]


async def test_at_most_so_many_are_deleted_in_one_pass(
    namespace: str, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    for number in range(MOST_PER_PASS + 2):
        orphaned(still_novita, namespace, f"orphan-{number}")
    await swept(parts, still_novita, MOST_PER_PASS + 2)
    told = [asked.operation for asked in still_novita.journal()]
    passes = "".join("l" if operation == "list" else "d" for operation in told).split("l")
    assert [len(each) for each in passes if each] == [MOST_PER_PASS, 2]


async def test_one_orphan_that_cannot_be_deleted_holds_up_no_other_and_stays_in_sight(
    namespace: str, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    stubborn = orphaned(still_novita, namespace, "a-stubborn")
    other = orphaned(still_novita, namespace, "b-other")
    still_novita.fault("status_before", "delete", name="a-stubborn", status=400, reason="CONFLICT", times=None)
    await swept(parts, still_novita, 1)
    assert {asked.machine_id for asked in still_novita.journal("delete") if asked.is_applied} == {other}
    assert parts.sweep.found is not None
    assert [found.machine.id for found in parts.sweep.found] == [stubborn]


async def test_a_deletion_without_an_answer_is_not_told_as_done(
    namespace: str, still_novita: Simulator, start_parts: StartParts, caplog: pytest.LogCaptureFixture
) -> None:
    parts = await start_parts()
    orphan = orphaned(still_novita, namespace, "orphan")
    still_novita.fault("lost_before", "delete", times=1)
    await swept(parts, still_novita, 1)
    told = [record.getMessage() for record in caplog.records if f"Machine {orphan} is billed" in record.getMessage()]
    assert [text.rpartition(": ")[2] for text in told] == ["its deletion got no answer.", "deleted."]


async def test_without_leave_nothing_is_deleted(
    namespace: str, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    orphaned(still_novita, namespace, "orphan")
    parts.may_act = False
    async with sweeping(parts):
        await until(lambda: len(still_novita.journal("list")) >= 2)
    assert still_novita.journal("delete") == []


async def test_a_list_that_fails_makes_no_orphans(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    orphaned(still_novita, cluster.namespace, "orphan")
    still_novita.fault("status_before", "list", status=400, times=None)
    async with sweeping(parts):
        await until(lambda: len(still_novita.journal("list")) >= 3)
        assert parts.sweep.found is None
        still_novita.clear()
        await until(lambda: still_novita.journal("delete") != [])
    assert len(alive(still_novita, parts)) == 1


async def test_the_audit_forgets_what_was_deleted_while_the_watch_was_down_and_learns_what_was_made(
    cluster: Cluster, start_parts: StartParts
) -> None:
    cluster.apply("gone")
    cluster.apply("changed")
    parts = await start_parts()
    await parts.learn()
    cluster.delete("gone")
    cluster.apply("made")
    cluster.patch("changed", {"spec": {"powerState": "Stopped"}})
    await parts.audit.audit()
    assert {each.metadata.name for each in parts.memory.instances()} == {"changed", "made"}
    assert parts.known("changed").generation == 2


async def test_the_audit_takes_a_new_object_of_an_old_name_for_a_new_one(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.learn()
    old = parts.uid()
    cluster.delete("trainer")
    cluster.apply("trainer")
    await parts.poller.poll()
    async with parts.at_work():
        await parts.audit.audit()
        assert old not in parts.memory.entries
        await until(lambda: parts.known().status.instance_id is not None)
    assert len(still_novita.journal("create")) == 1


@contextlib.asynccontextmanager
async def sweeping(parts: Parts) -> AsyncIterator[None]:
    """Pass after pass, with the policy to delete."""

    def fence() -> None:
        if not parts.may_act:
            raise NotSent("no leave")

    sweep = asyncio.create_task(parts.sweep.run(parts.recorder, interval=0.01, deletes=True, fence=fence))
    try:
        yield
    finally:
        await cancelled(sweep)


async def swept(parts: Parts, novita: Simulator, deletions: int) -> None:
    """Until so many have been deleted, and one pass more."""
    async with sweeping(parts):
        await until(lambda: sum(asked.is_applied for asked in novita.journal("delete")) >= deletions)
        lists = len(novita.journal("list"))
        await until(lambda: len(novita.journal("list")) >= lists + 2)
