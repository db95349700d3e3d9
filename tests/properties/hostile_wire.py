"""A wire that answers every call with what a test puts on it, and the adapter at its other end.

Both live in one event loop for as long as the tests do; the adapter's clock runs on by itself, so no breaker rests.
"""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal

import httpx2
import stamina

from leaks import FED
from novita_operator.cloud.novita import V1, Novita
from novita_operator.cloud.pacing import Gate
from novita_operator.model.market import Offer, Order
from novita_operator.model.naming import MARK_ENV, Mark
from novita_operator.model.resource import BillingMode, EnvVar
from novita_simulator import seed
from novita_simulator.client import Simulator
from novita_simulator.garbling import Answer
from novita_simulator.running import running

NAME = "team-a-trainer"
MARK = Mark("cluster-1", "team-a", "trainer", "uid-1")
SECRET = FED.feed("a value of an environment", "hunter2-and-more")
PATIENCE = 20.0
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"


class Wire:
    """Whoever asks gets `answer`, or exactly the bytes that `raw` holds."""

    def __init__(self) -> None:
        self.answer = Answer(200, b"{}")
        self.raw: bytes | None = None
        self.headers: dict[str, str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(_END)
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            writer.write(self._reply() if self.raw is None else self.raw)
            await writer.drain()
        writer.close()

    def _reply(self) -> bytes:
        given = {"Content-Type": self.answer.content_type, "Content-Length": str(len(self.answer.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.answer.status} OK", *(f"{key}: {value}" for key, value in given.items())]
        return "\r\n".join([*lines, "Connection: close"]).encode() + _END + self.answer.body


class Bench:
    """The adapter on the wire, in a loop of their own; `machine_id` is the one that the true answers show."""

    def __init__(
        self, wire: Wire, novita: Novita, runner: asyncio.Runner, machine_id: str, truth: dict[str, Answer]
    ) -> None:
        self.wire = wire
        self.truth = truth
        self.machine_id = machine_id
        self._novita = novita
        self._runner = runner

    def ask(self, operation: str) -> object:
        """What the port's question of this name comes to; TimeoutError if it has no end."""
        return self._runner.run(self._in_time(QUESTIONS[operation]))

    async def _in_time(self, question: "Question") -> object:
        async with asyncio.timeout(PATIENCE):
            return await question(self._novita, self.machine_id)


Question = Callable[[Novita, str], Awaitable[object]]


def order() -> Order:
    offer = Offer("4090.16c62g", "RTX 4090 24GB", seed.CALIFORNIA, "US-CA-06", BillingMode.SPOT, 1, Decimal("0.18"))
    env = (EnvVar(name="TOKEN", value=SECRET), EnvVar.model_construct(name=MARK_ENV, value=str(MARK)))
    return Order(NAME, offer, "docker.io/acme/worker:1.9", "", "", "", env, (), 60, "")


async def _create(novita: Novita, _: str) -> object:
    async with novita.admit_create() as admission:
        return await admission.create(order(), _open)


def _open() -> None:
    """A fence that lets everything through."""


QUESTIONS: dict[str, Question] = {
    "list": lambda novita, _: novita.machines(),
    "list by name": lambda novita, _: novita.machines_named(NAME),
    "get": lambda novita, machine_id: novita.machine(machine_id),
    "create": _create,
    "start": lambda novita, machine_id: novita.start(machine_id, _open),
    "stop": lambda novita, machine_id: novita.stop(machine_id, _open),
    "restart": lambda novita, machine_id: novita.restart(machine_id, _open),
    "delete": lambda novita, machine_id: novita.delete(machine_id, _open),
    "clusters": lambda novita, _: novita.regions(),
    "products": lambda novita, _: novita.products(seed.CALIFORNIA, BillingMode.SPOT, 1),
    "template": lambda novita, _: novita.template("901"),
    "auths": lambda novita, _: novita.registry_credential_ids(),
}
WRITES = ("create", "start", "stop", "restart", "delete")


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    with running() as simulator:
        machine_id, truth = _true_answers(simulator)
    ticks = itertools.count()
    with asyncio.Runner() as runner, stamina.set_testing(True, attempts=2):
        wire = Wire()
        server = runner.run(_listen(wire))
        gate = Gate(calls_per_minute=10**8, clock=lambda: next(ticks) * 1000.0, random=lambda: 0.0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        novita = runner.run(_connect(url, gate))
        yield Bench(wire, novita, runner, machine_id, truth)
        runner.run(novita.aclose())
        server.close()


async def _listen(wire: Wire) -> asyncio.Server:
    return await asyncio.start_server(wire.serve, "127.0.0.1", 0)


async def _connect(url: str, gate: Gate) -> Novita:
    keys = (f"sk_{number}" for number in itertools.count())  # each call has a key that was never rejected
    novita = Novita(key=lambda: next(keys), gate=gate, version="0", base_url=url)
    novita.hide(lambda: (SECRET,))
    return novita


def _true_answers(simulator: Simulator) -> tuple[str, dict[str, Answer]]:
    """The id of a running machine of ours, and what is truly answered to each question about it."""
    simulator.plant(NAME, envs={MARK_ENV: str(MARK), "TOKEN": SECRET})
    machine_id = simulator.machine(NAME).id
    headers = {"Authorization": f"Bearer {seed.MAIN_KEY}", "User-Agent": "truth/1"}
    with httpx2.Client(base_url=simulator.url + V1, headers=headers, trust_env=False, verify=False) as http:
        reads = {
            "list": http.get("/gpu/instances", params={"pageSize": 100}),
            "list by name": http.get("/gpu/instances", params={"name": NAME}),
            "get": http.get("/gpu/instance", params={"instanceId": machine_id}),
            "clusters": http.get("/clusters"),
            "products": http.get("/products", params={"clusterId": seed.CALIFORNIA}),
            "template": http.get("/template", params={"templateId": "901"}),
            "auths": http.get("/repository/auths"),
        }
    verbs = {verb: {"instanceId": machine_id, "state": "running"} for verb in ("start", "stop", "restart", "delete")}
    writes = {verb: Answer(200, json.dumps(body).encode()) for verb, body in {**verbs, "create": {"id": "m-1"}}.items()}
    return machine_id, {name: Answer(200, response.content) for name, response in reads.items()} | writes
