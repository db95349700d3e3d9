"""One `GpuInstance` as it stands in the cluster: metadata, spec, status, claim."""

from functools import cached_property
from typing import Any

from pydantic import ValidationError

from novita_operator.model.base import Wire
from novita_operator.model.claim import FINALIZER, PAUSED_ANNOTATION, Claim
from novita_operator.model.naming import Mark
from novita_operator.model.resource import Metadata, Spec
from novita_operator.model.status import Status


class Unreadable(ValueError):  # noqa: N818  what the object is
    """An object that cannot be understood; the text says which fields are wrong, and never what they hold."""

    def __init__(self, namespace: str, name: str, uid: str, resource_version: str, why: str) -> None:
        super().__init__(f"{namespace}/{name} cannot be understood: {why}")
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.resource_version = resource_version
        self.why = why

    @classmethod
    def of(cls, body: Any, error: ValidationError) -> "Unreadable":  # noqa: ANN401  as below
        metadata = body["metadata"]
        problems = error.errors(include_input=False, include_url=False)
        why = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['type']}" for problem in problems)
        return cls(metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"], why)


class GpuInstance(Wire):
    """The resource, frozen at one resource version."""

    metadata: Metadata
    spec: Spec
    status: Status = Status()

    @classmethod
    def read(cls, body: Any) -> "GpuInstance":  # noqa: ANN401  whatever JSON the API server sends
        """Parse an object from the API server.

        Raises:
            Unreadable: a newer or a poisoned object; it must hurt only itself.
        """
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            unreadable = Unreadable.of(body, error)
        # Outside the handler: pydantic's error holds the object.
        raise unreadable

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
