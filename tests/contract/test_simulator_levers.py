"""Each lever of the simulator shows its effect on the wire."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal

import httpx2
import pytest

from novita_simulator import seed
from novita_simulator.client import Simulator
from novita_simulator.faults import Kind
from novita_simulator.machine import OWNER_ENV
from novita_simulator.operations import BASE
from novita_simulator.running import running

UID = "6b1f0a5e-1111-4222-8333-444455556666"
ORDER = {
    "name": "trainer",
    "productId": "4090.16c62g",
    "gpuNum": 1,
    "rootfsSize": 60,
    "imageUrl": "docker.io/acme/worker:1.9",
    "kind": "gpu",
    "billingMode": "spot",
    "clusterId": seed.CALIFORNIA,
    "envs": [{"key": OWNER_ENV, "value": f"cluster/default/trainer/{UID}"}],
}
UNTIL_RUNNING = 100
Body = dict[str, object]


class Caller:
    """Novita's API with a key, and nothing more."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": "levers/1"}
        self.http = httpx2.Client(base_url=f"{url}{BASE}", headers=headers, timeout=10, verify=False)

    def get(self, path: str, **query: str | int) -> httpx2.Response:
        return self.http.get(path, params=query)

    def create(self, **changes: object) -> httpx2.Response:
        return self.http.post("/gpu/instance/create", json=ORDER | changes)

    def verb(self, verb: str, machine_id: str) -> httpx2.Response:
        return self.http.post(f"/gpu/instance/{verb}", json={"instanceId": machine_id})

    def page(self, number: int, size: int = 2) -> tuple[list[str], int]:
        answer = self.get("/gpu/instances", pageNum=number, pageSize=size).json()
        return [item["name"] for item in answer["instances"]], answer["total"]

    def names(self) -> list[str]:
        return self.page(0, 100)[0]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running(has_foreign_machines=False) as simulator:
        yield simulator


