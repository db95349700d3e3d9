"""The adapter: the port's questions, put to Novita's v1 (API reference 2 to 5)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from novita_operator.cloud import verdict, wire
from novita_operator.cloud.credentials import Credentials
from novita_operator.cloud.errors import CloudError
from novita_operator.cloud.fields import Fields
from novita_operator.cloud.operations import Operation
from novita_operator.cloud.pacing import Gate, Passage
from novita_operator.cloud.paging import PAGE_SIZE, whole_list
from novita_operator.cloud.port import Fence
from novita_operator.cloud.transport import Ask, Transport
from novita_operator.model.machine import Machine
from novita_operator.model.market import Order, Product, Region, Template
from novita_operator.model.resource import BillingMode

T = TypeVar("T")

BASE_URL = "https://api.novita.ai"
V1 = "/gpu-instance/openapi/v1"
CALL_SECONDS = 60.0
CREATE_SECONDS = 15.0


class Novita:
    """One account at Novita; `port.Cloud` says what its methods promise.

    Args:
        key: gives the present API key; asked for every call, so that a rotated key works at once.
        gate: the account's breaker, budget and retries; two accounts share none.
        version: of this operator, for the User-Agent. Novita's content network blocks those of libraries.
        base_url: scheme and host; the path of v1 is added here.
        read_seconds: most that a question may take in all.
        create_seconds: most that a create call may take in all; less than a third of W (docs/architecture.md, step 4).
    """

    def __init__(
        self,
        *,
        key: Callable[[], str],
        gate: Gate,
        version: str,
        base_url: str = BASE_URL,
        create_seconds: float = CREATE_SECONDS,
        read_seconds: float = CALL_SECONDS,
    ) -> None:
        self._credentials = Credentials(key)
        self._gate = gate
        self._create_seconds = create_seconds
        self._read_seconds = read_seconds
        self._hidden: Callable[[], Iterable[str]] = tuple
        self._transport = Transport(base_url=base_url.rstrip("/") + V1, user_agent=f"novita-gpu-operator/{version}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._gate.aclose()
        await self._transport.aclose()

    def hide(self, secrets: Callable[[], Iterable[str]]) -> None:
        """Let no error show what `secrets` gives, whichever call Novita repeats it to; asked only when one fails."""
        self._hidden = secrets

    @property
    def credentials_valid(self) -> bool | None:
        """Whether Novita accepts the present key; None while it has not been tried."""
        return self._credentials.valid

    @asynccontextmanager
    async def admit_create(self) -> AsyncIterator["_Admission"]:
        self._credentials.key()
        async with self._gate.passage(Operation.CREATE) as passage:
            yield _Admission(passage, self._create)

    async def machines(self) -> tuple[Machine, ...]:
        """Every machine of the account. Also the probe: it is sent even with a key that was rejected."""
        return await whole_list(partial(self._page, name=None))

    async def machine(self, machine_id: str) -> Machine:
        ask = Ask("/gpu/instance", {"instanceId": machine_id})
        return await self._read(Operation.GET, ask, wire.machine_reader(machine_id))

    async def machines_named(self, name: str, *, exactly: bool = True) -> tuple[Machine, ...]:
        found = await whole_list(partial(self._page, name=name))
        return tuple(machine for machine in found if machine.name == name or (not exactly and name in machine.name))

    async def date(self) -> str | None:
        """Novita's clock as HTTP spells it, None where it does not tell; asked without the key.

        Raises:
            CloudError: it cannot be reached.
        """
        return await self._transport.date(seconds=self._read_seconds)

    async def start(self, machine_id: str, fence: Fence) -> None:
        await self._write(Operation.START, machine_id, fence)

    async def stop(self, machine_id: str, fence: Fence) -> None:
        await self._write(Operation.STOP, machine_id, fence)

    async def restart(self, machine_id: str, fence: Fence) -> None:
        await self._write(Operation.RESTART, machine_id, fence)

    async def delete(self, machine_id: str, fence: Fence) -> None:
        await self._write(Operation.DELETE, machine_id, fence)

    async def regions(self) -> tuple[Region, ...]:
        return await self._read(Operation.CLUSTERS, Ask("/clusters"), wire.read_regions)

    async def products(self, region_id: str, billing: BillingMode, gpu_count: int) -> tuple[Product, ...]:
        ask = Ask("/products", {"clusterId": region_id, "gpuNum": gpu_count, "billingMethod": wire.BILLING[billing]})
        return await self._read(Operation.PRODUCTS, ask, wire.read_products)

    async def template(self, template_id: str) -> Template:
        ask = Ask("/template", {"templateId": template_id})
        return await self._read(Operation.TEMPLATE, ask, wire.template_reader(template_id))

    async def registry_credential_ids(self) -> frozenset[str]:
        return await self._read(Operation.CREDENTIALS, Ask("/repository/auths"), wire.read_credential_ids)

    async def _page(self, number: int, name: str | None) -> wire.Page:
        query: dict[str, str | int] = {"pageNum": number, "pageSize": PAGE_SIZE}
        if name is not None:
            query["name"] = name
        return await self._read(Operation.LIST, Ask("/gpu/instances", query), wire.read_page, probe=name is None)

    async def _read(self, operation: Operation, ask: Ask, parse: Callable[[Fields], T], *, probe: bool = False) -> T:
        async def attempt() -> T:
            return parse(await self._call(operation, ask, _no_fence, seconds=self._read_seconds, probe=probe))

        self._credentials.key(probe=probe)
        return await self._gate.repeatedly(operation, attempt)

    async def _create(self, order: Order, fence: Fence) -> str:
        ask = Ask("/gpu/instance/create", body=wire.create_body(order))
        secrets = tuple(each.value for each in order.env)
        answer = await self._call(Operation.CREATE, ask, fence, seconds=self._create_seconds, secrets=secrets)
        return wire.read_created_id(answer)

    async def _write(self, operation: Operation, machine_id: str, fence: Fence) -> None:
        ask = Ask(f"/gpu/instance/{operation.label}", body={"instanceId": machine_id})
        self._credentials.key()
        await self._gate.once(operation, lambda: self._call(operation, ask, fence))

    async def _call(
        self,
        operation: Operation,
        ask: Ask,
        fence: Fence,
        *,
        seconds: float = CALL_SECONDS,
        probe: bool = False,
        secrets: tuple[str, ...] = (),
    ) -> Fields:
        key = self._credentials.key(probe=probe)
        try:
            answer = await self._transport.exchange(ask, key=key, fence=fence, seconds=seconds)
            fields = verdict.read(answer, operation, self._secrets(key, *secrets))
        except CloudError as error:
            self._credentials.judge(key, error, probe=probe)
            raise
        self._credentials.judge(key, None)
        return fields

    def _secrets(self, *known: str) -> Iterator[str]:
        yield from known
        yield from self._hidden()


@dataclass(frozen=True, slots=True)
class _Admission:
    """Leave for one create call."""

    _passage: Passage
    _send: Callable[[Order, Fence], Awaitable[str]]

    async def create(self, order: Order, fence: Fence) -> str:
        return await self._passage.attempt(lambda: self._send(order, fence))


def _no_fence() -> None:
    """A read may always be sent."""
