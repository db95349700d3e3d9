"""What the control API shows: the common words of its server and its client."""

from pydantic import BaseModel, ConfigDict

from novita_simulator.faults import Fault, Lever
from novita_simulator.machine import Machine
from novita_simulator.quirks import Quirks


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class MachineView(View):
    """Times in simulated Unix seconds; `status` is the true one, whatever word the wire was told to show."""

    id: str
    name: str
    account: str
    group: str
    status: str
    status_error: tuple[str, str]
    product_id: str
    cluster_id: str
    gpu_num: int
    billing_mode: str
    spot_status: str
    image: str
    envs: dict[str, str]
    created_at: float
    started_at: float
    starts: int

    @classmethod
    def of(cls, machine: Machine) -> "MachineView":
        order = machine.order
        return cls(
            id=machine.id,
            name=order.name,
            account=machine.account,
            group=machine.group,
            status=machine.status,
            status_error=machine.status_error,
            product_id=order.product.id,
            cluster_id=order.cluster_id,
            gpu_num=order.gpu_num,
            billing_mode=order.billing_mode,
            spot_status=machine.spot_status,
            image=order.image,
            envs=dict(order.envs),
            created_at=machine.created_at,
            started_at=machine.started_at,
            starts=machine.starts,
        )


class LeverView(View):
    id: str
    fault: Fault
    fired: int
    reached: bool

    @classmethod
    def of(cls, lever: Lever) -> "LeverView":
        return cls(id=lever.id, fault=lever.fault, fired=lever.fired, reached=lever.reached.is_set())


class State(View):
    """`stock` is free GPUs by product id and cluster id; `calls` counts the journal by operation."""

    now: float
    speed: float
    quirks: Quirks
    durations: dict[str, float]
    stock: dict[str, dict[str, int]]
    calls: dict[str, int]
