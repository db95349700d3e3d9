"""The two ground forms of everything that is read from or written to a Kubernetes object."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """Frozen, camelCase outside, snake_case inside; unknown fields are left alone, so an older operator survives."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        hide_input_in_errors=True,  # what people write may be secret, and errors are logged
    )
