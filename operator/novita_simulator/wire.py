"""The JSON of Novita's v1, with its quirks: numbers as strings, several words for "none", capital `Id`s."""

from collections.abc import Iterable
from zlib import crc32

from novita_simulator.catalogue import Cluster, Credential, Product, Template
from novita_simulator.machine import PLACED, Machine
from novita_simulator.quirks import Quirks

Json = dict[str, object]
DOMAIN = "gpu-instance.novita.ai"
LOW_STOCK, HIGH_STOCK = 4, 16
KEEP_DATA_DAYS = 7


def problem(status: int, reason: str, message: str) -> Json:
    return {"code": status, "reason": reason, "message": message, "metadata": {}}


def list_item(machine: Machine, cluster: Cluster, quirks: Quirks) -> Json:
    return _common(machine, cluster, quirks) | _spot(machine) | machine.disguise


def detail(machine: Machine, cluster: Cluster, quirks: Quirks) -> Json:
    """What a get of one machine adds to the list's fields; the spot fields are documented for lists only."""
    extra: Json = {
        "network": {"id": "", "ip": ""},
        "jobs": [],
        "freeStorageSize": machine.order.product.max_rootfs_gb - machine.order.rootfs_gb,
        "keepDataDay": KEEP_DATA_DAYS,
    }
    node: Json = {"maxRootfsSize": str(machine.order.product.max_rootfs_gb)}
    nodes: dict[str, Json] = {"absent": {}, "array": {"node": [node]}, "object": {"node": node}}
    spot = _spot(machine) if quirks.spot_in_get else {}
    return (
        _common(machine, cluster, quirks) | extra | nodes[quirks.node] | _connections(machine) | spot | machine.disguise
    )


def product(product: Product, clusters: Iterable[Cluster], free: int, *, can_deploy: bool, quirks: Quirks) -> Json:
    """`free` GPUs are those of the clusters asked for."""
    number = int if quirks.numbers == "ints" else str
    return {
        "id": product.id,
        "name": product.name,
        "cpuPerGpu": product.cpu,
        "memoryPerGpu": product.memory_gb,
        "diskPerGpu": product.disk_gb,
        "availableDeploy": can_deploy,
        "inventoryState": _inventory_state(free),
        "minRootFS": 10,
        "maxRootFS": product.max_rootfs_gb,
        "minLocalStorage": 0,
        "maxLocalStorage": 0,
        "regions": [cluster.name for cluster in clusters if cluster.id in product.clusters],
        "price": number(product.price),
        "spotPrice": number(product.spot_price),
        "monthlyPrice": [],
        "billingMethods": product.billing_methods,
    }


def cluster(cluster: Cluster, gpu_types: Iterable[str]) -> Json:
    return {
        "id": cluster.id,
        "name": cluster.name,
        "availableGpuType": sorted(set(gpu_types)),
        "supportNetworkStorage": cluster.network_storage,
        "supportInstanceNetwork": cluster.vpc,
    }


def template(template: Template) -> Json:
    return {
        "Id": template.id,
        "user": template.account,
        "name": template.name,
        "readme": "",
        "type": "instance",
        "channel": template.channel,
        "image": template.image,
        "imageAuth": template.image_auth_id,
        "startCommand": template.start_command,
        "entrypoint": template.entrypoint,
        "rootfsSize": template.rootfs_gb,
        "ports": [{"type": protocol, "ports": list(numbers)} for protocol, numbers in template.ports],
        "envs": _envs(template.envs),
        "tools": [],
        "volumes": [],
        "minCudaVersion": template.min_cuda,
        "createTime": str(template.created_at),
    }


def credential(credential: Credential) -> Json:
    return {"id": credential.id, "name": credential.name, "username": credential.username, "password": "******"}


def _common(machine: Machine, cluster: Cluster, quirks: Quirks) -> Json:
    order = machine.order
    number = int if quirks.numbers == "ints" else str
    state, message = machine.status_error
    return {
        "id": machine.id,
        "name": order.name,
        "clusterId": cluster.id,
        "clusterName": cluster.short_name,
        "status": machine.status_word or machine.status,
        "imageUrl": order.image,
        "imageAuthId": order.image_auth_id,
        "command": order.command,
        "entrypoint": order.entrypoint,
        "cpuNum": number(order.product.cpu * order.gpu_num),
        "memory": number(order.product.memory_gb * order.gpu_num),
        "gpuNum": number(order.gpu_num),
        "portMappings": [_port_mapping(machine, port, protocol) for port, protocol in order.ports],
        "productId": order.product.id,
        "productName": order.product.name,
        "rootfsSize": order.rootfs_gb,
        "volumeMounts": [],
        "statusError": {"state": state, "message": message},
        "envs": _envs(order.envs),
        "kind": "gpu",
        "billingMode": order.billing_mode,
        "endTime": "-1",
        "createdAt": _time(machine.created_at),
        "lastStartedAt": _time(machine.started_at),
        "lastStoppedAt": _time(machine.stopped_at),
    }


def _spot(machine: Machine) -> Json:
    return {"spotStatus": machine.spot_status, "spotReclaimTime": _time(machine.spot_reclaim_at)}


def _envs(envs: Iterable[tuple[str, str]]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in envs]


def _time(at: float) -> str:
    return str(int(at))


def _port_mapping(machine: Machine, port: int, protocol: str) -> Json:
    endpoint = _endpoint(machine, port, protocol) if machine.status in PLACED else ""
    return {"port": port, "endpoint": endpoint, "type": protocol}


def _endpoint(machine: Machine, port: int, protocol: str) -> str:
    if protocol == "http":
        return f"https://{machine.id}-{port}.{machine.order.cluster_id}.{DOMAIN}"
    return f"proxy.{machine.order.cluster_id}.{DOMAIN}:{_outer_port(machine, port)}"


def _outer_port(machine: Machine, port: int) -> int:
    """Another one after each start: nobody promises that TCP ports are stable (API reference 18, row 30)."""
    return 30000 + crc32(f"{machine.id}:{port}:{machine.starts}".encode()) % 10000


def _connections(machine: Machine) -> Json:
    is_running = machine.status == "running"
    host = f"proxy.{machine.order.cluster_id}.{DOMAIN}"
    jupyter = machine.order.jupyter_port
    address = _endpoint(machine, jupyter, "http") if jupyter and is_running else ""
    command = f"ssh -p {_outer_port(machine, 22)} root@{host}" if is_running else ""
    return {
        "connectComponentSSH": {"sshCommand": command, "password": f"pw-{machine.id}", "isRunning": is_running},
        "connectComponentWebTerminal": {"address": "", "username": "", "password": "", "isRunning": False},
        "connectComponentJupyter": {"port": jupyter, "address": address, "isRunning": bool(address)},
        "connectComponentLog": {"systemLogAddress": "", "instanceLogAddress": "", "isRunning": False},
    }


def _inventory_state(free: int) -> str:
    if free <= 0:
        return "none"
    if free < LOW_STOCK:
        return "low"
    return "normal" if free < HIGH_STOCK else "high"
