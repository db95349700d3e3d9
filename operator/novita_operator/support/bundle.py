"""`novita-operator support-bundle`: what somebody needs who helps, without secrets. What cannot be read says why."""

import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import httpx2

from novita_operator.cloud.errors import CloudError
from novita_operator.cloud.novita import Novita
from novita_operator.cluster import lease, retained
from novita_operator.cluster.connection import Connection, Json
from novita_operator.cluster.errors import ClusterError
from novita_operator.model.crd import CRD_NAME
from novita_operator.model.machine import Fleet
from novita_operator.model.resource import GROUP, KIND, PLURAL, VERSION
from novita_operator.support import redacted

_SITE_SECONDS = 5.0


@dataclass(slots=True)
class Bundle:
    """The files, by name. `site` is where the operator serves its metrics; `home` its namespace; no `namespaces`: all.

    `known` are secrets that no file may show: the API key, to begin with.
    """

    connection: Connection
    cloud: Novita
    namespaces: Sequence[str]
    home: str
    cluster_id: str
    site: str
    known: set[str]
    files: dict[str, str] = field(default_factory=dict)

    async def gather(self) -> None:
        """Read everything; what fails leaves its reason in place of its content."""
        await self._add("resources.json", self._resources)
        await self._add("events.json", self._events)
        await self._add("crd.json", self._crd)
        await self._add("lease.json", self._lease)
        await self._add("retained.json", self._retained)
        await self._add("fleet.json", self._fleet)
        async with httpx2.AsyncClient(base_url=self.site, timeout=_SITE_SECONDS, trust_env=False) as site:
            for page in ("readyz", "metrics"):
                await self._add(f"{page}.txt", partial(_page, site, page))

    def archive(self, at: datetime) -> bytes:
        """A tar.gz of the files, dated so; secrets that a file repeats are taken out now, when all are known."""
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w:gz") as tar:
            for name, text in self.files.items():
                scrubbed = redacted.scrubbed_json if text.startswith(("{", "[")) else redacted.scrubbed
                content = scrubbed(text, self.known).encode()
                entry = tarfile.TarInfo(f"novita-operator-support/{name}")
                entry.size, entry.mtime, entry.mode = len(content), int(at.timestamp()), 0o600
                tar.addfile(entry, io.BytesIO(content))
        return target.getvalue()

    async def _add(self, name: str, read: Callable[[], Awaitable[object]]) -> None:
        try:
            found = await read()
        except (ClusterError, CloudError, httpx2.HTTPError, OSError) as error:
            found = f"not read: {error or type(error).__name__}\n"
        self.files[name] = found if isinstance(found, str) else json.dumps(found, indent=2, default=str) + "\n"

    async def _resources(self) -> object:
        bodies = await self._everywhere(f"apis/{GROUP}/{VERSION}", PLURAL)
        self.known |= redacted.secrets_of(bodies)
        return [redacted.resource(body) for body in bodies]

    async def _events(self) -> object:
        bodies = await self._everywhere("apis/events.k8s.io/v1", "events")
        return [redacted.event(body) for body in bodies if (body.get("regarding") or {}).get("kind") == KIND]

    async def _crd(self) -> object:
        found = await self.connection.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD_NAME}")
        return {"generation": found["metadata"]["generation"], "spec": found["spec"], "status": found["status"]}

    async def _lease(self) -> object:
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{self.home}/leases"
        return (await self.connection.get(f"{leases}/{lease.NAME}"))["spec"]

    async def _retained(self) -> object:
        found = await self.connection.get(f"/api/v1/namespaces/{self.home}/configmaps/{retained.NAME}")
        return found.get("data") or {}

    async def _fleet(self) -> object:
        fleet = Fleet.of(await self.cloud.machines(), cluster_id=self.cluster_id, begun=0)
        return redacted.machines(fleet)

    async def _everywhere(self, api: str, kind: str) -> list[Json]:
        """All of a kind in the namespaces."""
        places = [f"/{api}/namespaces/{name}/{kind}" for name in self.namespaces] or [f"/{api}/{kind}"]
        return [item for place in places async for item in self.connection.items(place)]


async def _page(site: httpx2.AsyncClient, name: str) -> str:
    return (await site.get(f"/{name}")).text


def settings_page(shown: Mapping[str, Any]) -> str:
    """One `NAME=value` a line."""
    return "".join(f"{name}={value}\n" for name, value in shown.items())
