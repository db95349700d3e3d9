"""A third party's client, written against the live service, finds in the simulator what it finds there."""

from collections.abc import Iterator

import pytest
from novita import AuthenticationError, BadRequestError, NotFoundError, NovitaClient
from novita.generated.models import BillingMode, CreateInstanceRequest, Env, InstanceInfo, Kind, Status

from novita_simulator import seed
from novita_simulator.client import Simulator
from novita_simulator.running import running

UNTIL_RUNNING = 100
UNTIL_EXITED = 30
UNTIL_REMOVED = 11
UNTIL_FORGOTTEN = 60


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running() as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[NovitaClient]:
    with NovitaClient(api_key=seed.MAIN_KEY, base_url=simulator.url) as client:
        yield client


def created(client: NovitaClient, name: str) -> str:
    request = CreateInstanceRequest(
        name=name,
        product_id="4090.16c62g",
        gpu_num=2,
        rootfs_size=60,
        image_url="docker.io/acme/worker:1.9",
        kind=Kind.gpu,
        ports="8000/http,22/tcp",
        envs=[Env(key="OWNER_TOKEN", value="op-7f3c")],
        cluster_id=seed.CALIFORNIA,
        billing_mode=BillingMode.spot,
    )
    return client.gpu.instances.create(request).id


def running_machine(client: NovitaClient, simulator: Simulator, name: str) -> str:
    instance_id = created(client, name)
    simulator.advance(UNTIL_RUNNING)
    assert client.gpu.instances.get(instance_id).status is Status.running
    return instance_id


def listed(client: NovitaClient, name: str) -> list[InstanceInfo]:
    return client.gpu.instances.list(name=name, page_size=100, page_num=0)


def test_a_created_instance_is_read_back_as_it_was_ordered(client: NovitaClient):
    instance = client.gpu.instances.get(created(client, "read-back"))
    assert (instance.name, instance.status, instance.cluster_id) == ("read-back", Status.to_create, seed.CALIFORNIA)
    assert (instance.cpu_num, instance.memory, instance.gpu_num) == ("32", "124", "2")
    assert instance.billing_mode is not None
    assert instance.billing_mode.value == BillingMode.spot.value
    assert [(env.key, env.value) for env in instance.envs or []] == [("OWNER_TOKEN", "op-7f3c")]


def test_a_running_instance_shows_its_endpoints(client: NovitaClient, simulator: Simulator):
    instance_id = running_machine(client, simulator, "endpoints")
    mappings = client.gpu.instances.get(instance_id).port_mappings or []
    assert mappings[0].endpoint == f"https://{instance_id}-8000.us-ca-6.gpu-instance.novita.ai"
    assert (mappings[1].endpoint or "").startswith("proxy.us-ca-6.gpu-instance.novita.ai:3")


def test_a_list_finds_instances_by_a_part_of_their_name_and_by_status(client: NovitaClient):
    instance_id = created(client, "find-me-please")
    assert [instance.id for instance in listed(client, "me-plea")] == [instance_id]
    assert client.gpu.instances.list(name="find-me-please", status="running") == []


def test_a_list_shows_the_spot_status(client: NovitaClient):
    created(client, "shows-spot")
    assert [instance.spot_status for instance in listed(client, "shows-spot")] == ["running"]


def test_the_account_begins_with_foreign_machines_of_which_one_looks_like_ours(client: NovitaClient):
    names = [instance.name for instance in client.gpu.instances.list(page_size=2, page_num=0)]
    assert names == ["notebook-of-a-colleague", "trainer-3f9a1c2b7d"]


def test_stop_and_start_lead_to_exited_and_back_to_running(client: NovitaClient, simulator: Simulator):
    instance_id = running_machine(client, simulator, "on-and-off")
    client.gpu.instances.stop(instance_id)
    assert client.gpu.instances.get(instance_id).status is Status.to_stop
    simulator.advance(UNTIL_EXITED)
    assert client.gpu.instances.get(instance_id).status is Status.exited
    client.gpu.instances.start(instance_id)
    simulator.advance(UNTIL_RUNNING)
    assert client.gpu.instances.get(instance_id).status is Status.running


def test_a_restart_comes_back_to_running(client: NovitaClient, simulator: Simulator):
    instance_id = running_machine(client, simulator, "again")
    client.gpu.instances.restart(instance_id)
    assert client.gpu.instances.get(instance_id).status is Status.to_restart
    simulator.advance(UNTIL_RUNNING)
    assert client.gpu.instances.get(instance_id).status is Status.running


