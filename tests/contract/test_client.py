"""The client against the simulator: every question of the port, every way in which Novita is known to answer."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
import stamina

from leaks import FED
from novita_operator.cloud.credentials import Credentials
from novita_operator.cloud.errors import (
    BadState,
    CloudError,
    IncompleteList,
    NotFound,
    NotPermitted,
    NotSent,
    OutOfStock,
    QuotaExceeded,
    Refused,
    Throttled,
    Unauthorized,
    Unknown,
)
from novita_operator.cloud.novita import Novita
from novita_operator.cloud.pacing import Gate
from novita_operator.model.machine import Endpoint, MachineState, SpotStatus
from novita_operator.model.market import Offer, Order, Region
from novita_operator.model.naming import MARK_ENV, Mark
from novita_operator.model.resource import BillingMode, EnvVar, Port, PortProtocol
from novita_simulator import seed
from novita_simulator.client import Simulator
from novita_simulator.faults import Cut, Write
from novita_simulator.running import running

MARK = Mark("cluster-1", "team-a", "trainer", "uid-1")
SECRET = FED.feed("a value of an environment", "hunter2-and-more")
NOBODY = "0000000000000000"


@pytest.fixture(autouse=True)
def no_waits_between_attempts() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running(has_foreign_machines=False) as simulator:
        yield simulator


class Key:
    """A key that can be rotated."""

    def __init__(self, text: str = seed.MAIN_KEY) -> None:
        self.text = text

    def __call__(self) -> str:
        return self.text


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
async def novita(simulator: Simulator, key: Key) -> AsyncIterator[Novita]:
    async with client(simulator.url, key) as novita:
        yield novita


def client(url: str, key: Key, **options: Any) -> Novita:
    gate = Gate(calls_per_minute=6000, clock=time.monotonic, random=lambda: 0.0)
    return Novita(key=key, gate=gate, version="0.0.0", base_url=url, **options)


def fence() -> None:
    """Lets everything through."""


def order(name: str = "team-a-trainer", **changes: Any) -> Order:
    offer = Offer("4090.16c62g", "RTX 4090 24GB", seed.CALIFORNIA, "US-CA-06", BillingMode.SPOT, 1, Decimal("0.18"))
    fields: dict[str, Any] = {
        "name": name,
        "offer": offer,
        "image": "docker.io/acme/worker:1.9",
        "image_auth_id": "",
        "command": "",
        "entrypoint": "",
        "env": (EnvVar(name="TOKEN", value=SECRET), EnvVar(name=MARK_ENV, value=str(MARK))),
        "ports": (Port(port=8000), Port(port=22, protocol=PortProtocol.TCP)),
        "disk_gb": 60,
        "min_cuda_version": "",
    }
    return Order(**fields | changes)


async def create(novita: Novita, wanted: Order | None = None) -> str:
    async with novita.admit_create() as admission:
        return await admission.create(wanted or order(), fence)


async def running_machine(novita: Novita, simulator: Simulator) -> str:
    machine_id = await create(novita)
    simulator.advance(1000)
    assert (await novita.machine(machine_id)).state is MachineState.RUNNING
    return machine_id


def seen(simulator: Simulator, operation: str) -> int:
    return len(simulator.journal(operation))


async def test_a_created_machine_is_found_by_list_by_name_and_by_id(novita: Novita, simulator: Simulator):
    machine_id = await running_machine(novita, simulator)
    (listed,) = await novita.machines()
    assert (listed.id, listed.name, listed.state) == (machine_id, "team-a-trainer", MachineState.RUNNING)
    assert (listed.mark, listed.billing, listed.spot) == (MARK, BillingMode.SPOT, SpotStatus.RUNNING)
    assert (listed.product_id, listed.region_id, listed.region) == ("4090.16c62g", "us-ca-6", "US-CA-06")
    assert listed.endpoints is not None
    assert listed.endpoints[0] == Endpoint(
        8000, PortProtocol.HTTP, f"https://{machine_id}-8000.us-ca-6.gpu-instance.novita.ai"
    )
    assert await novita.machines_named("team-a-trainer") == (listed,)
    assert (await novita.machine(machine_id)).mark == MARK


async def test_numbers_may_come_as_numbers(novita: Novita, simulator: Simulator):
    simulator.quirks(numbers="ints")
    machine_id = await running_machine(novita, simulator)
    assert [machine.id for machine in await novita.machines()] == [machine_id]


async def test_names_are_compared_exactly(novita: Novita, simulator: Simulator):
    simulator.plant("trainer")
    simulator.plant("trainer-2")
    assert [machine.name for machine in await novita.machines_named("trainer")] == ["trainer"]
    assert await novita.machines_named("train") == ()


@pytest.mark.parametrize("first_page", [0, 1])
async def test_a_list_of_250_machines_is_complete_whatever_the_page_base(
    novita: Novita, simulator: Simulator, first_page: int
):
    simulator.quirks(first_page=first_page)
    planted = simulator.plant("herd", count=250)
    assert {machine.id for machine in await novita.machines()} == {machine.id for machine in planted}
    assert seen(simulator, "list") == 3 + first_page


async def test_a_list_of_100_machines_is_one_call(novita: Novita, simulator: Simulator):
    simulator.plant("herd", count=100)
    assert len(await novita.machines()) == 100
    assert seen(simulator, "list") == 1


async def test_no_machines_are_a_list(novita: Novita):
    assert await novita.machines() == ()


async def test_a_page_that_comes_twice_is_no_list(novita: Novita, simulator: Simulator):
    simulator.plant("herd", count=250)
    simulator.fault("duplicate_page", "list", page=1)
    with pytest.raises(IncompleteList):
        await novita.machines()


async def test_an_item_that_slips_between_pages_is_no_list(novita: Novita, simulator: Simulator):
    simulator.plant("herd", count=250)
    simulator.fault("slipped_item", "list", name="herd-120")
    with pytest.raises(IncompleteList):
        await novita.machines()


async def test_a_page_that_fails_for_good_is_no_list(novita: Novita, simulator: Simulator):
    simulator.plant("herd", count=250)
    simulator.fault("status_before", "list", page=2, status=502, times=None)
    with pytest.raises(Unknown):
        await novita.machines()
    assert seen(simulator, "list") == 2 + 3


async def test_the_verbs_lead_where_they_say(novita: Novita, simulator: Simulator):
    machine_id = await running_machine(novita, simulator)
    for verb, state in (
        (novita.stop, MachineState.TO_STOP),
        (novita.start, MachineState.TO_START),
        (novita.restart, MachineState.TO_RESTART),
        (novita.delete, MachineState.TO_REMOVE),
    ):
        await verb(machine_id, fence)
        assert (await novita.machine(machine_id)).state is state
        simulator.advance(1000)
    with pytest.raises(NotFound):
        await novita.machine(machine_id)


async def test_the_verbs_may_answer_with_nothing(novita: Novita, simulator: Simulator):
    simulator.quirks(power_answer="empty", delete_answer="empty")
    machine_id = await running_machine(novita, simulator)
    await novita.stop(machine_id, fence)
    await novita.delete(machine_id, fence)
    assert (await novita.machine(machine_id)).state is MachineState.TO_REMOVE


@pytest.mark.parametrize("reason", ["CONFLICT", "OPERATION_LIMIT", "DEPENDENT_RESOURCE_STATE", "REQUEST"])
async def test_a_second_start_is_the_wrong_state(novita: Novita, simulator: Simulator, reason: str):
    simulator.quirks(wrong_state_reason=reason)
    with pytest.raises(BadState):
        await novita.start(await running_machine(novita, simulator), fence)


@pytest.mark.parametrize("variant", ["400", "404", "empty_200"])
async def test_an_unknown_machine_is_not_found_in_every_variant(novita: Novita, simulator: Simulator, variant: str):
    simulator.quirks(not_found=variant)
    with pytest.raises(NotFound):
        await novita.machine(NOBODY)
    assert seen(simulator, "get") == 1


@pytest.mark.parametrize("variant", ["400", "404"])
async def test_a_delete_of_an_unknown_machine_is_not_found(novita: Novita, simulator: Simulator, variant: str):
    simulator.quirks(not_found=variant)
    with pytest.raises(NotFound):
        await novita.delete(NOBODY, fence)


@pytest.mark.parametrize("kind", ["lost_before", "lost_after"])
async def test_a_create_without_an_answer_is_unknown_and_sent_once(novita: Novita, simulator: Simulator, kind: Cut):
    simulator.fault(kind, "create")
    with pytest.raises(Unknown):
        await create(novita)
    assert seen(simulator, "create") == 1
    assert len(simulator.machines()) == (kind == "lost_after")


async def test_a_5xx_to_a_create_is_unknown_and_sent_once(novita: Novita, simulator: Simulator):
    simulator.fault("status_after", "create", status=502)
    with pytest.raises(Unknown):
        await create(novita)
    assert (seen(simulator, "create"), len(simulator.machines())) == (1, 1)


async def test_a_web_page_with_200_to_a_create_is_unknown(novita: Novita, simulator: Simulator):
    simulator.fault("html_200", "create")
    with pytest.raises(Unknown):
        await create(novita)


async def test_a_create_that_hangs_is_unknown_after_its_time(simulator: Simulator, key: Key):
    simulator.fault("hang_after", "create")
    async with client(simulator.url, key, create_seconds=0.2) as novita:
        with pytest.raises(Unknown):
            await create(novita)
    assert len(simulator.machines()) == 1


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "delete"])
async def test_a_verb_without_an_answer_is_unknown_and_sent_once(novita: Novita, simulator: Simulator, verb: Write):
    machine_id = await running_machine(novita, simulator)
    simulator.fault("lost_before", verb)
    with pytest.raises(Unknown):
        await getattr(novita, verb)(machine_id, fence)
    assert seen(simulator, verb) == 1


async def test_a_read_is_repeated_until_it_is_answered(novita: Novita, simulator: Simulator):
    simulator.fault("lost_before", "clusters")
    simulator.fault("status_before", "clusters", status=503)
    assert len(await novita.regions()) == 2
    assert seen(simulator, "clusters") == 3


async def test_a_throttled_read_waits_and_is_repeated(novita: Novita, simulator: Simulator):
    simulator.fault("status_before", "clusters", status=429, reason="RATE_LIMIT_EXCEEDED", retry_after=0)
    assert len(await novita.regions()) == 2
    assert seen(simulator, "clusters") == 2


async def test_a_throttled_create_is_not_repeated(novita: Novita, simulator: Simulator):
    simulator.fault("status_before", "create", status=429, reason="RATE_LIMIT_EXCEEDED", retry_after=0)
    with pytest.raises(Throttled):
        await create(novita)
    assert seen(simulator, "create") == 1


async def test_a_429_on_a_create_without_a_time_is_the_quota(novita: Novita, simulator: Simulator):
    simulator.fault("status_before", "create", status=429, reason="RATE_LIMIT_EXCEEDED")
    with pytest.raises(QuotaExceeded):
        await create(novita)


async def test_a_create_without_stock_is_out_of_stock(novita: Novita, simulator: Simulator):
    simulator.set_stock(0)
    with pytest.raises(OutOfStock):
        await create(novita)


async def test_a_wrong_order_is_refused(novita: Novita):
    with pytest.raises(Refused):
        await create(novita, order(disk_gb=1_000_000))


async def test_a_refused_connection_is_not_sent(unused_tcp_port: int, key: Key):
    async with client(f"http://127.0.0.1:{unused_tcp_port}", key) as novita:
        with pytest.raises(NotSent, match="no connection"):
            await create(novita)
        with pytest.raises(NotSent, match="no connection"):
            await novita.delete(NOBODY, fence)


async def test_a_block_by_the_edge_is_not_the_key_s_fault_and_leaves_a_create_open(
    novita: Novita, simulator: Simulator
):
    simulator.fault("html_403", times=2)
    with pytest.raises(NotSent, match="User-Agent"):
        await novita.machines()
    with pytest.raises(Unknown, match="User-Agent"):
        await create(novita)
    assert novita.credentials_valid is None


async def test_a_wrong_base_url_is_not_sent(simulator: Simulator, key: Key):
    async with client(f"{simulator.url}/elsewhere", key) as novita:
        with pytest.raises(NotSent, match="base URL"):
            await novita.machines()


@pytest.mark.parametrize("bad_key", ["401", "403"])
async def test_a_revoked_key_is_used_only_by_the_list_until_it_changes(
    novita: Novita, simulator: Simulator, key: Key, bad_key: str
):
    await novita.machines()
    assert novita.credentials_valid is True
    simulator.quirks(bad_key=bad_key)
    simulator.revoke_key(seed.MAIN_KEY)
    with pytest.raises(Unauthorized):
        await novita.regions()
    assert novita.credentials_valid is False
    simulator.clear_journal()
    for call in (novita.regions(), novita.machine(NOBODY), novita.machines_named("x"), novita.delete(NOBODY, fence)):
        with pytest.raises(NotSent):
            await call
    with pytest.raises(NotSent):
        await create(novita)
    assert simulator.journal() == []
    with pytest.raises(Unauthorized):
        await novita.machines()
    assert len(simulator.journal()) == 1
    key.text = seed.OTHER_KEY
    assert novita.credentials_valid is None
    await novita.regions()
    assert novita.credentials_valid is True


async def test_a_key_that_may_not_launch_may_go_on_deleting(novita: Novita, simulator: Simulator):
    await novita.machines()
    running = await create(novita)
    simulator.fault("status_before", "create", status=403, reason="FORBIDDEN")
    with pytest.raises(NotPermitted):
        await create(novita)
    assert novita.credentials_valid is True
    await novita.delete(running, fence)


async def test_a_key_that_may_not_list_is_of_no_use(novita: Novita, simulator: Simulator):
    simulator.fault("status_before", "list", status=403, reason="FORBIDDEN")
    with pytest.raises(NotPermitted):
        await novita.machines()
    assert novita.credentials_valid is False


def test_the_end_of_a_call_with_the_old_key_says_nothing_of_the_new_one():
    key = Key("sk_old")
    credentials = Credentials(key)
    assert credentials.key() == "sk_old"
    key.text = "sk_new"
    assert credentials.key() == "sk_new"
    credentials.judge("sk_old", Unauthorized("rejected"))
    assert credentials.valid is None


async def test_the_list_finds_out_that_a_key_works_again(novita: Novita, simulator: Simulator):
    simulator.revoke_key(seed.MAIN_KEY)
    with pytest.raises(Unauthorized):
        await novita.machines()
    simulator.add_key(seed.MAIN_KEY, seed.MAIN_ACCOUNT)
    await novita.machines()
    assert novita.credentials_valid is True
    await novita.regions()


@pytest.mark.parametrize("text", ["", "  \n", "sk_\N{SNOWMAN}", "sk_a\r\nX-Evil: 1"])
async def test_what_cannot_be_a_key_is_never_sent(novita: Novita, simulator: Simulator, key: Key, text: str):
    key.text = text
    with pytest.raises(NotSent, match="API key"):
        await novita.machines()
    assert simulator.journal() == []


async def test_the_catalogue_is_read(novita: Novita):
    assert await novita.regions() == (Region("us-ca-6", "US-CA-06"), Region("cn-hongkong-1", "CN-HK-01"))
    products = {product.id: product for product in await novita.products("us-ca-6", BillingMode.SPOT, 1)}
    cheap = products["4090.16c62g"]
    assert cheap.prices == {BillingMode.ON_DEMAND: Decimal("0.36"), BillingMode.SPOT: Decimal("0.18")}
    assert cheap.deployable
    assert not products["4090.16c96g.v2"].deployable
    assert BillingMode.SPOT not in products["4090.16c96g.v2"].prices


async def test_a_template_is_read_without_a_forged_mark(novita: Novita):
    template = await novita.template("901")
    assert [each.name for each in template.env] == ["MODE"]
    assert [(port.port, port.protocol.value) for port in template.ports] == [
        (8000, "HTTP"),
        (8001, "HTTP"),
        (22, "TCP"),
    ]


async def test_a_deleted_template_is_not_found(novita: Novita, simulator: Simulator):
    simulator.delete_template("901")
    with pytest.raises(NotFound):
        await novita.template("901")


async def test_stored_credentials_are_ids(novita: Novita):
    assert await novita.registry_credential_ids() == {"ra-3"}


async def test_a_fence_holds_a_verb_back(novita: Novita, simulator: Simulator):
    machine_id = await running_machine(novita, simulator)

    def lost() -> None:
        raise NotSent("the lease is lost")

    for verb in (novita.start, novita.stop, novita.restart, novita.delete):
        with pytest.raises(NotSent, match="lease"):
            await verb(machine_id, lost)
    assert [seen(simulator, verb) for verb in ("start", "stop", "restart", "delete")] == [0, 0, 0, 0]


async def test_a_fence_holds_a_create_back_and_is_asked_last(novita: Novita, simulator: Simulator):
    told: list[str] = []

    def too_old() -> None:
        told.append("fence")
        raise NotSent("the claim is too old")

    async with novita.admit_create() as admission:
        told.append("admitted")
        with pytest.raises(NotSent, match="claim"):
            await admission.create(order(), too_old)
    assert told == ["admitted", "fence"]
    assert (seen(simulator, "create"), simulator.machines()) == (0, [])


async def test_secrets_stay_out_of_logs_errors_and_reprs(
    novita: Novita, simulator: Simulator, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    texts = [repr(novita), repr(order())]
    simulator.fault("lost_after", "create")
    simulator.fault(
        "status_before", "create", status=400, reason="VALIDATOR_PARAM", message=f"{SECRET} {seed.MAIN_KEY}"
    )
    for _ in range(2):
        with pytest.raises(CloudError) as caught:
            await create(novita)
        texts += [str(caught.value), repr(caught.value)]
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    await novita.machines()
    texts += [record.getMessage() for record in caplog.records]
    assert not [text for text in texts if SECRET in text or seed.MAIN_KEY in text]


async def test_calls_at_the_same_time_do_not_disturb_each_other(novita: Novita, simulator: Simulator):
    simulator.plant("herd", count=30)
    lists = await asyncio.gather(*(novita.machines() for _ in range(40)))
    assert {len(machines) for machines in lists} == {30}
