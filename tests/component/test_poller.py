"""What the operator makes of the account's list: whole pages or nothing, one for all, and no belief in a bad one."""

import pytest

from component.cluster_waiting import until
from component.operator_parts import LAG, Parts, StartParts, W, alive
from novita_operator.decision.actions import AwaitList
from novita_operator.decision.decide import decide
from novita_simulator.client import Simulator
from stage import Cluster

pytestmark = pytest.mark.server

UP = 600.0


@pytest.mark.parametrize(("first_page", "pages"), [(0, [0, 1, 2]), (1, [0, 1, 2, 3])])
async def test_a_poll_costs_the_pages_of_the_list_and_nothing_per_object(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts, first_page: int, pages: list[int]
) -> None:
    """A server that counts from 1 shows its first page twice."""
    parts = await up(cluster, still_novita, start_parts)
    still_novita.plant("somebody-else-s", count=250)
    still_novita.quirks(first_page=first_page)
    still_novita.clear_journal()
    await parts.see()
    assert [asked.operation for asked in still_novita.journal()] == ["list"] * len(pages)
    assert parts.memory.fleet is not None
    assert len(parts.memory.fleet.machines) == 253


async def test_one_list_serves_all_that_wait_for_one(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await start_parts()
    await parts.poller.poll()
    parts.clock.turn(1)
    names = [f"trainer-{number}" for number in range(5)]
    for name in names:
        cluster.apply(name)
    async with parts.at_work():
        await parts.learn()
        await until(lambda: all(awaits_list(parts, name) for name in names))
        assert still_novita.journal("create") == []
        await parts.poller.poll()
        await until(lambda: all(parts.known(name).status.instance_id for name in names))
    assert len([asked for asked in still_novita.journal("list") if not asked.name]) == 2


async def test_a_page_that_fails_leaves_the_last_list_standing(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """A machine of ours would be on it."""
    still_novita.plant("somebody-else-s", count=150)
    parts = await up(cluster, still_novita, start_parts)
    before = parts.memory.fleet
    assert before is not None
    still_novita.fault("status_before", "list", page=1, status=400, times=None)
    parts.clock.turn(1)
    await parts.see()
    assert parts.memory.fleet is before
    assert parts.memory.trouble != ""
    assert parts.reason() == "Running"


async def test_pages_that_do_not_agree_leave_the_last_list_standing(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    still_novita.plant("somebody-else-s", count=150)
    parts = await up(cluster, still_novita, start_parts)
    before = parts.memory.fleet
    still_novita.fault("duplicate_page", page=0, times=None)
    parts.clock.turn(1)
    await parts.see()
    assert parts.memory.fleet is before
    assert parts.reason() == "Running"


async def test_a_list_that_shrank_too_much_is_no_ground_for_creating_or_releasing(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    still_novita.plant("somebody-else-s", count=20)
    parts = await up(cluster, still_novita, start_parts)
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    cluster.apply("wanted")
    await parts.learn()
    still_novita.fault("shrunken_list", fraction=1.0, times=None)
    still_novita.clear_journal()
    for _ in range(2):
        parts.clock.turn((W + LAG) / 2)
        await parts.poller.poll()
        for name in ("trainer", "wanted"):
            await parts.look(name)
    assert {asked.operation for asked in still_novita.journal()} <= {"list", "clusters", "products"}
    assert parts.known("trainer").has_finalizer
    assert parts.reason("wanted") == "Braked"
    still_novita.clear()
    for name in ("trainer", "wanted"):
        await parts.see(name)
    assert [asked.operation for asked in still_novita.journal() if asked.operation in {"create", "delete"}] == [
        "delete",
        "create",
    ]


async def test_a_machine_that_slipped_between_the_pages_is_found_by_the_second_reading(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await up(cluster, still_novita, start_parts)
    still_novita.fault("slipped_item", name=parts.claim().machine, total_agrees=True, times=None)
    for _ in range(4):
        parts.clock.turn(W + LAG)
        await parts.see()
    assert len(still_novita.journal("get")) >= 1
    assert len(still_novita.journal("create")) == 1
    assert parts.known().status.instance_id is not None


async def test_a_machine_that_is_gone_is_believed_gone_after_the_list_and_one_reading_of_its_own(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    parts = await up(cluster, still_novita, start_parts)
    first = parts.claim()
    machine_id = parts.known().status.instance_id
    still_novita.vanish(str(machine_id))
    still_novita.clear_journal()
    parts.clock.turn(W + LAG)
    await parts.see()
    assert [asked.machine_id for asked in still_novita.journal("get")] == [machine_id]
    parts.clock.turn(W)
    await parts.see()
    assert (parts.claim().launch, parts.claim().retry) == (first.launch + 1, 1)
    assert alive(still_novita, parts) == [parts.claim().machine]


async def up(cluster: Cluster, novita: Simulator, start_parts: StartParts) -> Parts:
    """An operator and its one machine, running."""
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    novita.advance(UP)
    await parts.see()
    assert parts.reason() == "Running"
    return parts


def awaits_list(parts: Parts, name: str) -> bool:
    if name not in {each.metadata.name for each in parts.memory.instances()}:
        return False
    decision = decide(parts.memory.situation(parts.uid(name), None))
    return isinstance(decision.action, AwaitList)
