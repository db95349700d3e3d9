"""What the operator asks of a cloud. `novita.py` speaks it to Novita; nothing above knows the wire."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from novita_operator.model.machine import Machine
from novita_operator.model.market import Order, Product, Region, Template
from novita_operator.model.resource import BillingMode

Fence = Callable[[], None]
"""Called as the request is written, behind every queue; raises `NotSent` to hold it back."""


class Admission(Protocol):
    """Leave for one create call: breaker and limiter have agreed already, so nothing waits any more."""

    async def create(self, order: Order, fence: Fence) -> str:
        """Send the create call once and return the new machine's id.

        Raises:
            NotDone: known not to have happened.
            Unknown: perhaps done. A 2xx without an id is unknown too.
        """


class Cloud(Protocol):
    """One account at Novita. Every method may raise the tree of `errors.py`; reads are retried inside, writes never."""

    def admit_create(self) -> AbstractAsyncContextManager[Admission]:
        """Wait for a place in the budget; entered *before* the claim is written, so that no claim grows old in a queue.

        Raises:
            NotSent: the breaker is open or the key is rejected.
        """

    async def machines(self) -> tuple[Machine, ...]:
        """Every machine of the account.

        Raises:
            IncompleteList: the pages do not agree.
            CloudError: a page failed; then the list is none.
        """

    async def machine(self, machine_id: str) -> Machine:
        """One machine by id; `NotFound` where Novita knows none."""

    async def machines_named(self, name: str, *, exactly: bool = True) -> tuple[Machine, ...]:
        """The machines that bear this name, or (not `exactly`) have it in theirs, by a list filtered at Novita.

        Raises:
            IncompleteList: the pages do not agree.
        """

    async def start(self, machine_id: str, fence: Fence) -> None: ...

    async def stop(self, machine_id: str, fence: Fence) -> None: ...

    async def restart(self, machine_id: str, fence: Fence) -> None: ...

    async def delete(self, machine_id: str, fence: Fence) -> None: ...

    async def regions(self) -> tuple[Region, ...]: ...

    async def products(self, region_id: str, billing: BillingMode, gpu_count: int) -> tuple[Product, ...]:
        """What one region lists for that billing mode and GPU count; `Product.deployable` is judged for both."""

    async def template(self, template_id: str) -> Template:
        """One template; `NotFound` where it was deleted."""

    async def registry_credential_ids(self) -> frozenset[str]:
        """Ids of the stored registry credentials. Their names and passwords are not kept."""
