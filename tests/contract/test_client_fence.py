"""What leaves the process, byte by byte: against a bare socket that says no word of HTTP by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from controlplane.plane import ControlPlane
from novita_operator.cloud import transport
from novita_operator.cloud.errors import NotSent, Unknown
from novita_operator.cloud.transport import Ask, Transport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LAST = b"HTTP/1.1 200 Enough\r\nContent-Length: 2\r\n\r\n{}"
DEADLINE = 10


@dataclass
class Wire:
    """What one listening socket saw: the bytes of each connection, and whether it was closed."""

    url: str = ""
    received: list[bytes] = field(default_factory=list)
    handlers: list[asyncio.Task[None]] = field(default_factory=list)

    async def all_closed(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*self.handlers)


@asynccontextmanager
async def listening(*replies: bytes | None) -> AsyncIterator[Wire]:
    """A server that answers the n-th request with the n-th reply; at the end it is silent.

    None cuts the connection, LAST closes it behind itself.
    """
    wire, left = Wire(), list(replies)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(wire.received)
        wire.received.append(b"")
        while chunk := await reader.read(65536):
            wire.received[number] += chunk
            if not wire.received[number].endswith((b"\r\n\r\n", b"}")) or not left:
                continue
            if (reply := left.pop(0)) is None:
                break
            writer.write(reply)
            if reply is LAST:
                break
        writer.close()
        await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.handlers.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1")
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield wire
        await wire.all_closed()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Transport]:
    line = Transport(base_url=url, user_agent="novita-gpu-operator/0.0.0")
    try:
        yield line
    finally:
        await line.aclose()


WRITE = Ask("/gpu/instance/create", body={"name": "x"})
READ = Ask("/clusters")


async def exchange(line: Transport, ask: Ask, fence: Callable[[], None], seconds: float = DEADLINE) -> int:
    return (await line.exchange(ask, key="sk_key", fence=fence, seconds=seconds)).status


def open_fence() -> None:
    """Lets everything through."""


def closed_fence() -> None:
    raise NotSent("the claim is too old")


async def test_a_fence_that_raises_holds_back_every_byte_though_the_connection_stands():
    async with listening(OK) as wire, connected(wire.url) as line:
        with pytest.raises(NotSent, match="the claim is too old"):
            await exchange(line, WRITE, closed_fence)
        await wire.all_closed()
        assert wire.received == [b""]


async def test_a_fence_that_raises_holds_back_every_byte_though_another_write_went_over_the_connection():
    async with listening(OK, OK) as wire, connected(wire.url) as line:
        await exchange(line, WRITE, open_fence)
        with pytest.raises(NotSent, match="the claim is too old"):
            await exchange(line, WRITE, closed_fence)
        await wire.all_closed()
        assert [request.count(b"HTTP/1.1") for request in wire.received] == [1]


async def test_a_fence_is_asked_once_and_after_the_connection_stands():
    asked: list[int] = []
    async with listening(OK) as wire, connected(wire.url) as line:
        await exchange(line, WRITE, lambda: asked.append(len(wire.received)))
        assert len(asked) == 1
        assert len(wire.received) == 1


async def test_a_fence_is_not_asked_where_no_connection_can_be_made(unused_tcp_port: int):
    asked: list[None] = []
    async with connected(f"http://127.0.0.1:{unused_tcp_port}") as line:
        with pytest.raises(NotSent, match="no connection"):
            await exchange(line, WRITE, lambda: asked.append(None))
    assert asked == []


async def test_an_http_library_that_passes_the_fence_by_gets_no_call_through(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "_AS_IT_IS_WRITTEN", "http11.renamed.started")
    async with listening(OK, None) as wire, connected(wire.url) as line:
        for _ in range(2):
            with pytest.raises(Unknown):
                await exchange(line, WRITE, open_fence)


async def test_a_request_says_who_we_are_and_goes_out_once():
    async with listening(OK) as wire, connected(wire.url) as line:
        assert await exchange(line, WRITE, open_fence) == 200
        (request,) = wire.received
    assert request.startswith(b"POST /gpu/instance/create HTTP/1.1\r\n")
    assert b"user-agent: novita-gpu-operator/0.0.0\r\n" in request.lower()
    assert b"authorization: bearer sk_key\r\n" in request.lower()


async def test_requests_that_follow_each_other_share_a_connection_but_reads_none_with_writes():
    async with listening(OK, OK, OK, OK) as wire, connected(wire.url) as line:
        for ask in (WRITE, WRITE, READ, READ):
            await exchange(line, ask, open_fence)
        assert [request.count(b"HTTP/1.1") for request in wire.received] == [2, 2]


async def test_a_write_goes_over_no_connection_that_was_idle_for_too_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "_WRITE_AGAIN_WITHIN", 0.0)
    async with listening(OK, OK, OK, OK) as wire, connected(wire.url) as line:
        for ask in (WRITE, READ, WRITE, READ):
            await exchange(line, ask, open_fence)
        assert [request.count(b"HTTP/1.1") for request in wire.received] == [1, 2, 1]


async def test_a_write_goes_over_no_connection_that_the_other_end_has_closed():
    async with listening(LAST, OK) as wire, connected(wire.url) as line:
        await exchange(line, WRITE, open_fence)
        await wire.handlers[0]
        await exchange(line, WRITE, open_fence)
        assert [request.count(b"HTTP/1.1") for request in wire.received] == [1, 1]


async def test_a_request_whose_connection_is_cut_is_unknown_and_not_sent_again():
    async with listening(None, OK) as wire, connected(wire.url) as line:
        with pytest.raises(Unknown):
            await exchange(line, WRITE, open_fence)
        assert len(wire.received) == 1


@pytest.mark.parametrize("ask", [READ, WRITE], ids=["read", "write"])
async def test_a_request_on_a_connection_that_died_meanwhile_is_unknown_and_not_sent_again(ask: Ask):
    async with listening(OK, None, OK) as wire, connected(wire.url) as line:
        await exchange(line, ask, open_fence)
        with pytest.raises(Unknown):
            await exchange(line, ask, open_fence)
        assert [request.count(b"HTTP/1.1") for request in wire.received] == [2]


async def test_a_half_answer_is_unknown():
    async with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", None) as wire, connected(wire.url) as line:
        with pytest.raises(Unknown):
            await exchange(line, WRITE, open_fence, seconds=0.2)


async def test_no_answer_is_unknown_after_its_time():
    async with listening() as wire, connected(wire.url) as line:
        with pytest.raises(Unknown):
            await exchange(line, WRITE, open_fence, seconds=0.2)
        assert len(wire.received) == 1


async def test_nonsense_is_unknown():
    async with listening(b"SSH-2.0-OpenSSH_9.9\r\n\r\n") as wire, connected(wire.url) as line:
        with pytest.raises(Unknown):
            await exchange(line, WRITE, open_fence)


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 1000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    async with listening(head + b"x" * 5000) as wire, connected(wire.url) as line:
        with pytest.raises(Unknown, match="larger"):
            await exchange(line, READ, open_fence)


async def test_a_redirect_is_not_followed():
    async with listening(b"HTTP/1.1 307 Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", OK) as wire:
        async with connected(wire.url) as line:
            assert await exchange(line, WRITE, open_fence) == 307
        assert len(wire.received) == 1


async def test_a_time_to_wait_is_read_as_whole_seconds():
    def reply(value: bytes) -> bytes:
        return b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: " + value + b"\r\n\r\n"

    values = (b"7", b"Wed, 21 Oct 2026 07:28:00 GMT", b"-1", b"9" * 400)
    replies = tuple(reply(value) for value in values)
    async with listening(*replies) as wire, connected(wire.url) as line:
        waits = [(await line.exchange(READ, key="k", fence=open_fence, seconds=DEADLINE)).retry_after for _ in replies]
    assert waits == [7.0, None, None, 900.0], "a time beyond a quarter of an hour is taken for a slip"


async def test_a_proxy_from_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    async with listening(OK) as wire, connected(wire.url) as line:
        assert await exchange(line, READ, open_fence) == 200


@pytest.mark.server
async def test_a_server_that_cannot_prove_who_it_is_hears_no_word_of_a_request(plane: ControlPlane):
    """The control plane vouches for itself, as whoever stands between us and Novita would."""
    async with connected(plane.server_url) as line:
        with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
            await exchange(line, WRITE, open_fence)