@pytest.fixture
def caller(simulator: Simulator) -> Iterator[Caller]:
    caller = Caller(simulator.url, seed.MAIN_KEY)
    yield caller
    caller.http.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def reason(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["reason"]


def created(caller: Caller, simulator: Simulator, **changes: object) -> str:
    machine_id: str = caller.create(**changes).json()["id"]
    simulator.advance(UNTIL_RUNNING)
    return machine_id


def test_an_answer_lost_before_applying_leaves_nothing(simulator: Simulator, caller: Caller):
    simulator.fault("lost_before", "create")
    with pytest.raises(httpx2.TransportError):
        caller.create()
    assert caller.names() == []


def test_an_answer_lost_after_applying_leaves_a_machine(simulator: Simulator, caller: Caller):
    simulator.fault("lost_after", "create")
    with pytest.raises(httpx2.TransportError):
        caller.create()
    assert caller.names() == ["trainer"]


def test_a_5xx_before_applying_leaves_nothing(simulator: Simulator, caller: Caller):
    simulator.fault("status_before", "create", status=504)
    assert reason(caller.create()) == (504, "UNKNOWN")
    assert caller.names() == []


def test_a_5xx_after_applying_leaves_a_machine(simulator: Simulator, caller: Caller):
    simulator.fault("status_after", "create", status=502)
    assert reason(caller.create()) == (502, "UNKNOWN")
    assert caller.names() == ["trainer"]


@pytest.mark.parametrize(("retry_after", "header"), [(2, "2"), (None, None)])
def test_a_429_tells_when_to_come_back_or_does_not(
    simulator: Simulator, caller: Caller, retry_after: int | None, header: str | None
):
    simulator.fault("status_before", "list", status=429, reason="RATE_LIMIT_EXCEEDED", retry_after=retry_after)
    response = caller.get("/gpu/instances")
    assert reason(response) == (429, "RATE_LIMIT_EXCEEDED")
    assert response.headers.get("Retry-After") == header


def test_a_fault_counts_down_and_then_is_over(simulator: Simulator, caller: Caller):
    simulator.fault("status_before", "clusters", times=2)
    assert [caller.get("/clusters").status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_without_a_count_holds_until_cleared(simulator: Simulator, caller: Caller):
    simulator.fault("status_before", "*", times=None)
    assert {caller.get("/clusters").status_code for _ in range(5)} == {500}
    simulator.clear()
    assert caller.get("/clusters").status_code == 200


def test_a_fault_for_one_account_spares_the_other(simulator: Simulator, caller: Caller):
    simulator.fault("status_before", "clusters", account="other")
    assert caller.get("/clusters").status_code == 200
    assert httpx_get(simulator, seed.OTHER_KEY, "/clusters").status_code == 500


def test_a_fault_for_one_name_spares_other_machines(simulator: Simulator, caller: Caller):
    simulator.fault("status_before", "*", name="unlucky", times=None, reason="BALANCE_NOT_ENOUGH", status=400)
    assert caller.create(name="fine").status_code == 200
    assert reason(caller.create(name="an-unlucky-one")) == (400, "BALANCE_NOT_ENOUGH")


def httpx_get(simulator: Simulator, key: str, path: str) -> httpx2.Response:
    return httpx2.get(
        f"{simulator.url}{BASE}{path}", headers={"Authorization": f"Bearer {key}", "User-Agent": "x"}, verify=False
    )


def test_a_hang_ends_in_a_cut_connection(simulator: Simulator, caller: Caller):
    simulator.fault("hang_after", "create", seconds=0)
    with pytest.raises(httpx2.TransportError):
        caller.create()
    assert caller.names() == ["trainer"]


def test_a_hang_lasts_until_cleared(simulator: Simulator, caller: Caller, pool: ThreadPoolExecutor):
    fault = simulator.fault("hang_before", "create")
    answer = pool.submit(caller.create)
    simulator.wait_reached(fault)
    simulator.clear()
    assert isinstance(answer.exception(10), httpx2.TransportError)
    assert caller.names() == []


def test_a_call_held_before_applying_has_done_nothing_until_released(
    simulator: Simulator, caller: Caller, pool: ThreadPoolExecutor
):
    fault = simulator.fault("hold_before", "create")
    answer: Future[httpx2.Response] = pool.submit(caller.create)
    simulator.wait_reached(fault)
    assert simulator.machines() == []
    simulator.release(fault)
    assert answer.result(10).status_code == 200
    assert len(simulator.machines()) == 1


def test_a_call_held_after_applying_has_done_it_though_nobody_was_told(
    simulator: Simulator, caller: Caller, pool: ThreadPoolExecutor
):
    fault = simulator.fault("hold_after", "create")
    answer: Future[httpx2.Response] = pool.submit(caller.create)
    simulator.wait_reached(fault)
    assert [machine.name for machine in simulator.machines()] == ["trainer"]
    simulator.release(fault, drop=True)
    assert isinstance(answer.exception(10), httpx2.TransportError)


def test_a_create_whose_caller_has_gone_lands_late_when_it_is_released(simulator: Simulator, caller: Caller):
    fault = simulator.fault("hold_before", "create")
    with pytest.raises(httpx2.ReadTimeout):
        caller.http.post("/gpu/instance/create", json=ORDER, timeout=0.2)
    landed = simulator.fault("hold_after", "create")
    simulator.release(fault)
    simulator.wait_reached(landed)
    assert [machine.name for machine in simulator.machines()] == ["trainer"]


def test_waiting_for_a_fault_that_nobody_meets_times_out(simulator: Simulator):
    fault = simulator.fault("hold_before", "create")
    with pytest.raises(TimeoutError):
        simulator.wait_reached(fault, timeout=0)


@pytest.mark.parametrize(("kind", "status"), [("html_403", 403), ("html_200", 200)])
def test_the_edge_answers_html_without_asking_novita(simulator: Simulator, caller: Caller, kind: Kind, status: int):
    simulator.fault(kind, "create")
    response = caller.create()
    assert (response.status_code, response.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert caller.names() == []


def test_the_edge_refuses_the_default_agent_of_python(caller: Caller):
    response = caller.http.get("/clusters", headers={"User-Agent": "Python-urllib/3.11"})
    assert (response.status_code, "error code: 1010" in response.text) == (403, True)


def test_pages_count_from_zero_and_hold_ten(simulator: Simulator, caller: Caller):
    simulator.plant("many", count=25)
    answer = caller.get("/gpu/instances").json()
    assert [item["name"] for item in answer["instances"]] == [f"many-{number}" for number in range(10)]
    assert answer["total"] == 25
    assert caller.page(2, 10)[0] == [f"many-{number}" for number in range(20, 25)]


def test_a_page_holds_at_most_a_hundred(simulator: Simulator, caller: Caller):
    simulator.plant("many", count=120)
    assert len(caller.page(0, 500)[0]) == 100


def test_unknown_query_names_are_ignored(simulator: Simulator, caller: Caller):
    simulator.plant("many", count=12)
    answer = caller.get("/gpu/instances", page=1, page_size=5).json()
    assert [item["name"] for item in answer["instances"]] == [f"many-{number}" for number in range(10)]


def test_pages_may_count_from_one_with_zero_taken_for_one(simulator: Simulator, caller: Caller):
    simulator.plant("many", count=4)
    simulator.quirks(first_page=1)
    assert caller.page(0) == caller.page(1) == (["many-0", "many-1"], 4)
    assert caller.page(2) == (["many-2", "many-3"], 4)


def test_a_lagging_list_shows_a_machine_late_though_get_knows_it(simulator: Simulator, caller: Caller):
    simulator.fault("list_lag", "list", seconds=5, times=None)
    machine_id = caller.create().json()["id"]
    assert caller.page(0) == ([], 0)
    assert caller.get("/gpu/instance", instanceId=machine_id).json()["name"] == "trainer"
    simulator.advance(6)
    assert caller.page(0) == (["trainer"], 1)


def test_one_page_may_fail_while_the_others_come(simulator: Simulator, caller: Caller):
    simulator.plant("many", count=6)
    simulator.fault("status_before", "list", page=1)
    assert caller.page(0)[0] == ["many-0", "many-1"]
    assert caller.get("/gpu/instances", pageNum=1, pageSize=2).status_code == 500
    assert caller.page(2)[0] == ["many-4", "many-5"]


def test_a_page_may_come_twice_with_the_right_total(simulator: Simulator, caller: Caller):
    simulator.plant("many", count=6)
    simulator.fault("duplicate_page", page=0)
    assert [caller.page(number) for number in range(3)] == [
        (["many-0", "many-1"], 6),
        (["many-0", "many-1"], 6),
        (["many-4", "many-5"], 6),
    ]


@pytest.mark.parametrize(("total_agrees", "total"), [(False, 4), (True, 3)])
def test_an_item_may_slip_from_a_list_though_asking_for_it_by_name_finds_it(
    simulator: Simulator, caller: Caller, *, total_agrees: bool, total: int
):
    simulator.plant("many", count=4)
    simulator.fault("slipped_item", name="many-1", total_agrees=total_agrees, times=None)
    assert caller.page(0) == (["many-0", "many-2"], total)
    assert len(caller.get("/gpu/instances", name="many-1").json()["instances"]) == 1


def test_a_shrunken_list_agrees_with_its_own_total_and_lasts_for_all_its_pages(simulator: Simulator, caller: Caller):
    simulator.plant("many", count=8)
    simulator.fault("shrunken_list", fraction=0.5)
    shrunken = [caller.page(number) for number in range(3)]
    assert shrunken == [(["many-0", "many-1"], 4), (["many-2", "many-3"], 4), ([], 4)]
    assert caller.page(0)[1] == 8


def test_a_list_that_is_shrunken_by_a_seed_lacks_others_each_time(simulator: Simulator, caller: Caller):
    simulator.plant("many", count=40)
    simulator.fault("shrunken_list", fraction=0.5, seed=1, times=None)
    lists = [[name for page in range(10) for name in caller.page(page)[0]] for _ in range(3)]
    assert [len(names) for names in lists] == [20, 20, 20]
    assert len({*map(tuple, lists)}) == 3


def test_without_stock_a_create_is_refused_and_the_product_says_so(simulator: Simulator, caller: Caller):
    simulator.set_stock(0, product_id="4090.16c62g", cluster_id=seed.CALIFORNIA)
    assert reason(caller.create()) == (400, "INSUFFICIENT_RESOURCE")
    product = caller.get("/products", clusterId=seed.CALIFORNIA).json()["data"][0]
    assert (product["id"], product["availableDeploy"], product["inventoryState"]) == ("4090.16c62g", False, "none")


def test_without_a_cluster_the_platform_picks_one_with_stock(simulator: Simulator, caller: Caller):
    simulator.set_stock(0, product_id="4090.16c62g", cluster_id=seed.CALIFORNIA)
    caller.create(clusterId="")
    assert simulator.machine("trainer").cluster_id == seed.HONG_KONG


def test_a_new_price_shows_in_the_products(simulator: Simulator, caller: Caller):
    simulator.set_price("4090.16c62g", price=99000, spot_price=0)
    product = caller.get("/products").json()["data"][0]
    assert (product["price"], product["spotPrice"], product["billingMethods"]) == ("99000", "0", ["onDemand"])


def test_a_crashed_machine_is_exited_with_its_error(simulator: Simulator, caller: Caller):
    machine_id = created(caller, simulator)
    simulator.crash(machine_id)
    item = caller.get("/gpu/instance", instanceId=machine_id).json()
    assert (item["status"], item["statusError"]) == ("exited", {"state": "oom", "message": "out of memory"})


def test_a_vanished_machine_is_in_no_list_and_no_get(simulator: Simulator, caller: Caller):
    machine_id = created(caller, simulator)
    simulator.vanish(machine_id)
    assert caller.names() == []
    assert reason(caller.get("/gpu/instance", instanceId=machine_id)) == (400, "RESOURCE_NOT_FOUND")


def test_a_reclaim_is_announced_in_the_list_and_then_ends_the_machine(simulator: Simulator, caller: Caller):
    machine_id = created(caller, simulator)
    simulator.reclaim(machine_id, notice=3600)
    deadline = str(int(simulator.state().now) + 3600)
    item = caller.get("/gpu/instances").json()["instances"][0]
    assert (item["status"], item["spotStatus"], item["spotReclaimTime"]) == ("running", "notified", deadline)
    simulator.advance(3700)
    item = caller.get("/gpu/instances").json()["instances"][0]
    assert (item["status"], item["spotStatus"], item["spotReclaimTime"]) == ("exited", "terminated", deadline)


def test_a_cancelled_reclaim_leaves_the_machine_running(simulator: Simulator, caller: Caller):
    machine_id = created(caller, simulator)
    simulator.reclaim(machine_id, notice=3600)
    simulator.cancel_reclaim(machine_id)
    simulator.advance(5000)
    item = caller.get("/gpu/instances").json()["instances"][0]
    assert (item["status"], item["spotStatus"], item["spotReclaimTime"]) == ("running", "running", "0")


def test_a_fate_freezes_a_machine_while_pulling_until_cleared(simulator: Simulator, caller: Caller):
    simulator.fate("pulling", "freeze", name="trainer")
    created(caller, simulator)
    simulator.advance(10_000)
    assert simulator.machine("trainer").status == "pulling"
    simulator.clear()
    assert simulator.machine("trainer").status == "running"


def test_a_frozen_machine_can_still_be_deleted(simulator: Simulator, caller: Caller):
    simulator.fate("pulling", "freeze")
    machine_id = created(caller, simulator)
    caller.verb("delete", machine_id)
    simulator.advance(1000)
    assert simulator.machines() == []


def test_the_wire_may_show_a_word_that_nobody_knows(simulator: Simulator, caller: Caller):
    machine_id = created(caller, simulator)
    simulator.show_status(machine_id, "defragmenting")
    assert caller.get("/gpu/instance", instanceId=machine_id).json()["status"] == "defragmenting"


@pytest.mark.parametrize(("quirk", "expected"), [("401", (401, "UNAUTHORIZED")), ("403", (403, "INVALID_API_KEY"))])
def test_a_revoked_key_is_refused_until_it_is_back(
    simulator: Simulator, caller: Caller, quirk: str, expected: tuple[int, str]
):
    simulator.quirks(bad_key=quirk)
    simulator.revoke_key(seed.MAIN_KEY)
    response = caller.get("/clusters")
    assert reason(response) == expected
    assert response.json().keys() == {"code", "reason", "message", "metadata"}
    simulator.add_key(seed.MAIN_KEY, seed.MAIN_ACCOUNT)
    assert caller.get("/clusters").status_code == 200


def test_machines_of_another_account_are_not_seen(simulator: Simulator, caller: Caller):
    (theirs,) = simulator.plant("theirs", account="other")
    assert caller.names() == []
    assert reason(caller.verb("delete", theirs.id)) == (400, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(("quirk", "status"), [("400", 400), ("404", 404), ("empty_200", 200)])
@pytest.mark.parametrize("verb", ["start", "stop", "restart", "delete"])
def test_an_unknown_machine_is_not_found_in_each_variant(
    simulator: Simulator, caller: Caller, quirk: str, status: int, verb: str
):
    simulator.quirks(not_found=quirk)
    for response in (caller.verb(verb, "nobody"), caller.get("/gpu/instance", instanceId="nobody")):
        assert response.status_code == status
        assert response.json().get("reason") == (None if status == 200 else "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(("quirk", "body"), [("state", None), ("object", b"{}"), ("empty", b"")])
def test_a_stop_answers_in_each_variant(simulator: Simulator, caller: Caller, quirk: str, body: bytes | None):
    simulator.quirks(power_answer=quirk)
    machine_id = created(caller, simulator)
    response = caller.verb("stop", machine_id)
    if body is None:
        assert response.json() == {"instanceId": machine_id, "state": "toStop"}
    else:
        assert response.content == body


@pytest.mark.parametrize(("quirk", "body"), [("object", b"{}"), ("empty", b"")])
def test_a_delete_answers_in_each_variant(simulator: Simulator, caller: Caller, quirk: str, body: bytes):
    simulator.quirks(delete_answer=quirk)
    assert caller.verb("delete", created(caller, simulator)).content == body


def test_a_get_may_show_the_spot_fields_that_are_documented_for_lists_only(simulator: Simulator, caller: Caller):
    machine_id = created(caller, simulator)
    assert "spotStatus" not in caller.get("/gpu/instance", instanceId=machine_id).json()
    simulator.quirks(spot_in_get=True)
    assert caller.get("/gpu/instance", instanceId=machine_id).json()["spotStatus"] == "running"


@pytest.mark.parametrize(
    ("quirk", "node"),
    [("absent", None), ("object", {"maxRootfsSize": "1500"}), ("array", [{"maxRootfsSize": "1500"}])],
)
def test_the_node_comes_in_each_variant(simulator: Simulator, caller: Caller, quirk: str, node: object):
    simulator.quirks(node=quirk)
    assert caller.get("/gpu/instance", instanceId=created(caller, simulator)).json().get("node") == node


@pytest.mark.parametrize("quirk", ["CONFLICT", "OPERATION_LIMIT"])
def test_a_wrong_state_is_known_by_its_message_whatever_the_reason(simulator: Simulator, caller: Caller, quirk: str):
    simulator.quirks(wrong_state_reason=quirk)
    response = caller.verb("start", created(caller, simulator))
    assert (reason(response), response.json()["message"]) == ((400, quirk), "invalid state change")


def test_removed_machines_may_stay_in_lists(simulator: Simulator, caller: Caller):
    simulator.quirks(removed_in_lists=True, deleted="stays")
    caller.verb("delete", created(caller, simulator))
    simulator.advance(1000)
    assert [item["status"] for item in caller.get("/gpu/instances").json()["instances"]] == ["removed"]


def test_numbers_may_come_as_numbers(simulator: Simulator, caller: Caller):
    simulator.quirks(numbers="ints")
    machine_id = created(caller, simulator)
    item = caller.get("/gpu/instance", instanceId=machine_id).json()
    assert (item["cpuNum"], item["memory"], item["gpuNum"]) == (16, 62, 1)
    assert caller.get("/products").json()["data"][0]["price"] == 36000


def test_a_deleted_template_is_not_found(simulator: Simulator, caller: Caller):
    simulator.delete_template("901")
    assert reason(caller.get("/template", templateId="901")) == (400, "TEMPLATE_NOT_FOUND")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": None}, "VALIDATOR_PARAM"),
        ({"productId": "no-such"}, "VALIDATOR_PARAM"),
        ({"gpuNum": 9}, "VALIDATOR_PARAM"),
        ({"rootfsSize": 6145}, "VALIDATOR_PARAM"),
        ({"name": "x" * 256}, "VALIDATOR_PARAM"),
        ({"imageUrl": ""}, "VALIDATOR_PARAM"),
        ({"ports": "2222/tcp"}, "VALIDATOR_PARAM"),
        ({"ports": "80/udp"}, "VALIDATOR_PARAM"),
        ({"ports": ",".join(f"{port}/tcp" for port in range(1, 17))}, "VALIDATOR_PARAM"),
        ({"envs": [{"key": "A", "value": "b"}] * 101}, "VALIDATOR_PARAM"),
        ({"clusterId": "mars-1"}, "VALIDATOR_PARAM"),
        ({"productId": "4090.16c96g.v2"}, "UNSUPPORTED_BILLING_MODE"),
        ({"minCudaVersion": "99.0"}, "CUDA_VERSION_INCOMPATIBLE"),
        ({"imageAuthId": "no-such"}, "RESOURCE_NOT_FOUND"),
        ({"networkId": "vpc-1"}, "NETWORK_NOT_FOUND"),
    ],
)
def test_a_create_that_novita_would_refuse_is_refused(caller: Caller, changes: Body, expected: str):
    assert reason(caller.create(**changes)) == (400, expected)
    assert caller.names() == []


def test_a_small_root_disk_is_raised_to_ten(caller: Caller):
    caller.create(rootfsSize=1)
    assert caller.get("/gpu/instances").json()["instances"][0]["rootfsSize"] == 10


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{BASE}/gpu/instance/list"),
        ("GET", f"{BASE}/gpu/instance/get"),
        ("POST", f"{BASE}/gpu/instances"),
        ("GET", "/gpus/v2/instances"),
        ("GET", "/gpu/instances"),
    ],
)
def test_wrong_paths_fail_loudly(simulator: Simulator, caller: Caller, method: str, path: str):
    assert reason(caller.http.request(method, f"{simulator.url}{path}")) == (404, "API_NOT_FOUND")


def test_the_ledger_tells_of_two_machines_of_one_owner_and_of_their_cost(simulator: Simulator, caller: Caller):
    machine_id = created(caller, simulator)
    caller.create(name="trainer-again")
    caller.verb("delete", machine_id)
    simulator.advance(1000)
    ledger = simulator.ledger()
    assert (ledger.max_alive, ledger.alive_at_end) == ({UID: 2}, {UID: 1})
    first, second = ledger.entries
    assert (first.name, first.account, first.group, first.mark) == (
        "trainer",
        "main",
        UID,
        f"cluster/default/trainer/{UID}",
    )
    assert first.ended is not None
    assert second.ended is None
    assert round(first.cost, 6) == Decimal("0.0044")


def test_the_journal_tells_calls_and_no_secrets(simulator: Simulator, caller: Caller):
    simulator.fault("lost_after", "create")
    with pytest.raises(httpx2.TransportError):
        caller.create()
    caller.page(1)
    created, listed = simulator.journal()
    assert (created.operation, created.name, created.status, created.is_applied) == ("create", "trainer", 0, True)
    assert (listed.operation, listed.page, listed.status) == ("list", 1, 200)
    assert simulator.state().calls == {"create": 1, "list": 1}
    told = created.model_dump_json()
    assert seed.MAIN_KEY not in told
    assert UID not in told


def test_a_wrong_lever_is_refused_with_its_reason(simulator: Simulator):
    with pytest.raises(ValueError, match="no such state: sleeping"):
        simulator.durations(sleeping=3)
