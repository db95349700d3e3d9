"""Durations as people write them: `30`, `30s`, `5m`, `1h`, `500ms`."""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")


def parse_duration(text: str) -> float:
    """Seconds; a bare number is seconds already.

    Raises:
        ValueError: `text` is no duration; the message says how to write one.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration: write seconds (30) or 30s, 5m, 1h")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def print_duration(seconds: float) -> str:
    """The shortest spelling that `parse_duration` reads back: 300 is `5m`, 0.5 is `500ms`."""
    if not seconds:
        return "0s"
    unit = next(unit for unit in ("h", "m", "s", "ms") if seconds % _SECONDS[unit] == 0 or unit == "ms")
    return f"{seconds / _SECONDS[unit]:g}{unit}"
