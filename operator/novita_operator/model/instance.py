"""One `GpuInstance` as it stands in the cluster: metadata, spec, status, claim."""

from functools import cached_property
from typing import Any

from novita_operator.model.base import Wire
from novita_operator.model.claim import FINALIZER, PAUSED_ANNOTATION, Claim
from novita_operator.model.naming import Mark
from novita_operator.model.resource import Metadata, Spec
from novita_operator.model.status import Status


class GpuInstance(Wire):
    """The resource, frozen at one resource version."""

    metadata: Metadata
    spec: Spec
    status: Status = Status()

    @classmethod
    def read(cls, body: Any) -> "GpuInstance":  # noqa: ANN401  whatever JSON the API server sends
        """Parse an object from the API server.

        Raises:
            pydantic.ValidationError: a newer or a poisoned object; it must hurt only itself.
        """
        return cls.model_validate(body)

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def generation(self) -> int:
        return self.metadata.generation

    @property
    def is_deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    @property
    def is_paused(self) -> bool:
        return self.metadata.annotations.get(PAUSED_ANNOTATION) == "true"

    @property
    def has_finalizer(self) -> bool:
        return FINALIZER in self.metadata.finalizers

    @cached_property
    def claim(self) -> Claim | None:
        return Claim.read(self.metadata.annotations, self.uid)

    @property
    def recorded_id(self) -> str | None:
        """Id of the machine that the claim names; a record under another name counts for nothing."""
        if self.claim is None or self.status.machine_name != self.claim.machine:
            return None
        return self.status.instance_id

    def mark(self, cluster_id: str) -> Mark:
        return Mark(cluster_id, self.metadata.namespace, self.metadata.name, self.uid)
