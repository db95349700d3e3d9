"""The difference between two statuses as a merge patch: what changed, with null for what went away."""

from typing import Any

from novita_operator.model.status import Status


def status_patch(before: Status, after: Status) -> dict[str, Any]:
    """Empty if nothing changed; lists are replaced whole, as a merge patch does."""
    old, new = _dump(before), _dump(after)
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    return changed | dict.fromkeys(old.keys() - new.keys())


def _dump(status: Status) -> dict[str, Any]:
    """Absent and empty are the same in Kubernetes."""
    dumped = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in dumped.items() if value != []}
