"""Novita's objects become our values, whatever form their numbers have and whatever is broken in them."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from novita_operator.cloud import wire
from novita_operator.cloud.errors import IncompleteList, NotFound, Unknown
from novita_operator.cloud.fields import Fields
from novita_operator.model.machine import Endpoint, Machine, MachineState, SpotStatus
from novita_operator.model.market import Offer, Order, Product, Region, Template
from novita_operator.model.naming import MARK_ENV, Mark
from novita_operator.model.resource import BillingMode, EnvVar, Port, PortProtocol

MARK = Mark("cluster-1", "team-a", "trainer", "uid-1")
ITEM = {
    "id": "4be1a90c77d2e655",
    "name": "trainer-7f3c",
    "clusterId": "us-ca-6",
    "clusterName": "US-CA-06 (California)",
    "status": "running",
    "cpuNum": "16",
    "portMappings": [
        {"port": 8000, "endpoint": "https://4be1-8000.example", "type": "http"},
        {"port": "22", "endpoint": "", "type": "tcp"},
        {"port": 53, "endpoint": "x", "type": "udp"},
        {"port": 70000, "endpoint": "x", "type": "tcp"},
    ],
    "productId": "4090.16c62g",
    "productName": "RTX 4090 24GB",
    "statusError": {"state": "oom", "message": "out of memory"},
    "envs": [{"key": "TOKEN", "value": "hunter2-secret"}, {"key": MARK_ENV, "value": str(MARK)}],
    "billingMode": "spot",
    "spotStatus": "notified",
    "spotReclaimTime": "1763710800",
    "createdAt": "1763700000",
    "lastStartedAt": 1763700090,
    "lastStoppedAt": "0",
}


def fields(value: object) -> Fields:
    parsed = Fields.parse(json.dumps(value).encode())
    assert parsed is not None
    return parsed


def machine(**changes: object) -> Machine:
    return wire.read_page(fields({"instances": [ITEM | changes], "total": 1})).machines[0]


def unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_a_machine_is_read_whole():
    assert machine() == Machine(
        id="4be1a90c77d2e655",
        name="trainer-7f3c",
        state=MachineState.RUNNING,
        mark=MARK,
        product_id="4090.16c62g",
        product_name="RTX 4090 24GB",
        region_id="us-ca-6",
        region="US-CA-06",
        billing=BillingMode.SPOT,
        endpoints=(
            Endpoint(8000, PortProtocol.HTTP, "https://4be1-8000.example"),
            Endpoint(22, PortProtocol.TCP, ""),
        ),
        spot=SpotStatus.NOTIFIED,
        reclaim_at=unix(1763710800),
        error="oom: out of memory",
        created=unix(1763700000),
        started=unix(1763700090),
        stopped=None,
    )


def test_machines_share_the_words_that_they_repeat_and_no_others():
    one, other = machine(), machine()
    words = ("product_id", "product_name", "region_id", "region")
    assert all(getattr(one, word) is getattr(other, word) for word in words)
    assert one.name is not other.name


def test_of_a_machine_s_environment_only_the_mark_is_kept():
    assert "hunter2" not in repr(machine())


def test_a_failure_that_quotes_the_environment_is_redacted():
    assert machine(statusError={"state": "", "message": "bad hunter2-secret"}).error == "bad [redacted]"


@pytest.mark.parametrize("word", ["", "error", "RUNNING", None, 7, ["running"]])
def test_an_unknown_word_is_the_unknown_state(word: object):
    assert machine(status=word).state is MachineState.UNKNOWN


@pytest.mark.parametrize("garbage", ["", "0", "-1", "soon", None, True, [], {}, "NaN", "1e400", 10**30, 1763700000000])
def test_a_time_that_is_none_is_none(garbage: object):
    assert machine(createdAt=garbage).created is None


def test_the_older_names_of_times_are_understood():
    old = {key: value for key, value in ITEM.items() if key not in ("lastStartedAt", "lastStoppedAt")}
    shown = wire.read_page(fields({"instances": [old | {"startedAt": "5", "stoppedAt": "9"}], "total": "1"})).machines[
        0
    ]
    assert (shown.started, shown.stopped) == (unix(5), unix(9))


def test_an_id_may_be_a_number():
    assert machine(id=26).id == "26"


def test_an_answer_without_ports_says_nothing_about_them():
    assert machine(portMappings=None).endpoints is None
    assert machine(portMappings=[]).endpoints == ()


def test_every_field_but_the_id_may_be_broken():
    garbage: tuple[object, ...] = (None, [], {}, 0, "", "\ud800", [None], [[]], {"state": 1})
    for broken in garbage:
        changes: dict[str, object] = dict.fromkeys(ITEM, broken) | {"id": "m-1"}
        assert machine(**changes).id == "m-1"


def test_half_a_character_becomes_one_that_can_be_written_on():
    assert machine(name="a\ud800").name == "a?"


@pytest.mark.parametrize("mark", ["", "a/b", "a/b/c/d/e", "///"])
def test_a_mark_that_is_none_is_none(mark: str):
    assert machine(envs=[{"key": MARK_ENV, "value": mark}]).mark is None


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"instances": []},
        {"total": 1},
        {"instances": [], "total": -1},
        {"instances": [], "total": "many"},
        {"instances": {}, "total": 1},
        {"instances": [{"name": "nameless"}], "total": 1},
        {"instances": [{"id": ""}], "total": 1},
        {"instances": [None], "total": 1},
    ],
    ids=json.dumps,
)
def test_what_is_no_list_is_no_list(answer: object):
    with pytest.raises(IncompleteList):
        wire.read_page(fields(answer))


def test_no_machines_is_a_list():
    empty: tuple[object, ...] = ([], None)
    for instances in empty:
        assert wire.read_page(fields({"instances": instances, "total": "0"})) == wire.Page((), 0)


def test_a_single_machine_is_read_unwrapped():
    assert wire.machine_reader("4be1a90c77d2e655")(fields(ITEM)) == machine()


def test_a_single_answer_without_an_id_is_not_found():
    with pytest.raises(NotFound):
        wire.machine_reader("m-1")(fields({}))


def test_another_machine_than_asked_for_is_no_answer():
    with pytest.raises(Unknown):
        wire.machine_reader("m-1")(fields(ITEM))


PRODUCT = {
    "id": "4090.16c62g",
    "name": "RTX 4090 24GB",
    "availableDeploy": True,
    "inventoryState": "low",
    "minRootFS": "10",
    "maxRootFS": 1500,
    "price": "36000",
    "spotPrice": 18000,
    "billingMethods": ["onDemand", "monthly", "spot"],
}


def product(**changes: object) -> Product:
    return wire.read_products(fields({"data": [PRODUCT | changes]}))[0]


def test_a_product_is_read_with_its_prices_in_usd():
    prices = {BillingMode.ON_DEMAND: Decimal("0.36"), BillingMode.SPOT: Decimal("0.18")}
    assert product() == Product("4090.16c62g", "RTX 4090 24GB", True, prices, 10, 1500)  # noqa: FBT003  a value


def test_a_product_without_stock_is_not_deployable():
    assert not product(inventoryState="none").deployable
    assert not product(availableDeploy=False).deployable
    assert not product(availableDeploy=None).deployable


def test_a_mode_that_is_not_sold_has_no_price():
    assert BillingMode.SPOT not in product(spotPrice="0").prices
    assert BillingMode.SPOT not in product(billingMethods=["onDemand"]).prices
    assert BillingMode.SPOT in product(billingMethods=None).prices


def test_a_product_without_an_id_is_passed_over():
    assert wire.read_products(fields({"data": [{"name": "nameless"}, None]})) == ()


def test_a_catalogue_without_its_list_is_no_catalogue():
    for read in (wire.read_products, wire.read_regions, wire.read_credential_ids):
        with pytest.raises(Unknown):
            read(fields({}))


def test_a_region_is_named_without_its_place():
    answer = {"data": [{"id": "us-ca-6", "name": "US-CA-06 (California)"}]}
    assert wire.read_regions(fields(answer)) == (Region("us-ca-6", "US-CA-06"),)


TEMPLATE = {
    "Id": "901",
    "image": "docker.io/acme/worker:1.9",
    "imageAuth": "ra-3",
    "startCommand": "serve",
    "entrypoint": "",
    "rootfsSize": "80",
    "ports": [
        {"type": "http", "ports": [8000, "8001", 2222, 0, 70000, "x"]},
        {"type": "udp", "ports": [53]},
        {"type": "tcp", "ports": [22]},
    ],
    "envs": [
        {"key": "MODE", "value": "prod"},
        {"key": "9 lives & more", "value": "x" * 5000},
        {"key": MARK_ENV, "value": "forged"},
        {"key": "", "value": "nameless"},
    ],
    "minCudaVersion": "12.4",
}


def template(**changes: object) -> Template:
    return wire.template_reader("901")(fields({"template": TEMPLATE | changes}))


def test_a_template_is_read_with_flat_ports():
    read = template()
    assert (read.id, read.image, read.image_auth_id, read.command) == ("901", TEMPLATE["image"], "ra-3", "serve")
    assert (read.disk_gb, read.min_cuda_version) == (80, "12.4")
    assert [(port.port, port.protocol.value) for port in read.ports] == [(8000, "HTTP"), (8001, "HTTP"), (22, "TCP")]


def test_a_template_keeps_names_that_a_spec_could_not_have_but_never_ours():
    assert [each.name for each in template().env] == ["MODE", "9 lives & more"]


def test_a_template_does_not_show_its_values():
    assert "prod" not in repr(template())


def test_every_field_of_a_template_but_the_id_may_be_broken():
    garbage: tuple[object, ...] = (None, [], {}, 0, "", [None], [{"ports": None, "type": None}])
    for broken in garbage:
        changes: dict[str, object] = dict.fromkeys(TEMPLATE, broken) | {"Id": 901}
        assert template(**changes).id == "901"


def test_an_answer_without_a_template_is_not_found():
    answers: tuple[dict[str, object], ...] = ({}, {"template": None}, {"template": {}})
    for answer in answers:
        with pytest.raises(NotFound):
            wire.template_reader("901")(fields(answer))


def test_of_credentials_only_the_ids_are_kept():
    answer = {"data": [{"id": "ra-3", "name": "docker.io", "username": "acme", "password": "hunter2"}]}
    assert wire.read_credential_ids(fields(answer)) == {"ra-3"}


def order(*, min_cuda_version: str = "12.4") -> Order:
    offer = Offer("p-1", "RTX", "us-ca-6", "US-CA-06", BillingMode.ON_DEMAND, 2, Decimal("0.72"))
    return Order(
        name="team-a-trainer",
        offer=offer,
        image="docker.io/acme/worker:1.9",
        image_auth_id="ra-3",
        command="serve",
        entrypoint="/init",
        env=(EnvVar(name="TOKEN", value="hunter2"), EnvVar(name=MARK_ENV, value=str(MARK))),
        ports=(Port(port=8000), Port(port=22, protocol=PortProtocol.TCP)),
        disk_gb=60,
        min_cuda_version=min_cuda_version,
    )


def test_an_order_becomes_the_body_of_a_create():
    assert wire.create_body(order()) == {
        "name": "team-a-trainer",
        "productId": "p-1",
        "gpuNum": 2,
        "rootfsSize": 60,
        "imageUrl": "docker.io/acme/worker:1.9",
        "imageAuthId": "ra-3",
        "ports": "8000/http,22/tcp",
        "envs": [{"key": "TOKEN", "value": "hunter2"}, {"key": MARK_ENV, "value": str(MARK)}],
        "command": "serve",
        "entrypoint": "/init",
        "clusterId": "us-ca-6",
        "kind": "gpu",
        "billingMode": "onDemand",
        "minCudaVersion": "12.4",
    }


def test_no_cuda_version_is_asked_for_where_none_is_wanted():
    assert "minCudaVersion" not in wire.create_body(order(min_cuda_version=""))


def test_a_created_machine_has_an_id_or_the_outcome_is_unknown():
    assert wire.read_created_id(fields({"id": 7})) == "7"
    for answer in ({}, {"id": ""}, {"id": None}, {"data": {"id": "m-1"}}):
        with pytest.raises(Unknown):
            wire.read_created_id(fields(answer))


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'"text"', b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000])
def test_what_is_no_object_is_none(body: bytes):
    assert Fields.parse(body) is None


@pytest.mark.parametrize(
    "literal", ["1e99999999999999999999", "-1e-99999999999999999999", "9" * 5000, "1e999999", "NaN"]
)
def test_a_number_that_nobody_can_hold_is_not_there_and_harms_nothing_beside_it(literal: str):
    parsed = Fields.parse(f'{{"id": "m-1", "total": {literal}}}'.encode())
    assert parsed is not None
    assert (parsed.id("id"), parsed.whole("total"), parsed.usd("total"), parsed.text("total")) == (
        "m-1",
        None,
        None,
        "",
    )


@pytest.mark.parametrize("word", ["../x", "a/b", "a b", "a\n", "", "-a", "x" * 254, "\N{SNOWMAN}", True, None, ["a"]])
def test_what_can_be_no_id_is_none(word: object):
    assert fields({"id": word}).id("id") == ""
    with pytest.raises(IncompleteList):
        wire.read_page(fields({"instances": [ITEM | {"id": word}], "total": 1}))
    with pytest.raises(Unknown):
        wire.read_created_id(fields({"id": word}))


def test_a_list_that_shows_an_id_twice_is_no_list():
    with pytest.raises(IncompleteList, match="one id"):
        wire.read_page(fields({"instances": [ITEM, ITEM | {"name": "another"}], "total": 1}))


@pytest.mark.parametrize("answer", [{"name": "trainer"}, {"id": "", "status": "running"}, {"id": "../x"}])
def test_a_machine_that_is_described_and_not_named_is_unknown_and_not_absent(answer: object):
    with pytest.raises(Unknown):
        wire.machine_reader("m-1")(fields(answer))


def test_another_template_than_was_asked_for_is_unknown():
    with pytest.raises(Unknown):
        wire.template_reader("901")(fields({"template": {"Id": "902", "image": "evil"}}))


def test_what_is_written_into_status_fits_it():
    ports = [{"port": 1 + number, "type": "http", "endpoint": "x" * 513} for number in range(40)]
    shown = machine(productName="x\x1b" * 500, clusterName="y" * 10_000, clusterId="z" * 10_000, portMappings=ports)
    assert (len(shown.product_name), shown.product_name[:2]) == (255, "x?")
    assert (len(shown.region), len(shown.region_id)) == (63, 63)
    assert shown.endpoints is not None
    assert {endpoint.address for endpoint in shown.endpoints} == {""}
    assert len(shown.endpoints) == 32


def test_a_price_is_a_whole_count_of_units():
    assert fields({"price": "36000.4999"}).usd("price") == Decimal("0.36")


def test_a_failure_is_one_printable_line():
    assert machine(statusError={"state": "oom", "message": "a\r\nb\x1b[2J\x00c"}).error == "oom: a b [2J c"


def test_a_template_port_of_thousands_of_digits_is_none():
    template = {"Id": "1", "ports": [{"type": "http", "ports": ["9" * 5000, "8000", 2223, 1.5]}]}
    assert wire.template_reader("1")(fields({"template": template})).ports == (Port(port=8000),)
