"""The world as it begins (API reference 13.3): what tests and the demo may count on.

Both clusters offer the cheap product; the account starts with machines that nobody of ours made, one of which bears a
name and a mark that look like the operator's and are not.
"""

from collections.abc import Mapping

from novita_simulator import mishaps
from novita_simulator.catalogue import Catalogue, Cluster, Credential, Product, Template
from novita_simulator.machine import DURATIONS, OWNER_ENV, Order
from novita_simulator.quirks import Quirks
from novita_simulator.world import World

MAIN_ACCOUNT, MAIN_KEY = "main", "sk_simulator_main"
OTHER_ACCOUNT, OTHER_KEY = "other", "sk_simulator_other"
CALIFORNIA, HONG_KONG = "us-ca-6", "cn-hongkong-1"

CLUSTERS = (
    Cluster(CALIFORNIA, "US-CA-06 (California)", cuda=(12, 8), network_storage=True, vpc=True),
    Cluster(HONG_KONG, "CN-HK-01 (Hong Kong)", cuda=(12, 4), network_storage=False, vpc=False),
)
PRODUCTS = (
    Product("4090.16c62g", "RTX 4090 24GB", 16, 62, 36000, 18000, (CALIFORNIA, HONG_KONG)),
    Product("4090.16c96g.v2", "RTX 4090 24GB", 16, 96, 42000, 0, (CALIFORNIA,)),
    Product("A100-80GB.14c240g", "A100 SXM 80GB", 14, 240, 160000, 80000, ()),
    Product("26", "L40S 48GB", 12, 96, 55000, 27500, (HONG_KONG,)),
    Product("H100-80GB.20c200g", "H100 SXM 80GB", 20, 200, 250000, 125000, (CALIFORNIA,)),
)
STOCK = {
    ("4090.16c62g", CALIFORNIA): 32,
    ("4090.16c62g", HONG_KONG): 8,
    ("4090.16c96g.v2", CALIFORNIA): 16,
    ("A100-80GB.14c240g", CALIFORNIA): 8,
    ("A100-80GB.14c240g", HONG_KONG): 3,
    ("26", HONG_KONG): 8,
    ("H100-80GB.20c200g", CALIFORNIA): 0,
}
TEMPLATES = (
    Template(
        id="101",
        name="PyTorch 2.8",
        channel="official",
        account="",
        image="docker.io/novitalabs/pytorch:2.8-cuda12.4",
        rootfs_gb=60,
        created_at=1763000000,
        ports=(("http", (8888,)), ("tcp", (22,))),
        min_cuda="12.4",
    ),
    Template(
        id="901",
        name="worker",
        channel="private",
        account=MAIN_ACCOUNT,
        image="docker.io/acme/worker:1.9",
        rootfs_gb=80,
        created_at=1763000000,
        ports=(("http", (8000, 8001)), ("tcp", (22,))),
        envs=(("MODE", "prod"), (OWNER_ENV, "a-template-must-not-forge-this")),
        image_auth_id="ra-3",
        start_command="serve --all",
    ),
)
CREDENTIALS = (Credential("ra-3", MAIN_ACCOUNT, "docker.io", "acme"),)
FOREIGN = (
    ("notebook-of-a-colleague", ()),
    ("trainer-3f9a1c2b7d", ((OWNER_ENV, "another-cluster/default/trainer/0b0f6c52-9d3e-4f0a-8a55-2f1f5f0f4a11"),)),
)


def catalogue() -> Catalogue:
    return Catalogue(
        clusters={cluster.id: cluster for cluster in CLUSTERS},
        products={product.id: product for product in PRODUCTS},
        templates={template.id: template for template in TEMPLATES},
        credentials={credential.id: credential for credential in CREDENTIALS},
    )


def seeded(
    now: float,
    *,
    durations: Mapping[str, float] = DURATIONS,
    quirks: Quirks | None = None,
    has_foreign_machines: bool = True,
) -> World:
    """`now` in Unix seconds is when the foreign machines came to be; `durations` as in `machine.DURATIONS`."""
    keys = {MAIN_KEY: MAIN_ACCOUNT, OTHER_KEY: OTHER_ACCOUNT}
    world = World(catalogue(), keys=keys, stock=STOCK, durations=durations, quirks=quirks)
    for name, envs in FOREIGN if has_foreign_machines else ():
        mishaps.plant(world, MAIN_ACCOUNT, _foreign_order(name, envs), now)
    return world


def _foreign_order(name: str, envs: tuple[tuple[str, str], ...]) -> Order:
    return Order(
        name=name,
        product=PRODUCTS[0],
        cluster_id=CALIFORNIA,
        gpu_num=1,
        billing_mode="onDemand",
        rootfs_gb=60,
        image="docker.io/library/ubuntu:24.04",
        envs=envs,
    )
