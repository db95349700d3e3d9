"""The `GpuInstance` resource as people write it: metadata that matters to us, and the spec.

Every field's description is the manual that `kubectl explain` shows.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from novita_operator.model.base import Wire

GROUP = "gpu.novita.ai"
VERSION = "v1alpha1"
KIND = "GpuInstance"
PLURAL = "gpuinstances"

RESERVED_PORTS = range(2222, 2225)


class PowerState(StrEnum):
    """Wanted power."""

    RUNNING = "Running"
    STOPPED = "Stopped"


class BillingMode(StrEnum):
    """How a machine is paid."""

    SPOT = "Spot"
    ON_DEMAND = "OnDemand"


class SpotFallback(StrEnum):
    """What to do when no spot machine can be had."""

    NEVER = "Never"
    ON_DEMAND = "OnDemand"


class RegionPolicy(StrEnum):
    """How the listed regions are compared."""

    ORDERED = "Ordered"
    CHEAPEST = "Cheapest"


class DeletionPolicy(StrEnum):
    """What becomes of the machine when the resource is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"


class PortProtocol(StrEnum):
    """How a port is published."""

    HTTP = "HTTP"
    TCP = "TCP"


def cel(rule: str, message: str) -> dict[str, Any]:
    """One CEL rule, as the API server evaluates it, with the sentence that it answers."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message}]}


class EnvVar(Wire):
    """One environment variable of the container."""

    name: str = Field(
        description="Name of the variable. Names that begin with NOVITA_OPERATOR_ belong to the operator.",
        min_length=1,
        max_length=256,
        pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$",
        json_schema_extra=cel(
            "!self.startsWith('NOVITA_OPERATOR_')",
            "names that begin with NOVITA_OPERATOR_ are reserved for the operator: choose another name",
        ),
    )
    value: str = Field(
        default="",
        description="Value of the variable. Novita shows it in clear text to everybody who may read the account.",
        max_length=4095,
        repr=False,
    )


class Port(Wire):
    """One port to publish."""

    port: int = Field(
        description="Port that the container listens on. 2222 to 2224 are used by Novita itself.",
        ge=1,
        le=65535,
        json_schema_extra=cel(
            "self < 2222 || self > 2224", "ports 2222, 2223 and 2224 are used by Novita itself: choose another port"
        ),
    )
    protocol: PortProtocol = Field(
        default=PortProtocol.HTTP,
        description="HTTP gives a public https address, TCP a public host and port. Nothing guards either: "
        "the application must ask for a password itself.",
    )


class Billing(Wire):
    """How the machine is paid, and how much it may cost."""

    mode: BillingMode = Field(
        default=BillingMode.SPOT,
        description="Spot costs about half and may be taken back on an hour's notice; OnDemand stays.",
    )
    max_price_per_hour: str | None = Field(
        default=None,
        description='Most that the whole machine may cost per hour in USD, as a quantity such as "0.35" or "350m". '
        "Offers above it are passed over. Read at the launch only.",
        max_length=16,
        pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?m?$",
        json_schema_extra=cel(
            "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
            'the price cap must be a quantity above zero, such as "0.35"',
        ),
    )
    spot_fallback: SpotFallback = Field(
        default=SpotFallback.NEVER,
        description="OnDemand launches at the on-demand price when no spot machine can be had; Never waits for spot.",
    )

    @property
    def price_cap(self) -> Decimal | None:
        """The cap in USD per hour."""
        if self.max_price_per_hour is None:
            return None
        if self.max_price_per_hour.endswith("m"):
            return Decimal(self.max_price_per_hour[:-1]) / 1000
        return Decimal(self.max_price_per_hour)


class Startup(Wire):
    """How long a machine may take to come up."""

    timeout_seconds: int | None = Field(
        default=None,
        description="Seconds from the launch until the machine must run. After that it is deleted and launched anew, "
        "at most three times. Absent: the operator's INSTANCE_STARTUP_TIMEOUT.",
        ge=30,
        le=86400,
    )


class Spec(Wire):
    """What somebody wants."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.templateId) || has(self.image)",
                    "message": "the spec does not say what to run: set templateId or image (or both)",
                },
                {
                    "rule": "has(self.productName) != has(self.productId)",
                    "message": "the spec must name one machine type: set either productName or productId",
                },
            ]
        }
    )

    power_state: PowerState = Field(
        default=PowerState.RUNNING,
        description="Running or Stopped. A stopped machine keeps its disk, which Novita bills; created as Stopped, "
        "nothing is launched. Leave it out of Git to start and stop by kubectl or a dashboard.",
    )
    template_id: str | None = Field(
        default=None,
        description="Id of a Novita template. It gives defaults for image, command, entrypoint, env, ports, disk and "
        "CUDA version; what the spec says goes first. Read at the launch only.",
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
    )
    image: str | None = Field(
        default=None,
        description="Container image to run, as in docker.io/acme/worker:1.9. Read at the launch only.",
        min_length=1,
        max_length=500,
        pattern=r"^[^\s]+$",
    )
    image_auth_id: str | None = Field(
        default=None,
        description="Id of a registry credential that is stored at Novita, for a private image. "
        "Read at the launch only.",
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
    )
    command: str | None = Field(
        default=None, description="Start command of the container. Read at the launch only.", max_length=2047
    )
    entrypoint: str | None = Field(
        default=None, description="Overrides the image's entrypoint. Read at the launch only.", max_length=2047
    )
    env: tuple[EnvVar, ...] = Field(
        default=(),
        description="Environment of the container; a name given here goes before the template's. "
        "Read at the launch only.",
        max_length=99,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    ports: tuple[Port, ...] = Field(
        default=(),
        description="Ports to publish; they replace the template's. Read at the launch only.",
        max_length=15,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port"]},
    )
    product_name: str | None = Field(
        default=None,
        description='Wanted machine type by name, as in "RTX 4090 24GB"; the cheapest product of that name is taken. '
        "Either this or productId. Read at the launch only.",
        min_length=1,
        max_length=255,
    )
    product_id: str | None = Field(
        default=None,
        description="Wanted machine type by Novita's id, as in 4090.16c62g. Either this or productName. "
        "Read at the launch only.",
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
    )
    gpu_count: int = Field(default=1, description="Number of GPUs. Read at the launch only.", ge=1, le=8)
    root_disk_size_gb: Annotated[int | None, Field(alias="rootDiskSizeGB")] = Field(
        default=None,
        description="Size of the system disk in GB; the first 60 are free of charge. Absent: the template's, else 60. "
        "Read at the launch only.",
        ge=10,
        le=1000,
    )
    min_cuda_version: str | None = Field(
        default=None,
        description='Lowest CUDA version that the driver must support, as in "12.4". Absent: the template\'s. '
        "Read at the launch only.",
        max_length=8,
        pattern=r"^[0-9]{1,2}\.[0-9]{1,2}$",
    )
    regions: tuple[Annotated[str, Field(min_length=1, max_length=63)], ...] = Field(
        default=(),
        description="Wanted regions by name (US-CA-06) or id (us-ca-6), as regionPolicy says. "
        "Absent: the operator's DEFAULT_REGION, else everywhere. Read at the launch only.",
        max_length=16,
        json_schema_extra={
            "x-kubernetes-list-type": "atomic",
            **cel("self.all(x, self.exists_one(y, y == x))", "a region is listed twice: name each once"),
        },
    )
    region_policy: RegionPolicy = Field(
        default=RegionPolicy.ORDERED,
        description="Ordered takes the first listed region with stock, and the cheapest offer in it; Cheapest takes "
        "the cheapest offer across all listed regions. Read at the launch only.",
    )
    billing: Billing = Field(
        default_factory=Billing,
        description="How the machine is paid. Read at the launch only.",
        json_schema_extra=cel(
            "self.spotFallback == 'Never' || self.mode == 'Spot'",
            "billing.spotFallback has a meaning only with billing.mode Spot: remove it, or set mode to Spot",
        ),
    )
    startup: Startup = Field(default_factory=Startup, description="How long a machine may take to come up.")
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.DELETE,
        description="Delete removes the machine with the resource; Retain leaves it running and billed, and notes its "
        "id in a ConfigMap of the operator's namespace.",
    )


LAUNCH_ONLY = (
    "templateId",
    "image",
    "imageAuthId",
    "command",
    "entrypoint",
    "env",
    "ports",
    "productName",
    "productId",
    "gpuCount",
    "rootDiskSizeGB",
    "minCudaVersion",
    "regions",
    "regionPolicy",
    "billing",
)
"""Fields that only a launch reads: fixed while a machine exists."""
