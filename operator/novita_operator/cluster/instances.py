"""Reads and writes of the `GpuInstance` resource.

Every write carries the `resourceVersion` that it was decided on: `Conflict` means read again, decide again.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from novita_operator.cluster.connection import Connection, Json
from novita_operator.cluster.errors import Expired, Gone
from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER, Claim
from novita_operator.model.instance import GpuInstance
from novita_operator.model.resource import GROUP, PLURAL, VERSION

_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_STREAM_OF_NOTHING = {
    "watch": "true",
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
    "fieldSelector": "metadata.name=-",
    "timeoutSeconds": "1",
}


class Version(NamedTuple):
    """Where an object stands, and at which version."""

    namespace: str
    name: str
    resource_version: str


class Instances:
    """The resource at the API server; raises a `ClusterError` from every method, and repeats nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, namespace: str, name: str) -> GpuInstance:
        """The object as it stands now (a quorum read, past every cache).

        Raises:
            Gone: there is none of that name.
            Unreadable: it cannot be understood.
        """
        return GpuInstance.read(await self._connection.get(_path(namespace, name)))

    async def write_claim(self, instance: GpuInstance, claim: Claim) -> GpuInstance:
        """Add our finalizer and the claim in one PATCH; returns the object as it stands after it."""
        finalizers = instance.metadata.finalizers
        change = {
            "finalizers": [*finalizers, *(() if instance.has_finalizer else (FINALIZER,))],
            "annotations": {CLAIM_ANNOTATION: claim.annotation()},
        }
        return GpuInstance.read(await self._patch_metadata(instance, change, write="claim"))

    async def release(self, instance: GpuInstance) -> None:
        """Take our finalizer away, and only ours; an object that is gone already is fine."""
        kept = [finalizer for finalizer in instance.metadata.finalizers if finalizer != FINALIZER]
        try:
            await self._patch_metadata(instance, {"finalizers": kept}, write="release")
        except Gone:
            return

    async def write_status(self, instance: GpuInstance, status: Mapping[str, Any]) -> GpuInstance:
        """Merge into status (null removes a field, lists are replaced); returns the object as it stands after it."""
        path = f"{_path(instance.metadata.namespace, instance.metadata.name)}/status"
        body = {"metadata": {"resourceVersion": instance.metadata.resource_version}, "status": dict(status)}
        return GpuInstance.read(await self._connection.merge(path, body, write="status"))

    async def versions(self, namespace: str | None) -> dict[str, Version]:
        """By UID, the objects that exist, in all namespaces if None: a consistent list, past every cache, no bodies.

        A list that outlived the API server's memory of it begins anew.
        """
        while True:
            try:
                items = self._connection.items(_path(namespace), accept=_METADATA_ONLY)
                return dict([_version(item) async for item in items])
            except Expired:
                continue

    async def count(self, namespace: str | None) -> int:
        """How many objects there are, in all namespaces if None; the first one's page tells how many follow."""
        page = await self._connection.get(_path(namespace), {"limit": "1"}, accept=_METADATA_ONLY)
        remaining: int = page["metadata"].get("remainingItemCount") or 0
        return len(page["items"] or ()) + remaining

    async def can_stream(self, namespace: str | None) -> bool:
        """Whether a watch may begin with all that is there: since Kubernetes 1.34, where it is not switched off."""
        return await self._connection.accepts(_path(namespace), _STREAM_OF_NOTHING)

    async def _patch_metadata(self, instance: GpuInstance, change: Mapping[str, Any], *, write: str) -> Json:
        path = _path(instance.metadata.namespace, instance.metadata.name)
        body = {"metadata": {"resourceVersion": instance.metadata.resource_version, **change}}
        return await self._connection.merge(path, body, write=write)


def _path(namespace: str | None, name: str | None = None) -> str:
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{where}/{PLURAL}" + (f"/{name}" if name else "")


def _version(item: Json) -> tuple[str, Version]:
    metadata = item["metadata"]
    return metadata["uid"], Version(metadata["namespace"], metadata["name"], metadata["resourceVersion"])
