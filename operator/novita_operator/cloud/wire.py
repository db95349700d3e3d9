"""Novita's v1 objects to and from our values (API reference 3 to 5); `fields.py` forgives the form, we the content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import islice

from novita_operator.cloud.errors import IncompleteList, NotFound, Unknown
from novita_operator.cloud.fields import Fields
from novita_operator.cloud.redaction import redacted
from novita_operator.model.machine import Endpoint, Machine, MachineState, SpotStatus
from novita_operator.model.market import Order, Product, Region, Template
from novita_operator.model.naming import MARK_ENV, RESERVED_ENV_PREFIX, Mark
from novita_operator.model.resource import RESERVED_PORTS, BillingMode, EnvVar, Port, PortProtocol

BILLING = {BillingMode.ON_DEMAND: "onDemand", BillingMode.SPOT: "spot"}
_MODES = {word: mode for mode, word in BILLING.items()}
_STATES = {state.value: state for state in MachineState}
_SPOT = {status.value: status for status in SpotStatus}
_PROTOCOLS = {protocol.value: protocol for protocol in PortProtocol}
_PORTS = range(1, 65536)
_LONGEST_REGION = 63
_LONGEST_ADDRESS = 512
_MOST_ENDPOINTS = 32
_MOST_WORDS = 1024


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list of machines; `total` counts the machines of all its pages."""

    machines: tuple[Machine, ...]
    total: int


def read_page(answer: Fields) -> Page:
    """One page of `GET /gpu/instances`.

    Raises:
        IncompleteList: there is no total or no array, or a machine has no id or that of another: what it shows may be
            any machine.
    """
    total = answer.whole("total")
    if total is None or total < 0 or not (answer.has_array("instances") or total == 0):
        raise IncompleteList("Novita's list of machines has no total, or no machines")
    items = tuple(answer.each("instances"))
    ids = [item.id("id") for item in items]
    if not all(ids):
        raise IncompleteList("Novita's list holds a machine without an id")
    if len(set(ids)) < len(ids):
        raise IncompleteList("Novita's list holds two machines with one id")
    return Page(tuple(_machine(item) for item in items), total)


def machine_reader(machine_id: str) -> Callable[[Fields], Machine]:
    """A reader of `GET /gpu/instance`, asked for this id.

    It raises `NotFound` for an answer without an id (API reference 3.3), `Unknown` for another machine than asked for,
    and for one that is described and not named: so a broken answer is never taken for absence.
    """

    def read(answer: Fields) -> Machine:
        if not answer.text("id", "name", "status"):
            raise NotFound(f"Novita knows no machine {machine_id}")
        if answer.id("id") != machine_id:
            raise Unknown(f"Novita was asked for machine {machine_id} and showed another one")
        return _machine(answer)

    return read


def _machine(item: Fields) -> Machine:
    environment = {each.text("key"): each.text("value") for each in item.each("envs")}
    error = item.inner("statusError")
    reasons = filter(None, (error.text("state"), error.text("message")))
    return Machine(
        id=item.id("id"),
        name=item.text("name"),
        state=_STATES.get(item.text("status"), MachineState.UNKNOWN),
        mark=Mark.parse(environment.get(MARK_ENV, "")),
        product_id=_shared(item.id("productId")),
        product_name=_shared(item.label("productName")),
        region_id=_shared(item.label("clusterId", _LONGEST_REGION)),
        region=_shared(_region_name(item, "clusterName")),
        billing=_MODES.get(item.text("billingMode")),
        endpoints=_endpoints(item),
        spot=_SPOT.get(item.text("spotStatus"), SpotStatus.NONE),
        reclaim_at=item.time("spotReclaimTime"),
        error=redacted(": ".join(reasons), environment.values()),
        created=item.time("createdAt"),
        started=item.time("lastStartedAt", "startedAt"),
        stopped=item.time("lastStoppedAt", "stoppedAt"),
    )


@lru_cache(_MOST_WORDS)
def _shared(word: str) -> str:
    """One string for the thousands of machines that say it; Python would keep an interned one for ever."""
    return word


def _endpoints(item: Fields) -> tuple[Endpoint, ...] | None:
    if not item.has_array("portMappings"):
        return None
    published = (
        Endpoint(number, protocol, _address(each.text("endpoint")))
        for each in item.each("portMappings")
        if (number := each.whole("port")) in _PORTS
        and number is not None
        and (protocol := _PROTOCOLS.get(each.text("type").upper()))
    )
    return tuple(islice(published, _MOST_ENDPOINTS))


def _address(text: str) -> str:
    """None at all where there is only nonsense."""
    return text if len(text) <= _LONGEST_ADDRESS and text.isprintable() else ""


