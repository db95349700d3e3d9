"""What Novita offers: clusters, products, templates and stored registry credentials."""

from dataclasses import dataclass
from decimal import Decimal

PRICE_UNITS_PER_USD = 100_000


@dataclass(frozen=True, slots=True)
class Cluster:
    id: str
    name: str
    cuda: tuple[int, int]
    network_storage: bool
    vpc: bool

    @property
    def short_name(self) -> str:
        """What machines show: the name without its place."""
        return self.name.split(" ", maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Product:
    """Prices in 1/100000 USD per GPU and hour; a spot price of 0 means none; no clusters listed means everywhere."""

    id: str
    name: str
    cpu: int
    memory_gb: int
    price: int
    spot_price: int
    clusters: tuple[str, ...]
    disk_gb: int = 60
    max_rootfs_gb: int = 1500

    @property
    def billing_methods(self) -> list[str]:
        return ["onDemand", "spot"] if self.spot_price else ["onDemand"]

    def usd_per_gpu_hour(self, billing_mode: str) -> Decimal:
        return Decimal(self.spot_price if billing_mode == "spot" else self.price) / PRICE_UNITS_PER_USD

    def is_offered_in(self, cluster_id: str) -> bool:
        return not self.clusters or cluster_id in self.clusters


@dataclass(frozen=True, slots=True)
class Template:
    """An official template belongs to no account."""

    id: str
    name: str
    channel: str
    account: str
    image: str
    rootfs_gb: int
    created_at: int
    ports: tuple[tuple[str, tuple[int, ...]], ...] = ()
    envs: tuple[tuple[str, str], ...] = ()
    start_command: str = ""
    entrypoint: str = ""
    image_auth_id: str = ""
    min_cuda: str = ""

    def is_visible_to(self, account: str) -> bool:
        return self.account in ("", account)


@dataclass(frozen=True, slots=True)
class Credential:
    id: str
    account: str
    name: str
    username: str


@dataclass(slots=True)
class Catalogue:
    clusters: dict[str, Cluster]
    products: dict[str, Product]
    templates: dict[str, Template]
    credentials: dict[str, Credential]
