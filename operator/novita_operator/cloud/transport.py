"""One HTTP exchange with Novita: bounded in time and size, never followed, never repeated, held back by the fence.

What has not begun to be written is `NotSent`; from then on, whatever goes wrong is `Unknown`. httpcore2 2.16.2 keeps
this: over HTTP/1.1 it repeats a request only on `ConnectionNotAvailable`, raised before a byte is written. Should a
later one call the moment of writing by another name, no call succeeds any more; `tests/contract` would tell first.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx2

from novita_operator.cloud.errors import CloudError, NotSent, Unknown
from novita_operator.cloud.port import Fence
from novita_operator.cloud.verdict import Answer

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
LARGEST_ANSWER = 64 * 1024 * 1024
_CONNECTIONS = 100
_IDLE_CONNECTIONS = 4
"""Each one is asked at each request whether it still lives."""
_READ_AGAIN_WITHIN, _WRITE_AGAIN_WITHIN = 5.0, 1.0
"""Seconds that a connection may have been idle. One that is dead without our knowing would leave a write unknown."""
_LONGEST_HEEDED = 900.0
"""Seconds; a `Retry-After` beyond it is taken for a slip: it would switch the operator off."""
_AS_IT_IS_WRITTEN = "http11.send_request_headers.started"
_BEFORE_WRITING = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked: GET with a query, or POST with a body. The body may hold secrets, so its repr shows neither."""

    path: str
    query: Mapping[str, str | int] | None = None
    body: Mapping[str, object] | None = None

    def __repr__(self) -> str:
        return f"Ask({self.path!r})"

    @property
    def method(self) -> Literal["GET", "POST"]:
        return "GET" if self.body is None else "POST"


class Transport:
    """The connections to one base URL."""

    def __init__(self, *, base_url: str, user_agent: str) -> None:
        self._reads = _client(base_url, user_agent, again_within=_READ_AGAIN_WITHIN)
        self._writes = _client(base_url, user_agent, again_within=_WRITE_AGAIN_WITHIN)

    async def exchange(self, ask: Ask, *, key: str, fence: Fence, seconds: float) -> Answer:
        """Send one request and read its answer, all within so many seconds.

        Raises:
            NotSent: no connection could be made, or the fence says so.
            Unknown: perhaps sent, and no whole answer came back.
        """
        fence_post = _FencePost(fence)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._exchange(ask, key, fence_post)
            fence_post.check()
        except (httpx2.HTTPError, OSError) as error:
            failure = fence_post.failure(error)
        else:
            return answer
        # Outside the handler: httpx's errors hold the request, and the request holds the key.
        raise failure

    async def date(self, *, seconds: float) -> str | None:
        """The clock at the other end as HTTP spells it, from whatever it answers to a question without a key.

        Raises:
            NotSent, Unknown: it does not answer.
        """
        fence_post = _FencePost(_open)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._reads.get("/clusters", extensions={"trace": fence_post.trace})
        except (httpx2.HTTPError, OSError) as error:
            raise fence_post.failure(error) from None
        return answer.headers.get("Date")

    async def _exchange(self, ask: Ask, key: str, fence_post: "_FencePost") -> Answer:
        client = self._reads if ask.body is None else self._writes
        async with client.stream(
            ask.method,
            ask.path,
            params=ask.query,
            json=ask.body,
            headers={"Authorization": f"Bearer {key}"},
            extensions={"trace": fence_post.trace},
        ) as response:
            return Answer(response.status_code, await _body(response), _retry_after(response.headers))

    async def aclose(self) -> None:
        await self._reads.aclose()
        await self._writes.aclose()


def _open() -> None:
    """A read may always be sent."""


class _FencePost:
    """Stands where httpcore begins to write a request, behind pool, connection and TLS."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._has_begun = False

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:  # Any: httpcore's own, we read none of it
        if event == _AS_IT_IS_WRITTEN:
            self._fence()
            self._has_begun = True

    def check(self) -> None:
        if not self._has_begun:
            raise Unknown("the fence was passed by: this httpcore2 does not tell when it begins to write")

    def failure(self, error: Exception) -> CloudError:
        if self._has_begun or not isinstance(error, _BEFORE_WRITING):
            return Unknown(f"Novita gave no whole answer ({type(error).__name__})", outage=True)
        # Only of a failed connection the text is sure to hold no header: it comes from the operating system.
        detail = f": {error}" if isinstance(error, httpx2.ConnectError) else ""
        return NotSent(f"no connection to Novita ({type(error).__name__}{detail})", outage=True)


def _client(base_url: str, user_agent: str, *, again_within: float) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=base_url,
        # Documented as required even where there is no content (API reference 1.1).
        headers={"User-Agent": user_agent, "Accept": "application/json", "Content-Type": "application/json"},
        timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
        limits=httpx2.Limits(
            max_connections=_CONNECTIONS, max_keepalive_connections=_IDLE_CONNECTIONS, keepalive_expiry=again_within
        ),
        http2=False,
        follow_redirects=False,
        trust_env=False,
    )


async def _body(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise Unknown(f"Novita's answer is larger than {LARGEST_ANSWER} bytes", outage=True)
    return bytes(body)


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Whole seconds (API reference 1.4); a date is not read, for our clock may differ from theirs."""
    text = headers.get("Retry-After", "").strip()
    return min(float(text), _LONGEST_HEEDED) if text.isdecimal() else None
