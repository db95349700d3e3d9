"""Two operators at once, without election, against one API server and one account: the claim alone is the safety."""

import asyncio

import pytest

from component.cluster_waiting import until
from component.operator_parts import CLUSTER_ID, HOME, LAG, Parts, StartParts, W, alive, planted
from novita_operator import metrics
from novita_operator.cluster.errors import Conflict
from novita_operator.model.claim import CLAIM_ANNOTATION
from novita_simulator.client import Simulator
from stage import Cluster

pytestmark = pytest.mark.server


async def test_of_two_that_launch_at_the_same_moment_one_writes_its_claim_and_the_other_does_not_call(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    one, two = await start_parts(), await start_parts()
    for parts in (one, two):
        await parts.learn()
        await parts.poller.poll()
    ends = await asyncio.gather(one.look(), two.look(), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [Conflict]
    winner = one if ends[0] is None else two
    assert [asked.name for asked in still_novita.journal("create")] == [winner.claim().machine]


async def test_what_lost_the_race_reads_again_and_takes_the_other_one_s_machine_for_the_object_s(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    one, two = await start_parts(), await start_parts()
    for parts in (one, two):
        await parts.learn()
        parts.memory.see_born(parts.known())
        await parts.poller.poll()
    await one.look()
    with pytest.raises(Conflict):
        await two.look()
    for _ in range(3):
        await two.learn()
        await two.see()
    assert two.claim() == one.claim()
    assert two.known().status.instance_id == one.known().status.instance_id
    assert still_novita.journal("delete") == []
    assert len(alive(still_novita, one)) == 1


async def test_another_one_s_unresolved_claim_is_waited_for_as_long_as_w_and_the_lag_by_the_own_clock(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """The clocks of the two need not agree: only that of the one that waits is turned."""
    cluster.apply("trainer")
    one, two = await start_parts(), await start_parts()
    still_novita.fault("lost_before", "create")
    await one.launch()
    first = one.claim()
    two.clock.turn(100_000)
    await two.launch()
    two.clock.turn(W + LAG - 1)
    await two.see()
    assert two.claim() == first
    assert len(still_novita.journal("create")) == 1
    two.clock.turn(1)
    await two.see()
    assert (two.claim().launch, two.claim().by == first.by) == (2, False)
    assert alive(still_novita, two) == [two.claim().machine]
    one.clock.turn(W + LAG)
    await one.see()
    assert one.claim() == two.claim()
    assert still_novita.journal("delete") == []
    assert [asked.is_applied for asked in still_novita.journal("create")] == [False, True]


async def test_no_claim_of_another_run_is_ever_called_for(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """Neither by the run after a crash nor by a second operator, however young the claim is."""
    cluster.apply("trainer")
    one, two = await start_parts(), await start_parts()
    one.before_claim = one.relay.lose_next_answer
    with pytest.raises(Exception, match="acknowledged"):
        await one.launch()
    await two.launch()
    assert two.claim().by not in {"", None}
    assert still_novita.journal("create") == []


async def test_two_that_work_side_by_side_on_many_objects_make_one_machine_for_each(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """With lost answers on both sides of the call."""
    names = [f"trainer-{number}" for number in range(6)]
    for name in names:
        cluster.apply(name)
    one, two = await start_parts(), await start_parts()
    still_novita.fault("lost_after", "create", times=2)
    async with one.at_work(), two.at_work():
        for parts in (one, two):
            await parts.learn()

        async def settle() -> None:
            for parts in (one, two):
                await parts.poller.poll()
                await parts.learn()
                for uid in parts.memory.entries:
                    parts.queue.add(uid)

        async with asyncio.timeout(20):
            while not all(len(alive(still_novita, one, name)) == 1 for name in names) or not all(
                one.known(name).status.instance_id for name in names
            ):
                await settle()
                await asyncio.sleep(0.02)
    assert set(still_novita.ledger().max_alive.values()) == {1}
    assert len(still_novita.journal("create")) == len(names)
    assert still_novita.journal("delete") == []


async def test_a_process_with_an_older_claim_in_memory_does_not_delete_the_newer_claim_s_machine(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    one, stale = await start_parts(), await start_parts()
    await one.launch()
    await stale.launch()
    older = stale.claim()
    still_novita.vanish(still_novita.machine(older.machine).id)
    await relaunched(one)
    assert stale.claim() == older != one.claim()
    await stale.see()
    assert still_novita.journal("delete") == []
    assert stale.claim() == one.claim()


async def test_an_object_that_has_changed_since_it_was_decided_on_is_not_released(
    cluster: Cluster, start_parts: StartParts
) -> None:
    """Nor is its machine told of as left running: it may now be wanted gone."""
    cluster.apply("trainer", deletionPolicy="Retain")
    one, stale = await start_parts(), await start_parts()
    await one.launch()
    await stale.launch()
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    await stale.learn()
    await stale.poller.poll()
    cluster.patch("trainer", {"metadata": {"labels": {"a": "b"}}})
    await stale.look()
    assert cluster.names() == ["trainer"]
    noted = cluster.kubectl(
        "get", "configmap", "novita-operator-retained", "-n", HOME, "--ignore-not-found", "-o", "yaml"
    )
    assert str(stale.known().status.instance_id) not in noted


async def test_an_object_whose_machine_is_gone_is_not_released_if_it_has_changed(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    await parts.see()
    cluster.kubectl("delete", "gpui", "trainer", "--wait=false")
    await parts.learn()
    await parts.see()
    still_novita.vanish(str(parts.known().status.instance_id))
    cluster.patch("trainer", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Conflict):
        await parts.see()
    assert cluster.names() == ["trainer"]


async def test_a_genuine_duplicate_is_deleted_at_the_next_list_and_counted(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    before = duplicates_deleted()
    duplicate = planted(still_novita, parts.known(), "zzzzzzzz")
    async with parts.at_work():
        await parts.poller.poll()
        await until(lambda: len(still_novita.journal("delete")) == 1)
        await parts.poller.poll()
    assert [asked.machine_id for asked in still_novita.journal("delete")] == [duplicate]
    assert alive(still_novita, parts) == [parts.claim().machine]
    assert duplicates_deleted() == before + 1


async def test_a_look_alike_of_another_cluster_is_no_duplicate(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    planted(still_novita, parts.known(), "zzzzzzzz", cluster_id=f"not-{CLUSTER_ID}")
    await parts.see()
    await parts.see()
    assert still_novita.journal("delete") == []


async def test_a_duplicate_of_an_object_that_was_replaced_by_another_of_its_name_is_left_to_the_sweep(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """Memory is behind: the object is gone, and a new one bears its name."""
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    planted(still_novita, parts.known(), "zzzzzzzz")
    gone = parts.uid()
    cluster.patch("trainer", {"metadata": {"finalizers": None}})
    cluster.delete("trainer")
    cluster.apply("trainer")
    await parts.poller.poll()
    async with parts.at_work():
        parts.queue.add(gone)
        await until(lambda: gone not in parts.memory.entries and parts.known().claim is not None)
    assert still_novita.journal("delete") == []
    assert len(alive(still_novita, parts)) == 1


async def test_a_copied_claim_is_none_for_the_other_object(
    cluster: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    cluster.apply("trainer")
    parts = await start_parts()
    await parts.launch()
    cluster.apply("copy", annotations={CLAIM_ANNOTATION: parts.claim().annotation()})
    await parts.launch("copy")
    assert parts.claim("copy").machine != parts.claim().machine
    assert (len(alive(still_novita, parts)), len(alive(still_novita, parts, "copy"))) == (1, 1)


async def relaunched(parts: Parts) -> None:
    """Its machine is gone, and long enough: the operator launches anew."""
    before = parts.claim()
    for _ in range(20):
        parts.clock.turn(W + LAG)
        await parts.see()
        if parts.claim() != before:
            return
    raise AssertionError(f"not launched anew: {parts.reason()}")


def duplicates_deleted() -> float:
    return metrics.REGISTRY.get_sample_value("novita_gpu_instance_duplicates_deleted_total") or 0
