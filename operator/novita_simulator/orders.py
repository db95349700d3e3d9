"""From the body of a create to an order, or to the refusal that Novita would give (API reference 3.1 and 13.1)."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from novita_simulator.catalogue import Catalogue, Product
from novita_simulator.machine import Order
from novita_simulator.problems import invalid, refused
from novita_simulator.world import World

RESERVED_PORTS = range(2222, 2225)
MAX_PORTS = 15
MIN_ROOTFS_GB = 10
MAX_PORT = 65535
JUPYTER_PORT = 8888
Short = Annotated[str, Field(max_length=255)]
Line = Annotated[str, Field(max_length=2047)]


class Env(BaseModel):
    key: str = Field(max_length=511)
    value: str = Field(max_length=4095)


class Tool(BaseModel):
    name: str = ""
    port: str = Field(default="", pattern=r"^\d{0,5}$")
    type: str = ""


class CreateBody(BaseModel):
    """The documented fields that a GPU machine has here; all others are ignored, as Novita does."""

    model_config = ConfigDict(extra="ignore")

    name: Short = ""
    product_id: str = Field(alias="productId", min_length=1, max_length=255)
    gpu_num: int = Field(alias="gpuNum", ge=1, le=8)
    rootfs_size: int = Field(alias="rootfsSize", ge=0, le=6144)
    image_url: str = Field(alias="imageUrl", min_length=1, max_length=500)
    image_auth: str = Field(default="", alias="imageAuth", max_length=10239)
    image_auth_id: Short = Field(default="", alias="imageAuthId")
    ports: str = ""
    envs: list[Env] = Field(default=[], max_length=100)
    tools: list[Tool] = []
    command: Line = ""
    entrypoint: Line = ""
    cluster_id: Short = Field(default="", alias="clusterId")
    network_storages: list[object] = Field(default=[], alias="networkStorages", max_length=30)
    network_id: str = Field(default="", alias="networkId")
    kind: Literal["gpu"]
    billing_mode: str = Field(default="onDemand", alias="billingMode")
    month: int = Field(default=0, ge=0)
    min_cuda_version: Short = Field(default="", alias="minCudaVersion")


def order(world: World, account: str, raw: Mapping[str, object]) -> Order:
    """Raises `Problem` with the documented reason."""
    body = _parsed(raw)
    catalogue = world.catalogue
    product = _product(catalogue, body)
    _check_parts(catalogue, account, body)
    ports = _ports(body.ports)
    if len(ports) + len(body.tools) > MAX_PORTS:
        raise invalid(f"ports and tools together must be at most {MAX_PORTS}")
    return Order(
        name=body.name,
        product=product,
        cluster_id=_cluster(world, product, body),
        gpu_num=body.gpu_num,
        billing_mode=_billing_mode(product, body),
        rootfs_gb=max(MIN_ROOTFS_GB, body.rootfs_size),
        image=body.image_url,
        image_auth_id=body.image_auth_id,
        command=body.command,
        entrypoint=body.entrypoint,
        ports=ports,
        jupyter_port=next((int(tool.port or JUPYTER_PORT) for tool in body.tools if tool.name == "Jupyter"), 0),
        envs=tuple((env.key, env.value) for env in body.envs),
    )


def _parsed(raw: Mapping[str, object]) -> CreateBody:
    try:
        return CreateBody.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _product(catalogue: Catalogue, body: CreateBody) -> Product:
    product = catalogue.products.get(body.product_id)
    if product is None:
        raise invalid("productId: unknown product")
    if body.rootfs_size > product.max_rootfs_gb:
        raise invalid(f"rootfsSize: at most {product.max_rootfs_gb} for this product")
    return product


def _check_parts(catalogue: Catalogue, account: str, body: CreateBody) -> None:
    credential = catalogue.credentials.get(body.image_auth_id)
    if body.image_auth_id and (credential is None or credential.account != account):
        raise refused("RESOURCE_NOT_FOUND", "image auth not found")
    if body.network_storages:
        raise refused("NETWORK_STORAGE_NOT_FOUND", "network storage not found")
    if body.network_id:
        raise refused("NETWORK_NOT_FOUND", "network not found")


def _billing_mode(product: Product, body: CreateBody) -> str:
    mode = "monthly" if body.month else body.billing_mode or "onDemand"
    if mode not in product.billing_methods:
        raise refused("UNSUPPORTED_BILLING_MODE", f"billing mode {mode} is not offered for this product")
    return mode


def _cluster(world: World, product: Product, body: CreateBody) -> str:
    """The wanted cluster, or, where none is named, one with free GPUs; without any, the shortage shows itself later."""
    clusters = world.catalogue.clusters
    if body.cluster_id and not (body.cluster_id in clusters and product.is_offered_in(body.cluster_id)):
        raise invalid("clusterId: the product is not offered there")
    offered = [cluster for cluster in clusters.values() if product.is_offered_in(cluster.id)]
    wanted = [cluster for cluster in offered if body.cluster_id in ("", cluster.id)]
    fit = [cluster.id for cluster in wanted if _cuda(body.min_cuda_version) <= cluster.cuda]
    if not fit:
        raise refused("CUDA_VERSION_INCOMPATIBLE", "no node with this cuda version")
    return next((id_ for id_ in fit if world.stock.get((product.id, id_), 0) >= body.gpu_num), fit[0])


def _cuda(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split(".")) if version else ()
    except ValueError:
        raise invalid("minCudaVersion: not a version") from None


def _ports(text: str) -> tuple[tuple[int, str], ...]:
    return tuple(_port(part.strip()) for part in text.split(",")) if text else ()


def _port(text: str) -> tuple[int, str]:
    number, _, protocol = text.partition("/")
    is_number = number.isascii() and number.isdigit()
    if not is_number or protocol not in ("tcp", "http") or not 1 <= int(number) <= MAX_PORT:
        raise invalid(f"ports: {text!r} is not <port>/<tcp|http>")
    if int(number) in RESERVED_PORTS:
        raise invalid(f"ports: {number} is used inside")
    return int(number), protocol
