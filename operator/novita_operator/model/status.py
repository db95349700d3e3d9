"""The `GpuInstance` status as the operator writes it.

Decisions read ids, times and counts from it, never conditions: those are written for people.
"""

from datetime import datetime

from pydantic import Field

from novita_operator.model.base import Wire, Word
from novita_operator.model.reasons import State
from novita_operator.model.resource import BillingMode, PortProtocol

LONGEST_MESSAGE = 1024
NEVER_OBSERVED = -1
"""`observedGeneration` of a resource that no operator has looked at yet, so that waiters wait."""


class Condition(Wire):
    """One condition, by the Kubernetes API conventions."""

    type: Word = Field(description="What the condition is about.", max_length=64)
    status: Word = Field(
        description="True, False or Unknown.", json_schema_extra={"enum": ["True", "False", "Unknown"]}
    )
    reason: Word = Field(description="One word for machines, from a closed set.", max_length=64)
    message: Word = Field(default="", description="One sentence for people.", max_length=LONGEST_MESSAGE)
    observed_generation: int = Field(default=0, description="Generation of the spec that this is about.", ge=0)
    last_transition_time: datetime = Field(description="When status last changed.")


class PublishedPort(Wire):
    """Where a port is reached."""

    port: int = Field(description="Port inside the container.", ge=1, le=65535)
    protocol: PortProtocol = Field(description="HTTP or TCP.")
    address: str = Field(description="Address from outside: a URL for HTTP, host:port for TCP.", max_length=512)


class Retries(Wire):
    """How often the operator has launched anew or started again for one generation of the spec."""

    generation: int = Field(description="Generation of the spec that the count is for.", ge=0)
    count: int = Field(description="Launches and starts beyond the first; after three the operator gives up.", ge=0)
    last_time: datetime = Field(description="When the last of them was tried.")


class Placement(Wire):
    """One offer that was looked at for the launch that is still to come."""

    product_id: str = Field(description="Novita's id of the product.", max_length=255)
    region: str = Field(description="Region by name.", max_length=63)
    billing_mode: BillingMode = Field(description="Spot or OnDemand.")
    hourly_price: str = Field(default="", description="USD per hour for the whole machine.", max_length=16)
    verdict: str = Field(description="Why it was passed over.", max_length=128)
    blocked_until: datetime | None = Field(
        default=None, description="A remembered refusal: the offer is not tried again before."
    )


class Status(Wire):
    """What is known, and no more."""

    observed_generation: int = Field(
        default=NEVER_OBSERVED,
        description="Generation of the spec that this status is about; -1 before the first look.",
    )
    state: State | None = Field(default=None, description="One word for people; machines read the conditions.")
    instance_id: str | None = Field(
        default=None,
        description="Novita's id of the machine. While it is here, fields read at the launch are fixed.",
        max_length=255,
    )
    machine_name: str | None = Field(default=None, description="Name of the machine at Novita.", max_length=63)
    product_id: Word | None = Field(default=None, description="Novita's id of the product.", max_length=255)
    product_name: Word | None = Field(default=None, description="Name of the product.", max_length=255)
    region: Word | None = Field(default=None, description="Region by name.", max_length=63)
    region_id: Word | None = Field(default=None, description="Region by id.", max_length=63)
    billing_mode: BillingMode | None = Field(default=None, description="How the machine is paid.")
    hourly_price: Word | None = Field(
        default=None, description="USD per hour for the whole machine, as offered at the launch.", max_length=16
    )
    endpoints: tuple[PublishedPort, ...] = Field(
        default=(), description="Where the ports are reached while the machine runs.", max_length=32
    )
    created_time: datetime | None = Field(default=None, description="When the machine was launched.")
    started_time: datetime | None = Field(default=None, description="When the machine was last seen to come up.")
    stopped_time: datetime | None = Field(default=None, description="When the machine was last seen to stop.")
    launches: int | None = Field(default=None, description="Machines launched for this resource so far.", ge=0)
    retries: Retries | None = Field(default=None, description="Launches and starts beyond the first.")
    placement: tuple[Placement, ...] = Field(
        default=(), description="Offers looked at while nothing could be launched, and why.", max_length=16
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        description="Ready says whether what is observed is what is wanted; Running, Launched and CredentialsValid "
        "say the parts; SpotReclaim, Reconciling and Stalled are there only while true.",
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )

    def condition(self, kind: str) -> Condition | None:
        return next((condition for condition in self.conditions if condition.type == kind), None)
