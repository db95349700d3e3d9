"""Which object a step is about, for every log line that is written inside it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

from novita_operator.model.instance import GpuInstance

SUBJECT: ContextVar[Mapping[str, str | int] | None] = ContextVar("subject", default=None)


@contextmanager
def about(instance: GpuInstance) -> Iterator[None]:
    """Log lines inside bear the object, its UID and generation, and an id of this one step."""
    metadata = instance.metadata
    token = SUBJECT.set(
        {
            "object": f"{metadata.namespace}/{metadata.name}",
            "uid": metadata.uid,
            "generation": metadata.generation,
            "reconcile_id": uuid4().hex[:12],
        }
    )
    try:
        yield
    finally:
        SUBJECT.reset(token)
