"""The two ground forms of everything that is read from or written to a Kubernetes object."""

import sys
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Word = Annotated[str, AfterValidator(sys.intern)]
"""A text that thousands of objects have in common, kept once."""


class Wire(BaseModel):
    """Frozen, camelCase outside, snake_case inside; unknown fields are left alone, so an older operator survives."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        hide_input_in_errors=True,  # what people write may be secret, and errors are logged
    )

    def model_post_init(self, _context: object) -> None:
        """Forget which fields were given: nobody asks, and the sets would be half of what an object takes in memory."""
        object.__setattr__(self, "__pydantic_fields_set__", _NOT_KEPT)


_NOT_KEPT: set[str] = set()
