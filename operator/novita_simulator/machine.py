"""One machine and its way through the states (API reference 7)."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from novita_simulator.catalogue import Product

OWNER_ENV = "NOVITA_OPERATOR_OWNER"
FORGOTTEN = "forgotten"  # never on the wire: the end of `removed`, after which the id is unknown

PATHS = {
    "create": ("toCreate", "creating", "pulling", "running"),
    "start": ("toStart", "starting", "running"),
    "stop": ("toStop", "stopping", "exited"),
    "restart": ("toRestart", "restarting", "running"),
}
DELETION = {
    "fades": ("toRemove", "removing", "removed", FORGOTTEN),
    "vanishes": (FORGOTTEN,),
    "stays": ("toRemove", "removing", "removed"),
}
ALLOWED_FROM = {"start": {"exited"}, "stop": {"running"}, "restart": {"running"}}
BILLED = frozenset({"pulling", "running", "starting", "toRestart", "restarting"})
PLACED = BILLED | {"toStop", "stopping"}
LEAVING = frozenset({"toRemove", "removing", "removed"})

DURATIONS: Mapping[str, float] = {
    "toCreate": 2,
    "creating": 10,
    "pulling": 60,
    "toStart": 2,
    "starting": 15,
    "toStop": 2,
    "stopping": 10,
    "toRestart": 2,
    "restarting": 10,
    "toRemove": 2,
    "removing": 8,
    "removed": 30,
    "reclaiming": 15,
}


@dataclass(frozen=True, slots=True)
class Order:
    """What a create asks for, after validation."""

    name: str
    product: Product
    cluster_id: str
    gpu_num: int
    billing_mode: str
    rootfs_gb: int
    image: str
    image_auth_id: str = ""
    command: str = ""
    entrypoint: str = ""
    ports: tuple[tuple[int, str], ...] = ()
    jupyter_port: int = 0
    envs: tuple[tuple[str, str], ...] = ()

    @property
    def mark(self) -> str:
        return dict(self.envs).get(OWNER_ENV, "")

    @property
    def usd_per_hour(self) -> Decimal:
        return self.product.usd_per_gpu_hour(self.billing_mode) * self.gpu_num


@dataclass(frozen=True, slots=True)
class Step:
    """A state to be entered at a moment in simulated Unix seconds."""

    at: float
    status: str
    spot_status: str = ""
    error: tuple[str, str] = ("", "")


@dataclass(slots=True, eq=False)
class Machine:
    id: str
    account: str
    order: Order
    created_at: float
    status: str = ""
    status_error: tuple[str, str] = ("", "")
    spot_status: str = ""
    spot_reclaim_at: float = 0
    started_at: float = 0
    stopped_at: float = 0
    ended_at: float | None = None
    starts: int = 0
    holds_gpus: bool = False
    status_word: str = ""
    disguise: dict[str, object] = field(default_factory=dict)
    plan: deque[Step] = field(default_factory=deque)
    plan_number: int = 0
    is_frozen: bool = False

    @property
    def group(self) -> str:
        """The last part of the owner's mark: the UID of the object that wanted this machine; empty for foreign ones."""
        return self.order.mark.rsplit("/", maxsplit=1)[-1]

    @property
    def is_spot(self) -> bool:
        return self.order.billing_mode == "spot"


def path(statuses: Sequence[str], start: float, durations: Mapping[str, float]) -> Iterator[Step]:
    """Each state with the moment it begins; `durations` says how long each lasts, in simulated seconds."""
    at = start
    for status in statuses:
        yield Step(at, status)
        at += durations.get(status, 0)
