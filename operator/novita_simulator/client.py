"""The levers in the hands of tests and of the demo: a small synchronous client of the control API.

A test whose event loop also runs the code under test calls the waiting methods through `asyncio.to_thread`.
"""

import json
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self, Unpack

import httpx2
from pydantic import TypeAdapter

from novita_simulator.faults import Fault, FaultOptions, Kind, Operation
from novita_simulator.journal import Asked
from novita_simulator.ledger import Ledger
from novita_simulator.views import LeverView, MachineView, State

MACHINES = TypeAdapter(list[MachineView])
LEVERS = TypeAdapter(list[LeverView])
JOURNAL = TypeAdapter(list[Asked])


class Simulator:
    """`url` is the one that the simulator prints when it listens, and also the API's base URL for its clients."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Plain HTTP only: an empty context saves loading certificates, which costs more than a whole simulator.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._http = httpx2.Client(base_url=f"{url}/_simulator/", timeout=30, trust_env=False, verify=context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def machines(self, account: str = "") -> list[MachineView]:
        """Those that exist, `removed` ones included; of all accounts if none is given."""
        return MACHINES.validate_json(self._look("machines", account=account))

    def machine(self, name: str) -> MachineView:
        """The one with exactly this name; raises `LookupError` unless there is exactly one."""
        found = [machine for machine in self.machines() if machine.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} machines are named {name!r}")
        return found[0]

    def ledger(self) -> Ledger:
        return Ledger.model_validate_json(self._look("ledger"))

    def journal(self, operation: str = "") -> list[Asked]:
        """What was asked, oldest first; of all operations if none is given."""
        asked = JOURNAL.validate_json(self._look("journal"))
        return [each for each in asked if operation in ("", each.operation)]

    def state(self) -> State:
        return State.model_validate_json(self._look("state"))

    def fault(self, kind: Kind, operation: Operation = "*", **options: Unpack[FaultOptions]) -> str:
        """Place a fault (see `faults.Fault` for the options) and give back its id."""
        fault = Fault(kind=kind, operation=operation, **options)
        return LeverView.model_validate_json(self._send("fault", fault.model_dump_json())).id

    def faults(self) -> list[LeverView]:
        return LEVERS.validate_json(self._look("faults"))

    def wait_reached(self, fault_id: str, timeout: float = 10) -> None:
        """Until a call has come to the fault; raises `TimeoutError` after so many real seconds."""
        if self._look("reached", fault_id=fault_id, timeout=str(timeout)) != b"true":
            raise TimeoutError(f"no call came to {fault_id} within {timeout} s")

    def release(self, fault_id: str, *, drop: bool = False) -> None:
        """Let held calls go on, or cut their connections."""
        self._pull("release", fault_id=fault_id, drop=drop)

    def clear(self) -> None:
        """No more faults and fates; hanging calls are dropped, frozen machines move on."""
        self._pull("clear")

    def plant(
        self,
        name: str,
        *,
        account: str = "main",
        product_id: str = "4090.16c62g",
        cluster_id: str = "us-ca-6",
        gpu_num: int = 1,
        billing_mode: str = "onDemand",
        image: str = "docker.io/library/ubuntu:24.04",
        envs: Mapping[str, str] | None = None,
        count: int = 1,
    ) -> list[MachineView]:
        """Running machines that nobody created through the API; more than one are named `name-0` and so on."""
        answer = self._pull(
            "plant",
            name=name,
            account=account,
            product_id=product_id,
            cluster_id=cluster_id,
            gpu_num=gpu_num,
            billing_mode=billing_mode,
            image=image,
            envs=dict(envs or {}),
            count=count,
        )
        return MACHINES.validate_json(answer)

    def crash(self, machine_id: str, *, state: str = "oom", message: str = "out of memory") -> None:
        self._pull("crash", machine_id=machine_id, state=state, message=message)

    def vanish(self, machine_id: str) -> None:
        self._pull("vanish", machine_id=machine_id)

    def reclaim(self, machine_id: str, *, notice: float = 0) -> None:
        """Take a spot machine away, after so many simulated seconds of notice."""
        self._pull("reclaim", machine_id=machine_id, notice=notice)

    def cancel_reclaim(self, machine_id: str) -> None:
        self._pull("cancel-reclaim", machine_id=machine_id)

    def freeze(self, machine_id: str) -> None:
        """The machine stays in its present state until `clear`, or until a verb gives it another plan."""
        self._pull("freeze", machine_id=machine_id)

    def show_status(self, machine_id: str, word: str) -> None:
        """Whatever the true state, the wire shows this word; an empty one ends it."""
        self._pull("status-word", machine_id=machine_id, word=word)

    def disguise(self, machine_id: str, **members: object) -> None:
        """Lists and gets show these members of the machine, whatever is true; none at all ends it."""
        self._pull("disguise", machine_id=machine_id, members=members)

    def fate(
        self,
        at: str,
        then: Literal["freeze", "crash", "vanish"],
        *,
        name: str = "",
        account: str = "",
        after: float = 0,
        state: str = "error",
        message: str = "injected failure",
        times: int | None = 1,
    ) -> None:
        """What awaits machines that enter the state `at`, `after` so many simulated seconds in it."""
        self._pull(
            "fate", at=at, then=then, name=name, account=account, after=after, state=state, message=message, times=times
        )

    def set_stock(self, free: int, *, product_id: str = "", cluster_id: str = "") -> None:
        """Free GPUs of a product in a cluster; of all products or clusters if none is named."""
        self._pull("stock", free=free, product_id=product_id, cluster_id=cluster_id)

    def set_price(self, product_id: str, *, price: int | None = None, spot_price: int | None = None) -> None:
        """In 1/100000 USD per GPU and hour, be it nonsense; machines that exist keep theirs."""
        self._pull("price", product_id=product_id, price=price, spot_price=spot_price)

    def quirks(self, **changes: str | int | bool) -> None:
        """See `quirks.Quirks`."""
        self._pull("quirks", **changes)

    def durations(self, **seconds: float) -> None:
        """How long states last, in simulated seconds, for what begins from now on; see `machine.DURATIONS`."""
        self._pull("durations", **seconds)

    def advance(self, seconds: float) -> float:
        """Turn the clock; gives back the simulated time in Unix seconds."""
        return float(self._pull("time", advance=seconds))

    def run(self, speed: float) -> None:
        """Simulated seconds per real second; 0 stands still."""
        self._pull("time", speed=speed)

    def add_key(self, key: str, account: str) -> None:
        """The account comes into being with its first key."""
        self._pull("add-key", key=key, account=account)

    def revoke_key(self, key: str) -> None:
        self._pull("revoke-key", key=key)

    def delete_template(self, template_id: str) -> None:
        self._pull("delete-template", template_id=template_id)

    def clear_journal(self) -> None:
        self._pull("clear-journal")

    def _look(self, path: str, **query: str) -> bytes:
        response = self._http.get(path, params=query)
        response.raise_for_status()
        return response.content

    def _pull(self, lever: str, **body: object) -> bytes:
        return self._send(lever, json.dumps(body))

    def _send(self, lever: str, body: str) -> bytes:
        response = self._http.post(lever, content=body)
        if response.is_error:
            raise ValueError(f"the simulator refuses {lever}: {response.text}")
        return response.content
