"""The one way to the Kubernetes API: `kubernetes.aio` for credentials, TLS and the pool; JSON as it comes.

The client's typed models are passed by: parsing into them costs more CPU than the call.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPMethod, HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException

from novita_operator.cluster.errors import CAUSES, ClusterError, Rejected, Unreachable, cluster_error
from novita_operator.metrics import KUBERNETES_WRITES

REQUEST_SECONDS = 10.0
"""Bound of every call; kubernetes.aio's own would be five minutes."""
POOL_SIZE = 64
PAGE_SIZE = 500
MANAGER = "novita-operator"
"""Field manager and user agent: who we are in managedFields and in audit logs."""

Json = dict[str, Any]
"""An object as the API server sends or takes it."""

_BOUND = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"


class Connection:
    """JSON over one bounded pool; every call is bounded in time and none is repeated.

    Raises, from every call, the `ClusterError` that says what to do next. A caller with less time than
    `REQUEST_SECONDS` puts `asyncio.timeout` around it. `write` names a write in the metrics.
    """

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = _JSON) -> Json:
        """Read an object or a page of a list; without `resourceVersion` in the query the answer is consistent."""
        url = f"{path}?{urlencode(query)}" if query else path
        return await self._call(HTTPMethod.GET, url, {"Accept": accept})

    async def accepts(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether this GET is answered and not `Rejected`; what it brings is left unread."""
        try:
            await self._exchange(HTTPMethod.GET, f"{path}?{urlencode(query)}", {"Accept": _JSON}, None, is_read=False)
        except Rejected:
            return False
        return True

    async def items(self, path: str, *, accept: str = _JSON) -> AsyncIterator[Json]:
        """What a list holds, page by page, past every cache."""
        query = {"limit": str(PAGE_SIZE)}
        while True:
            page = await self.get(path, query, accept=accept)
            for item in page["items"] or ():  # null where there is none
                yield item
            if not (token := page["metadata"].get("continue")):
                return
            query["continue"] = token

    async def date(self) -> str | None:
        """The API server's clock, as HTTP spells it; None where a proxy keeps it to itself."""
        headers, _ = await self._exchange(HTTPMethod.GET, "/version", {"Accept": _JSON}, None)
        return headers.get("Date")

    async def create(self, path: str, body: Json, *, write: str) -> Json:
        return await self._write(HTTPMethod.POST, path, _JSON, body, write=write)

    async def replace(self, path: str, body: Json, *, write: str) -> Json:
        return await self._write(HTTPMethod.PUT, path, _JSON, body, write=write)

    async def merge(self, path: str, body: Json, *, write: str) -> Json:
        """Merge PATCH: lists are replaced whole, null removes; 409 if `metadata.resourceVersion` is there and stale."""
        return await self._write(HTTPMethod.PATCH, path, _MERGE_PATCH, body, write=write)

    async def close(self) -> None:
        await self.client.close()  # type: ignore[no-untyped-call]

    async def _write(self, method: HTTPMethod, path: str, kind: str, body: Json, *, write: str) -> Json:
        headers = {"Accept": _JSON, "Content-Type": kind}
        try:
            answer = await self._call(method, f"{path}?fieldManager={MANAGER}", headers, body)
        except ClusterError as error:
            KUBERNETES_WRITES.labels(write, type(error).__name__.lower()).inc()
            raise
        KUBERNETES_WRITES.labels(write, "ok").inc()
        return answer

    async def _call(self, method: HTTPMethod, url: str, headers: dict[str, str], body: Json | None = None) -> Json:
        _, content = await self._exchange(method, url, headers, body)
        return content

    async def _exchange(
        self, method: HTTPMethod, url: str, headers: dict[str, str], body: Json | None, *, is_read: bool = True
    ) -> tuple[Mapping[str, str], Json]:
        """The answer's headers, and what is in it if that is to be read."""
        headers["User-Agent"] = MANAGER
        try:
            await self.client.update_params_for_auth(headers, [], ["BearerToken"], url, method, body)
            response = await self.client.call_api(
                method, self.client.configuration.host + url, headers, body=body, _request_timeout=_BOUND
            )
            if not is_read and response.status < HTTPStatus.BAD_REQUEST:
                response.response.close()
                return response.headers, {}
            content: bytes = await response.read()  # type: ignore[no-untyped-call]
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise ApiException(response.status, response.reason, body=content.decode(errors="replace"))
            answer: Json = json.loads(content)
        except CAUSES as error:
            raise cluster_error(error) from error
        return response.headers, answer


async def connect(kubeconfig: Path | None = None) -> Connection:
    """Connect as `kubeconfig` says, else as the pod's ServiceAccount, else as the user's default kubeconfig.

    In a pod the token is read again every minute, so a rotated one is picked up. A token that an exec plugin of a
    kubeconfig gave is not renewed.

    Raises:
        Unreachable: none of them can be used.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = POOL_SIZE
    # As kopf's own: else every request reads ~/.netrc and looks for proxies, each in a thread.
    configuration.client_session_kwargs = {"trust_env": False}
    try:
        await _load(kubeconfig, configuration)
    except CAUSES as error:
        raise Unreachable(f"no way to the Kubernetes API ({error}): run in a pod, or set KUBECONFIG") from error
    return Connection(ApiClient(configuration))


async def _load(kubeconfig: Path | None, configuration: Configuration) -> None:
    if kubeconfig is None:
        with contextlib.suppress(config.ConfigException):
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return
    file = None if kubeconfig is None else str(kubeconfig)
    await config.load_kube_config(file, client_configuration=configuration)  # type: ignore[no-untyped-call]
