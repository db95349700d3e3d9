"""What Novita sells, and what a launch may be: products, regions, templates, offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode, EnvVar, Port


@dataclass(frozen=True, slots=True)
class Region:
    """A location: the API takes the id, people and products say the name (without its suffix, as in `US-CA-06`)."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Product:
    """A machine type as one region lists it; prices are USD per GPU and hour, None where that mode is not sold."""

    id: str
    name: str
    deployable: bool
    prices: Mapping[BillingMode, Decimal]
    min_disk_gb: int = 0
    max_disk_gb: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """Defaults for what runs. Names that we reserve are dropped from its environment when it is read."""

    id: str
    image: str
    image_auth_id: str = ""
    command: str = ""
    entrypoint: str = ""
    env: tuple[EnvVar, ...] = ()
    ports: tuple[Port, ...] = ()
    disk_gb: int = 0
    min_cuda_version: str = ""


@dataclass(frozen=True, slots=True)
class Market:
    """What Novita offers to one resource: its GPU count, its wanted regions, its template.

    `shelves` holds the products by region id and billing mode. `missing` says which template or credential Novita
    does not know.
    """

    regions: tuple[Region, ...] = ()
    shelves: Mapping[tuple[str, BillingMode], tuple[Product, ...]] | None = None
    template: Template | None = None
    missing: tuple[Reason, str] | None = None


def usd(amount: Decimal) -> str:
    """An amount as people write it: no exponent, no zeros at the end."""
    return f"{amount.normalize():f}"


class Shelf(NamedTuple):
    """What a remembered refusal is about."""

    product_id: str
    region_id: str
    billing: BillingMode
    gpu_count: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A product in a region at a price, for one billing mode; the price is USD per hour for the whole machine."""

    product_id: str
    product_name: str
    region_id: str
    region: str
    billing: BillingMode
    gpu_count: int
    hourly_price: Decimal

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.product_id, self.region_id, self.billing, self.gpu_count)


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that a create call says. `env` already holds the mark; its values are secret."""

    name: str
    offer: Offer
    image: str
    image_auth_id: str
    command: str
    entrypoint: str
    env: tuple[EnvVar, ...]
    ports: tuple[Port, ...]
    disk_gb: int
    min_cuda_version: str
