"""The claim: the launch intent that is written into the object before the paid call, and that names the machine.

The claim decides, status only remembers.
"""

from datetime import datetime

from pydantic import ValidationError

from novita_operator.model.base import Wire
from novita_operator.model.resource import GROUP, BillingMode

CLAIM_ANNOTATION = f"{GROUP}/claim"
PAUSED_ANNOTATION = f"{GROUP}/paused"
FINALIZER = f"{GROUP}/machine"
"""Not kopf's configured name: kopf takes its own finalizer away from objects that it need not guard."""


class Bargain(Wire):
    """What the launch was offered; kept in the claim, so that a lost status can be written again."""

    product_id: str
    product_name: str
    region_id: str
    region: str
    billing_mode: BillingMode
    hourly_price: str

    def __str__(self) -> str:
        price = f", {self.hourly_price} USD per hour" if self.hourly_price else ""
        return f"{self.product_name} in {self.region}, {self.billing_mode}{price}"


class Claim(Wire):
    """One launch. Only the run `by` that wrote it may call for it; a claim for another UID is none."""

    uid: str
    machine: str
    launch: int
    by: str
    at: datetime
    generation: int = 0
    retry: int = 0
    bargain: Bargain | None = None

    def annotation(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def read(cls, annotations: dict[str, str], uid: str) -> "Claim | None":
        """The claim in these annotations, if it was written for this UID; a claim that cannot be read is none.

        None is the careful reading: before a claim is written, the fleet is looked at for the UID's mark.
        """
        text = annotations.get(CLAIM_ANNOTATION)
        if text is None:
            return None
        try:
            claim = cls.model_validate_json(text)
        except ValidationError:
            return None
        return claim if claim.uid == uid else None