def test_a_second_start_is_an_invalid_state_change(client: NovitaClient, simulator: Simulator):
    instance_id = running_machine(client, simulator, "twice")
    with pytest.raises(BadRequestError, match="invalid state change"):
        client.gpu.instances.start(instance_id)


def test_a_deleted_instance_is_removed_then_unknown(client: NovitaClient, simulator: Simulator):
    instance_id = running_machine(client, simulator, "short-lived")
    client.gpu.instances.delete(instance_id)
    assert client.gpu.instances.get(instance_id).status is Status.to_remove
    simulator.advance(UNTIL_REMOVED)
    assert client.gpu.instances.get(instance_id).status is Status.removed
    assert listed(client, "short-lived") == []
    simulator.advance(UNTIL_FORGOTTEN)
    with pytest.raises(BadRequestError, match="not found"):
        client.gpu.instances.get(instance_id)


def test_the_verbs_work_with_empty_answers(client: NovitaClient, simulator: Simulator):
    simulator.quirks(power_answer="empty", delete_answer="empty")
    instance_id = running_machine(client, simulator, "silent")
    client.gpu.instances.stop(instance_id)
    client.gpu.instances.delete(instance_id)
    assert client.gpu.instances.get(instance_id).status is Status.to_remove


def test_an_unknown_instance_is_a_bad_request(client: NovitaClient):
    with pytest.raises(BadRequestError) as caught:
        client.gpu.instances.get("0000000000000000")
    assert caught.value.details["reason"] == "RESOURCE_NOT_FOUND"


def test_an_unknown_instance_is_a_404_where_the_quirk_says_so(client: NovitaClient, simulator: Simulator):
    simulator.quirks(not_found="404")
    with pytest.raises(NotFoundError):
        client.gpu.instances.delete("0000000000000000")


def test_a_node_as_object_parses(client: NovitaClient, simulator: Simulator):
    simulator.quirks(node="object")
    node = client.gpu.instances.get(simulator.machine("notebook-of-a-colleague").id).node
    assert node is not None
    assert node.max_rootfs_size == 1500


def test_a_wrong_key_is_refused(simulator: Simulator):
    with NovitaClient(api_key="sk_wrong", base_url=simulator.url) as stranger, pytest.raises(AuthenticationError):
        stranger.gpu.instances.list()


def test_products_have_stock_and_prices_in_dollars(client: NovitaClient):
    products = {product.id: product for product in client.gpu.products.list(gpu_num=1)}
    cheap, sold_out = products["4090.16c62g"], products["H100-80GB.20c200g"]
    assert (cheap.price, cheap.spot_price, cheap.available_deploy) == (0.36, 0.18, True)
    assert cheap.regions == ["US-CA-06 (California)", "CN-HK-01 (Hong Kong)"]
    assert (sold_out.available_deploy, sold_out.inventory_state) == (False, "none")
    assert products["A100-80GB.14c240g"].regions == []


def test_a_product_without_a_spot_price_cannot_be_deployed_as_spot(client: NovitaClient):
    products = client.gpu.products.list(billing_method="spot", cluster_id=seed.CALIFORNIA)
    assert {product.id: product.available_deploy for product in products} == {
        "4090.16c62g": True,
        "4090.16c96g.v2": False,
        "A100-80GB.14c240g": True,
        "H100-80GB.20c200g": False,
    }


def test_clusters_have_ids_and_names(client: NovitaClient):
    assert {cluster.id: cluster.name for cluster in client.gpu.clusters.list()} == {
        "us-ca-6": "US-CA-06 (California)",
        "cn-hongkong-1": "CN-HK-01 (Hong Kong)",
    }


def test_templates_are_listed_and_read_with_grouped_ports(client: NovitaClient):
    assert [template.name for template in client.gpu.templates.list()] == ["PyTorch 2.8", "worker"]
    ports = client.gpu.templates.get("901").ports or []
    assert [(group.type, group.ports) for group in ports] == [("http", [8000, 8001]), ("tcp", [22])]


def test_an_unknown_template_is_a_bad_request(client: NovitaClient):
    with pytest.raises(BadRequestError, match="template not found"):
        client.gpu.templates.get("no-such")


def test_stored_credentials_are_masked(client: NovitaClient):
    credentials = client.gpu.registries.list()
    assert [(each.id, each.name, each.password.get_secret_value()) for each in credentials] == [
        ("ra-3", "docker.io", "******")
    ]


def test_a_wrong_path_fails_loudly(client: NovitaClient):
    with pytest.raises(NotFoundError):
        client.gpu.metrics.get("4be1a90c77d2e655")
