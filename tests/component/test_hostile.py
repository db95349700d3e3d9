"""Bad input from Novita: one wrong thing at a time, then everything at random. No hand moves, and status is true."""

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import stamina

from component.operator_fixtures import FOREIGN, SECRET, WRITES, StartOperator
from component.operator_parts import CLUSTER_ID, LAG, Parts, StartParts, W, alive
from controlplane.plane import ControlPlane
from novita_operator.cluster.errors import ClusterError
from novita_operator.model.claim import CLAIM_ANNOTATION
from novita_operator.model.naming import MARK_ENV, machine_name
from novita_simulator.client import Simulator
from stage import Cluster, eventually

pytestmark = pytest.mark.server

LONG = 1000.0
PRODUCT = "4090.16c62g"
DISGUISES: dict[str, tuple[dict[str, object], str]] = {
    "an unknown status word": ({"status": "haunted"}, "UnknownState"),
    "a status word of 1 MB": ({"status": "x" * 10**6}, "UnknownState"),
    "a status that is no word": ({"status": {"status": "running"}}, "UnknownState"),
    "a name of 10,000 characters": ({"name": "x" * 10_000}, "NotOurs"),
    "another name": ({"name": "renamed-by-hand"}, "NotOurs"),
    "another mark": ({"envs": [{"key": MARK_ENV, "value": "another/default/trainer/uid-1"}]}, "NotOurs"),
    "no mark": ({"envs": []}, "NotOurs"),
    "an id with a path": ({"id": "../../gpu/instance"}, "NovitaUnreachable"),
    "no id": ({"id": None}, "NovitaUnreachable"),
    "the id of another machine": ({"id": "of a colleague"}, "NovitaUnreachable"),
    "a price below zero": ({"price": "-36000", "instancePrice": -1}, "Running"),
    "dates beyond the calendar": (
        {"createdAt": "99999999999999", "lastStartedAt": "253402300799", "lastStoppedAt": -(10**30)},
        "Running",
    ),
    "dates long before": ({"createdAt": 1, "lastStartedAt": "1", "lastStoppedAt": 1}, "Running"),
    "addresses of 10,000 characters": (
        {"portMappings": [{"port": port, "type": "http", "endpoint": "x" * 10_000} for port in range(1, 100)]},
        "Starting",
    ),
    "labels of 10,000 characters": (
        {
            "productId": "x" * 10_000,
            "productName": "x" * 10_000,
            "clusterId": "x" * 10_000,
            "clusterName": "x" * 10_000,
        },
        "Running",
    ),
}
"""What the wire shows of a running machine, and what Ready then says."""


@pytest.fixture(autouse=True)
def no_waits_between_attempts() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture
def resources(plane: ControlPlane, namespace: str) -> Iterator[Cluster]:
    cluster = Cluster(plane, namespace)
    yield cluster
    for name in cluster.names():
        cluster.patch(name, {"metadata": {"finalizers": None}})


def writes(novita: Simulator) -> Counter[str]:
    return Counter(asked.operation for asked in novita.journal() if asked.operation in WRITES)


def moves(novita: Simulator) -> Counter[str]:
    """Without starts of what ran already: a status may be changed into `exited`, and then a start is right."""
    refused = Counter(start=sum(not asked.is_applied for asked in novita.journal("start")))
    return writes(novita) - refused


async def until_running(parts: Parts, novita: Simulator, name: str = "trainer") -> str:
    """Launch, and let it come up; the machine's id."""
    await parts.launch(name)
    await parts.look(name)
    novita.advance(LONG)
    await parts.see(name)
    assert parts.reason(name) == "Running"
    machine_id = parts.known(name).status.instance_id
    assert machine_id is not None
    return machine_id


async def go_on(parts: Parts, rounds: int = 8) -> None:
    """Lists and looks, until every proof of absence that there can be would have been found."""
    for _ in range(rounds):
        parts.clock.turn((W + LAG) / 4)
        await parts.see()
        await parts.look()


@pytest.mark.parametrize("disguise", DISGUISES)
async def test_a_machine_that_shows(
    resources: Cluster, still_novita: Simulator, start_parts: StartParts, disguise: str
) -> None:
    """Nothing is stopped, deleted or launched anew, and when it is over the resource is as before."""
    members, reason = DISGUISES[disguise]
    if disguise == "the id of another machine":
        members = {"id": next(machine.id for machine in still_novita.machines())}
    resources.apply("trainer", ports=[{"port": 8000}])
    parts = await start_parts()
    machine_id = await until_running(parts, still_novita)
    before = parts.known().status
    still_novita.disguise(machine_id, **members)
    await go_on(parts)
    assert parts.reason() == reason
    still_novita.disguise(machine_id)
    await go_on(parts, rounds=2)
    assert writes(still_novita) == {"create": 1}
    assert parts.reason() == "Running"
    after = parts.known().status
    assert (after.instance_id, after.endpoints) == (machine_id, before.endpoints)
    assert (after.product_id, after.region, after.hourly_price) == (before.product_id, before.region, "0.18")


