"""One `GpuInstance` as it stands in the cluster: metadata, spec, status, claim."""

from functools import cached_property
from typing import Any, NamedTuple

from pydantic import ValidationError

from novita_operator.model.base import Wire
from novita_operator.model.claim import FINALIZER, PAUSED_ANNOTATION, Claim
from novita_operator.model.naming import Mark
from novita_operator.model.resource import Metadata, Spec
from novita_operator.model.status import Status


class Poisoned(NamedTuple):
    """What is kept of an object that cannot be understood; `why` says which fields are wrong, never what they hold."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    why: str

    @classmethod
    def of(cls, body: Any, error: ValidationError) -> "Poisoned":  # noqa: ANN401  as below
        metadata = body["metadata"]
        problems = error.errors(include_input=False, include_url=False)
        why = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['type']}" for problem in problems)
        return cls(metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"], why)

    @property
    def version(self) -> int:
        return int(self.resource_version)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} cannot be understood: {self.why}"


class Unreadable(ValueError):  # noqa: N818  what the object is
    """An object cannot be understood. Keep `found` and let this go: its traceback holds the object, secrets and all."""

    def __init__(self, found: Poisoned) -> None:
        super().__init__(found)
        self.found = found


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
            found = Poisoned.of(body, error)
        # Outside the handler: pydantic's error holds the object.
        raise Unreadable(found)

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def version(self) -> int:
        """Versions of one object are comparable as numbers (Kubernetes 1.35 says so; etcd always did it so)."""
        return int(self.metadata.resource_version)

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
