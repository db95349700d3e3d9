"""The operations of Novita's v1 that the simulator knows: what comes in, what the world does, what goes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from novita_simulator import orders, pages, wire
from novita_simulator.catalogue import Cluster, Product
from novita_simulator.faults import Call, Fault
from novita_simulator.machine import Machine
from novita_simulator.problems import Missing, Problem, invalid
from novita_simulator.quirks import Quirks
from novita_simulator.wire import Json
from novita_simulator.world import World

BASE = "/gpu-instance/openapi/v1"


@dataclass(frozen=True, slots=True)
class Ask:
    """One call after the key was checked. `shapes` are the ways in which this list shall lie."""

    world: World
    account: str
    now: float
    call: Call
    query: Mapping[str, str]
    body: Mapping[str, object]
    shapes: Sequence[Fault] = ()


Answer = Json | None  # None is an empty body
Operation = Callable[[Ask], Answer]


def describe(ask: Ask) -> None:
    """Write into the call what faults are matched by and the journal tells: page, machine, name."""
    call = ask.call
    if call.operation == "list":
        call.page = _window(ask).page
        call.name = ask.query.get("name", "")
    elif call.operation == "create":
        call.name = str(ask.body.get("name", ""))
    else:
        call.machine_id = str(ask.query.get("instanceId") or ask.body.get("instanceId") or "")
        machine = ask.world.machines.get(call.machine_id)
        call.name = machine.order.name if machine and machine.account == ask.account else ""


def missing(problem: Missing, quirks: Quirks) -> Problem | None:
    """The variant of "not found" in force; None is a 200 with an empty object."""
    if quirks.not_found == "empty_200":
        return None
    return Problem(int(quirks.not_found), problem.reason, problem.message)


def list_machines(ask: Ask) -> Answer:
    clusters, quirks = ask.world.catalogue.clusters, ask.world.quirks
    machines, total = pages.page(ask.world.listed(ask.account), ask.query, _window(ask), ask.shapes, ask.now)
    items = [wire.list_item(machine, clusters[machine.order.cluster_id], quirks) for machine in machines]
    return {"instances": items, "total": total}


def get_machine(ask: Ask) -> Answer:
    machine = _machine(ask, ask.query)
    return wire.detail(machine, ask.world.catalogue.clusters[machine.order.cluster_id], ask.world.quirks)


def create(ask: Ask) -> Answer:
    machine = ask.world.create(ask.account, orders.order(ask.world, ask.account, ask.body), ask.now)
    ask.call.machine_id = machine.id
    return {"id": machine.id}


def change_power(ask: Ask) -> Answer:
    machine = _machine(ask, ask.body)
    ask.world.change_power(machine, ask.call.operation, ask.now)
    if ask.call.operation == "restart":
        return _delete_answer(ask.world.quirks)
    state: Json = {"instanceId": machine.id, "state": machine.status}
    answers: dict[str, Answer] = {"state": state, "object": {}, "empty": None}
    return answers[ask.world.quirks.power_answer]


def delete(ask: Ask) -> Answer:
    ask.world.delete(_machine(ask, ask.body), ask.now)
    return _delete_answer(ask.world.quirks)


def products(ask: Ask) -> Answer:
    query = ask.query
    wanted = [
        product
        for product in ask.world.catalogue.products.values()
        if query.get("productName", "") in product.name
        and (not query.get("clusterId") or product.is_offered_in(query["clusterId"]))
    ]
    return {"data": [_offer(ask, product) for product in wanted]}


def clusters(ask: Ask) -> Answer:
    catalogue = ask.world.catalogue

    def gpu_types(cluster: Cluster) -> list[str]:
        return [product.name for product in catalogue.products.values() if product.is_offered_in(cluster.id)]

    return {"data": [wire.cluster(cluster, gpu_types(cluster)) for cluster in catalogue.clusters.values()]}


def templates(ask: Ask) -> Answer:
    """Older answers repeat the page's size and number; novita-sdk insists on them."""
    window = _window(ask)
    name, channel = ask.query.get("name", ""), ask.query.get("channel")
    visible = [
        template
        for template in ask.world.catalogue.templates.values()
        if template.is_visible_to(ask.account) and name in template.name and channel in (None, "", template.channel)
    ]
    start = window.page * window.size
    shown = [wire.template(template) for template in visible[start : start + window.size]]
    return {"template": shown, "pageSize": window.size, "pageNum": window.page, "total": len(visible)}


def template(ask: Ask) -> Answer:
    found = ask.world.catalogue.templates.get(ask.query.get("templateId", ""))
    if found is None or not found.is_visible_to(ask.account):
        raise Missing("template not found", "TEMPLATE_NOT_FOUND")
    return {"template": wire.template(found)}


def auths(ask: Ask) -> Answer:
    credentials = ask.world.catalogue.credentials.values()
    return {"data": [wire.credential(each) for each in credentials if each.account == ask.account]}


def _window(ask: Ask) -> pages.Window:
    return pages.Window.of(ask.query, ask.world.quirks.first_page)


def _machine(ask: Ask, source: Mapping[str, object]) -> Machine:
    machine_id = source.get("instanceId")
    if not isinstance(machine_id, str) or not machine_id:
        raise invalid("instanceId: required")
    return ask.world.find(ask.account, machine_id)


def _delete_answer(quirks: Quirks) -> Answer:
    return None if quirks.delete_answer == "empty" else {}


def _offer(ask: Ask, product: Product) -> Json:
    """`clusterId`, `gpuNum` and `billingMethod` decide what "can be deployed" means (API reference 4.1)."""
    world, query = ask.world, ask.query
    clusters = world.catalogue.clusters.values()
    asked = [cluster.id for cluster in clusters if query.get("clusterId") in (None, "", cluster.id)]
    free = [world.stock.get((product.id, cluster_id), 0) for cluster_id in asked]
    is_billable = (query.get("billingMethod") or "onDemand") in product.billing_methods
    needed = max(1, pages.number(query, "gpuNum"))
    can_deploy = is_billable and max(free, default=0) >= needed
    return wire.product(product, clusters, sum(free), can_deploy=can_deploy, quirks=world.quirks)


ROUTES: dict[tuple[str, str], tuple[str, Operation]] = {
    ("GET", "/gpu/instances"): ("list", list_machines),
    ("GET", "/gpu/instance"): ("get", get_machine),
    ("POST", "/gpu/instance/create"): ("create", create),
    ("POST", "/gpu/instance/start"): ("start", change_power),
    ("POST", "/gpu/instance/stop"): ("stop", change_power),
    ("POST", "/gpu/instance/restart"): ("restart", change_power),
    ("POST", "/gpu/instance/delete"): ("delete", delete),
    ("GET", "/products"): ("products", products),
    ("GET", "/clusters"): ("clusters", clusters),
    ("GET", "/templates"): ("templates", templates),
    ("GET", "/template"): ("template", template),
    ("GET", "/repository/auths"): ("auths", auths),
}
