"""One `GpuInstance` as it stands in the cluster: metadata, spec, status, claim."""

from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import Field, ValidationError, field_validator

from novita_operator.model.base import Wire, Word
from novita_operator.model.claim import FINALIZER, PAUSED_ANNOTATION, Claim
from novita_operator.model.naming import Mark, Owner, is_named_for, life_in, name_part
from novita_operator.model.resource import GROUP, Spec
from novita_operator.model.status import Status


class Metadata(Wire):
    """The part of Kubernetes' metadata that decisions or writes need."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int = 1
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[Word, ...] = ()
    annotations: dict[str, str] = Field(default_factory=dict, repr=False)

    @field_validator("annotations", mode="after")
    @classmethod
    def _only_ours(cls, annotations: dict[str, str]) -> dict[str, str]:
        """Others' annotations (kubectl keeps the whole manifest in one) would fill the memory."""
        return {name: value for name, value in annotations.items() if name.startswith(f"{GROUP}/")}


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

    @property
    def owner(self) -> Owner:
        return Owner(self.metadata.namespace, self.metadata.name)

    @cached_property
    def written_claim(self) -> Claim | None:
        """The claim in the annotations, whatever UID it was written for."""
        return Claim.read(self.metadata.annotations, *self.owner)

    @property
    def claim(self) -> Claim | None:
        claim = self.written_claim
        return claim if claim is not None and claim.uid == self.uid else None

    @property
    def restored_claim(self) -> Claim | None:
        """The claim of an earlier life: this object came back from a backup, under a new UID."""
        claim = self.written_claim
        return claim if claim is not None and claim.uid != self.uid else None

    @property
    def recorded_id(self) -> str | None:
        """Id of the machine that the claim names; a record under another name counts for nothing."""
        if self.claim is None or self.status.machine_name != self.claim.machine:
            return None
        return self.status.instance_id

    @property
    def lives(self) -> frozenset[str]:
        """The `name_part` of each UID under which it may have launched what it has.

        A backup that was applied over a launch of the present UID gives its deletion no machine of an earlier one.
        """
        launched = self.status.machine_name
        is_overlaid = self.restored_claim is not None and launched is not None and is_named_for(launched, self.uid)
        return self.lives_by(None if is_overlaid and self.is_deleting else self.written_claim)

    def lives_by(self, claim: Claim | None) -> frozenset[str]:
        """Its own, that in the claim, and those of the machines that claim and status name.

        Status counts beside a claim: if somebody changed the claim of an object that took a machine over, that machine
        would else be nobody's.
        """
        uids = (self.uid, claim.uid) if claim is not None else (self.uid,)
        told = (claim.machine if claim is not None else None, self.status.machine_name)
        earlier = (life_in(machine, *self.owner) for machine in told if machine is not None)
        return frozenset(map(name_part, uids)) | frozenset(filter(None, earlier))

    def mark(self, cluster_id: str) -> Mark:
        return Mark(cluster_id, self.metadata.namespace, self.metadata.name, self.uid)
