"""Many resources made at once, and a watch of its own that says when each of them got where.

It runs in a thread with an event loop, so that the scenario reads from top to bottom.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from novita_operator.cluster.connection import Connection, connect
from novita_operator.cluster.errors import ClusterError
from novita_operator.model.resource import GROUP, KIND, PLURAL, VERSION

NAMESPACE = "bench"
_PATH = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}"
_SIDE_BY_SIDE = 16
_START_LIMIT = 30.0
_PAUSE_SECONDS = 0.2
_FOREVER = aiohttp.ClientTimeout()
_SPEC = {"image": "docker.io/acme/worker:1.9", "productName": "RTX 4090 24GB"}

T = TypeVar("T")


class Crowd:
    """The resources of the bench. Times are monotonic seconds, as the watch brought the news.

    `born` is when an object was there, `running` when its status first said Running; `states` and `generations` are
    what its status said last.
    """

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.born: dict[str, float] = {}
        self.running: dict[str, float] = {}
        self.states: dict[str, str] = {}
        self.generations: dict[str, int] = {}
        self._connection = connection
        self._loop = loop
        self._news = threading.Condition()
        self._trouble: Exception | None = None

    def create(self, count: int) -> None:
        """So many objects, side by side; returns when the API server has taken the last."""
        self._do(self._create(count))

    def change(self, name: str, **spec: str) -> None:
        self._do(self._connection.merge(f"{_PATH}/{name}", {"spec": spec}, write="bench"))

    def wait(self, fact: Callable[[], bool], what: str, seconds: float) -> float:
        """When news came that made `fact` true, in monotonic seconds; TimeoutError if it does not come in time."""
        with self._news:
            is_heard = self._news.wait_for(lambda: self._trouble or fact(), seconds)
            if self._trouble:
                raise RuntimeError("the watch ended") from self._trouble
            if not is_heard:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}")
            return time.monotonic()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _create(self, count: int) -> None:
        numbers = iter(range(count))

        async def one_by_one() -> None:
            for number in numbers:
                await self._connection.create(_PATH, _resource(number), write="bench")

        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDE_BY_SIDE):
                group.create_task(one_by_one())

    async def version(self) -> str:
        """What a watch that misses nothing begins with."""
        version: str = (await self._connection.get(_PATH, {"limit": "1"}))["metadata"]["resourceVersion"]
        return version

    async def watch(self, version: str) -> None:
        """Hear all news since this version, until cancelled; what ends it is told to whoever waits."""
        try:
            await self._watch(version)
        except Exception as error:  # noqa: BLE001  whoever waits raises it
            with self._news:
                self._trouble = error
                self._news.notify_all()

    async def _watch(self, version: str) -> None:
        """A server under load often closes a watch, and one that has just learned of a resource may not be ready."""
        client = self._connection.client
        while True:
            url = f"{client.configuration.host}{_PATH}?watch=1&resourceVersion={version}"
            headers: dict[str, str] = {}
            await client.update_params_for_auth(headers, [], ["BearerToken"], url, "GET", None)
            answer = await client.call_api("GET", url, headers, _request_timeout=_FOREVER)
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            async for line in answer.response.content:
                event = json.loads(line)
                self._hear(event)
                version = event["object"]["metadata"]["resourceVersion"]

    def _hear(self, event: dict[str, Any]) -> None:
        assert event.get("type") in {"ADDED", "MODIFIED"}, f"no news: {event}"
        name, status, now = event["object"]["metadata"]["name"], event["object"].get("status", {}), time.monotonic()
        with self._news:
            self.born.setdefault(name, now)
            self.states[name] = status.get("state", "")
            self.generations[name] = status.get("observedGeneration", -1)
            if self.states[name] == "Running":
                self.running.setdefault(name, now)
            self._news.notify_all()


@contextmanager
def crowd(kubeconfig: Path) -> Iterator[Crowd]:
    """A crowd of nobody yet, whose watch has begun."""
    started: Future[tuple[Crowd, Callable[[], object]]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_live(kubeconfig, started)), name="crowd")
    thread.start()
    people, leave = started.result(_START_LIMIT)
    try:
        yield people
    finally:
        leave()
        thread.join()


async def _live(kubeconfig: Path, started: "Future[tuple[Crowd, Callable[[], object]]]") -> None:
    loop = asyncio.get_running_loop()
    connection = await connect(kubeconfig)
    try:
        people = Crowd(connection, loop)
        watch, end = asyncio.create_task(people.watch(await people.version())), asyncio.Event()
        started.set_result((people, lambda: loop.call_soon_threadsafe(end.set)))
        await end.wait()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    except ClusterError as error:
        started.set_exception(error)
    finally:
        await connection.close()


def name_of(number: int) -> str:
    return f"worker-{number:05}"


def _resource(number: int) -> dict[str, Any]:
    kind = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND}
    return {**kind, "metadata": {"name": name_of(number)}, "spec": _SPEC}
