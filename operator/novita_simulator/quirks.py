"""Where Novita is known to answer in several ways, or nobody knows which: one switch each (API reference 13.1)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Quirks(BaseModel):
    """The defaults are the working assumptions of API reference 13.1 and 18."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    not_found: Literal["400", "404", "empty_200"] = "400"
    bad_key: Literal["401", "403"] = "401"
    power_answer: Literal["state", "object", "empty"] = "state"
    delete_answer: Literal["object", "empty"] = "object"
    wrong_state_reason: Literal["CONFLICT", "OPERATION_LIMIT", "DEPENDENT_RESOURCE_STATE", "REQUEST"] = "CONFLICT"
    numbers: Literal["strings", "ints"] = "strings"
    deleted: Literal["fades", "vanishes", "stays"] = "fades"
    removed_in_lists: bool = False
    first_page: Literal[0, 1] = 0
    spot_in_get: bool = False
    node: Literal["absent", "array", "object"] = "absent"

    def changed(self, changes: dict[str, Any]) -> "Quirks":  # values are judged by the model
        return Quirks.model_validate(self.model_dump() | changes)