def read_regions(answer: Fields) -> tuple[Region, ...]:
    """`GET /clusters`; the name is the part before the first blank, as products spell it (API reference 4.1)."""
    return tuple(
        Region(each.id("id"), _region_name(each, "name"))
        for each in _shown(answer)
        if len(each.id("id")) <= _LONGEST_REGION
    )


def read_products(answer: Fields) -> tuple[Product, ...]:
    """`GET /products`; prices are USD per GPU and hour."""
    return tuple(
        Product(
            id=each.id("id"),
            name=each.label("name"),
            deployable=each.says_yes("availableDeploy") and each.text("inventoryState") != "none",
            prices=_prices(each),
            min_disk_gb=each.whole("minRootFS") or 0,
            max_disk_gb=each.whole("maxRootFS") or 0,
        )
        for each in _shown(answer)
    )


def _prices(item: Fields) -> Mapping[BillingMode, Decimal]:
    listed = item.texts("billingMethods")
    prices = {BillingMode.ON_DEMAND: item.usd("price"), BillingMode.SPOT: item.usd("spotPrice")}
    return {
        mode: price for mode, price in prices.items() if price is not None and (not listed or BILLING[mode] in listed)
    }


def template_reader(template_id: str) -> Callable[[Fields], Template]:
    """A reader of `GET /template`, asked for this id; it raises `NotFound` for an answer without a template."""

    def read(answer: Fields) -> Template:
        item = answer.inner("template")
        if not item.text("Id", "id", "name", "image"):
            raise NotFound(f"Novita knows no template {template_id}")
        if item.id("Id", "id") != template_id:
            raise Unknown(f"Novita was asked for template {template_id} and showed another one")
        return _template(item)

    return read


def _template(item: Fields) -> Template:
    return Template(
        id=item.id("Id", "id"),
        image=item.text("image"),
        image_auth_id=item.text("imageAuth"),
        command=item.text("startCommand"),
        entrypoint=item.text("entrypoint"),
        env=tuple(
            # Unchecked: our bounds are for what people write in Kubernetes, Novita's own templates may say more.
            EnvVar.model_construct(name=name, value=each.text("value"))
            for each in item.each("envs")
            if (name := each.text("key")) and not name.startswith(RESERVED_ENV_PREFIX)
        ),
        ports=_template_ports(item),
        disk_gb=item.whole("rootfsSize") or 0,
        min_cuda_version=item.text("minCudaVersion"),
    )


def _template_ports(item: Fields) -> tuple[Port, ...]:
    """Grouped by protocol there, flat here; what no machine could publish (UDP, Novita's own ports) is left out."""
    ports = {
        number: protocol
        for group in item.each("ports")
        if (protocol := _PROTOCOLS.get(group.text("type").upper()))
        for number in group.wholes("ports")
        if number in _PORTS and number not in RESERVED_PORTS
    }
    return tuple(Port(port=number, protocol=protocol) for number, protocol in ports.items())


def read_credential_ids(answer: Fields) -> frozenset[str]:
    return frozenset(each.id("id") for each in _shown(answer))


def read_created_id(answer: Fields) -> str:
    """The new machine's id.

    Raises:
        Unknown: there is none; a machine may have come into being all the same.
    """
    if not (machine_id := answer.id("id")):
        raise Unknown("Novita accepted the create call and named no machine")
    return machine_id


def create_body(order: Order) -> dict[str, object]:
    """The body of `POST /gpu/instance/create` (API reference 3.1). It holds secrets: never log it."""
    body: dict[str, object] = {
        "name": order.name,
        "productId": order.offer.product_id,
        "gpuNum": order.offer.gpu_count,
        "rootfsSize": order.disk_gb,
        "imageUrl": order.image,
        "imageAuthId": order.image_auth_id,
        "ports": ",".join(f"{port.port}/{port.protocol.lower()}" for port in order.ports),
        "envs": [{"key": each.name, "value": each.value} for each in order.env],
        "command": order.command,
        "entrypoint": order.entrypoint,
        "clusterId": order.offer.region_id,
        "kind": "gpu",
        "billingMode": BILLING[order.offer.billing],
    }
    return body | ({"minCudaVersion": order.min_cuda_version} if order.min_cuda_version else {})


def _shown(answer: Fields) -> tuple[Fields, ...]:
    """The catalogue's items; one without an id cannot be asked for, so it is passed over."""
    if not answer.has_array("data"):
        raise Unknown("Novita's answer lacks its list")
    return tuple(each for each in answer.each("data") if each.id("id"))


def _region_name(item: Fields, member: str) -> str:
    """The part before the first blank."""
    return item.label(member).partition(" ")[0][:_LONGEST_REGION]
