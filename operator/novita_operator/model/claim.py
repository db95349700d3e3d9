"""The claim: the launch intent that is written into the object before the paid call, and that names the machine.

The claim decides, status only remembers.
"""

from pydantic import AwareDatetime, Field, ValidationError

from novita_operator.model.base import Wire, Word
from novita_operator.model.naming import life_in
from novita_operator.model.resource import GROUP, BillingMode

CLAIM_ANNOTATION = f"{GROUP}/claim"
PAUSED_ANNOTATION = f"{GROUP}/paused"
FINALIZER = f"{GROUP}/machine"
"""Not kopf's configured name: kopf takes its own finalizer away from objects that it need not guard."""

PRICE = r"^([0-9]{1,10}(\.[0-9]{1,5})?)?$"
"""USD per hour, empty where it is not known."""
MOST_LAUNCHES = 2**31 - 1


class Bargain(Wire):
    """What the launch was offered; kept in the claim, so that a lost status can be written again: it must fit there."""

    product_id: Word = Field(max_length=255)
    product_name: Word = Field(max_length=255)
    region_id: Word = Field(max_length=63)
    region: Word = Field(max_length=63)
    billing_mode: BillingMode
    hourly_price: Word = Field(pattern=PRICE)

    def __str__(self) -> str:
        price = f", {self.hourly_price} USD per hour" if self.hourly_price else ""
        return f"{self.product_name} in {self.region}, {self.billing_mode}{price}"


class Claim(Wire):
    """One launch. Only the run `by` that wrote it may call for it."""

    uid: str
    machine: str
    launch: int = Field(ge=0, le=MOST_LAUNCHES)
    by: Word
    at: AwareDatetime
    generation: int = Field(default=0, ge=0, lt=2**63)
    retry: int = Field(default=0, ge=0, lt=2**31)
    bargain: Bargain | None = None

    def annotation(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def read(cls, annotations: dict[str, str], namespace: str, name: str) -> "Claim | None":
        """The claim in these annotations, whatever UID it was written for; a claim that cannot be read is none.

        Nor is one that names a machine which could not have been launched for an object of this namespace and name:
        the machine that was would count as a duplicate of it.

        None is the careful reading: before a claim is written, the fleet is looked at for the UID's mark.
        """
        text = annotations.get(CLAIM_ANNOTATION)
        if text is None:
            return None
        try:
            claim = cls.model_validate_json(text)
        except ValidationError:
            return None
        return claim if life_in(claim.machine, namespace, name) is not None else None