async def test_a_product_at_a_price_below_zero_is_not_bought(
    resources: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    still_novita.set_price(PRODUCT, price=-36000, spot_price=-18000)
    resources.apply("trainer")
    await (parts := await start_parts()).launch()
    assert parts.reason() == "ProductNotFound"
    assert writes(still_novita) == {}


async def test_a_machine_with_a_name_of_10000_characters_and_our_mark_is_no_duplicate(
    resources: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    resources.apply("trainer")
    parts = await start_parts()
    await until_running(parts, still_novita)
    mark = parts.known().mark(CLUSTER_ID)
    still_novita.plant("x" * 10_000 + machine_name(mark, "bbbbbbbb"), envs={MARK_ENV: str(mark)})
    await go_on(parts, rounds=2)
    assert writes(still_novita) == {"create": 1}
    assert parts.reason() == "Running"


async def test_what_the_list_calls_a_duplicate_and_novita_alone_does_not_is_not_deleted(
    resources: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """The list shows another's machine with our name and mark; asked for it alone, Novita says the truth."""
    resources.apply("trainer")
    parts = await start_parts()
    await until_running(parts, still_novita)
    mark = parts.known().mark(CLUSTER_ID)
    colleague = next(machine.id for machine in still_novita.machines() if machine.name in FOREIGN)
    still_novita.disguise(colleague, name=machine_name(mark, "bbbbbbbb"), envs=[{"key": MARK_ENV, "value": str(mark)}])
    await parts.poller.poll()
    still_novita.disguise(colleague)
    await parts.look()
    assert parts.reason() == "Retrying"
    await go_on(parts, rounds=2)
    assert parts.reason() == "Running"
    assert writes(still_novita) == {"create": 1}


async def test_a_wrong_id_in_the_answer_of_the_create_leads_to_no_second_machine(
    resources: Cluster, still_novita: Simulator, start_parts: StartParts
) -> None:
    """The id is unknown to Novita, and lists do not show the machine for long: it is asked for by name as well."""
    resources.apply("trainer")
    parts = await start_parts()
    machine_id = await until_running(parts, still_novita)
    still_novita.disguise(machine_id, id="an-id-that-nobody-knows")
    await parts.see()
    assert parts.known().status.instance_id == "an-id-that-nobody-knows"
    still_novita.disguise(machine_id)
    lever = still_novita.fault("slipped_item", "list", name=parts.claim().machine, total_agrees=True, times=None)
    await go_on(parts)
    assert lever
    still_novita.clear()
    await go_on(parts, rounds=2)
    assert writes(still_novita) == {"create": 1}
    assert parts.known().status.instance_id == machine_id


@pytest.mark.parametrize("created", ["1", "253402300799"])
async def test_a_lost_claim_is_rebuilt_without_believing_an_absurd_date(
    resources: Cluster, still_novita: Simulator, start_parts: StartParts, created: str
) -> None:
    """Believed, the machine would have been on its way up since 1970, and deleted for it."""
    resources.apply("trainer")
    parts = await start_parts()
    await until_running(parts, still_novita)
    resources.patch("trainer", {"metadata": {"annotations": {CLAIM_ANNOTATION: None}}, "status": {}})
    after = await start_parts()
    machine_id = parts.known().status.instance_id
    assert machine_id is not None
    still_novita.disguise(machine_id, createdAt=created, status="pulling", lastStartedAt="0")
    await after.learn()
    await after.see()
    await after.learn()
    await after.see()
    assert after.claim().at <= datetime.now(UTC) + timedelta(hours=1)
    assert writes(still_novita) == {"create": 1}


@pytest.mark.parametrize("seed", range(2))
async def test_answers_changed_at_random_move_no_hand_and_leave_a_true_status(
    resources: Cluster, still_novita: Simulator, start_parts: StartParts, seed: int
) -> None:
    """What is wanted is there already: whatever Novita says, nothing is launched, stopped or deleted."""
    names = [f"worker-{number}" for number in range(3)]
    for name in names:
        resources.apply(name, ports=[{"port": 8000}], env=[{"name": "TOKEN", "value": SECRET}])
    parts = await start_parts()
    ids = {name: await until_running(parts, still_novita, name) for name in names}
    still_novita.fault("garbled", times=None, seed=seed)
    chance = random.Random(seed)
    for _ in range(50):
        parts.clock.turn(chance.uniform(1, 30))
        await parts.poller.poll()
        for name in names:
            with contextlib.suppress(ClusterError):
                await parts.look(name)
        await parts.learn()
    assert moves(still_novita) == {"create": 3}
    still_novita.clear()
    parts.clock.turn(LONG)
    for name in names * 2:
        await parts.see(name)
    for name in names:
        assert (parts.reason(name), parts.known(name).status.instance_id) == ("Running", ids[name])
        assert len(alive(still_novita, parts, name)) == 1
    assert moves(still_novita) == {"create": 3}


def test_a_process_that_hears_nothing_but_changed_answers_lives_and_comes_to_rest(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    operator = start_operator(NOVITA_OPERATOR_ORPHAN_POLICY="Delete")
    names = [f"worker-{number}" for number in range(4)]
    for name in names:
        cluster.apply(name)
    for name in names:
        cluster.wait(name, "Ready")
    novita.clear_journal()
    lever = novita.fault("garbled", times=None, seed=7)
    cluster.apply("coming")

    def fired() -> int:
        return next(view.fired for view in novita.faults() if view.id == lever)

    eventually(lambda: fired() >= 15, "answers were changed", seconds=60)
    assert operator.process.poll() is None
    assert operator.get("/livez").status_code == 200
    assert operator.get("/readyz").status_code == 200
    novita.clear()
    for name in (*names, "coming"):
        cluster.wait(name, "Ready", 90)
    assert operator.process.poll() is None
    assert set(moves(novita)) <= {"create"}
    shown = {machine.name: machine.id for machine in novita.machines()}
    for name in (*names, "coming"):
        status = cluster.status(name)
        assert status["instanceId"] == shown[status["machineName"]]
