"""JSON as Novita sends it, read leniently: numbers as strings and the reverse, `""` for none (API reference 1.6, 12).

Nothing here raises: what cannot be read is what is not there. `wire.py` says which fields we cannot do without.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_MOST = Decimal(10) ** 12
"""No price, count or time of ours is larger; a number beyond it is garbage, and cheap to turn away."""

_UNITS_PER_USD = 100_000
_LONGEST_NUMBER = 40
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
"""What an id may look like: it is written into status, and as the key of a ConfigMap."""


class Fields:
    """The members of one JSON object."""

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members

    @classmethod
    def parse(cls, body: bytes) -> "Fields | None":
        """The object that `body` spells; None if it spells none. An empty body and `null` are an empty object."""
        if not body.strip():
            return cls({})
        try:
            value = json.loads(body, parse_float=_decimal, parse_int=_decimal)
        except (ValueError, RecursionError):
            return None
        if value is None and body.strip() == b"null":
            return cls({})
        return cls(value) if isinstance(value, dict) else None

    def text(self, *names: str) -> str:
        """The first of these members that says something, else `""`."""
        for name in names:
            if text := _text(self._members.get(name)):
                return text
        return ""

    def label(self, name: str, most: int = 255) -> str:
        """What people are to read: printable, and cut to so many characters."""
        text = self.text(name)[:most]
        return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)

    def id(self, *names: str) -> str:
        """The first of these members that can be an id, else `""`."""
        return next((text for name in names if _ID.fullmatch(text := _text(self._members.get(name)))), "")

    def whole(self, name: str) -> int | None:
        return _whole(self._members.get(name))

    def wholes(self, name: str) -> tuple[int, ...]:
        return tuple(number for value in self._array(name) if (number := _whole(value)) is not None)

    def usd(self, name: str) -> Decimal | None:
        """USD, from a count of 1/100000 USD (API reference 9), to the nearest; None unless above zero."""
        units = (_number(self._members.get(name)) or Decimal()).to_integral_value(ROUND_HALF_UP)
        return units / _UNITS_PER_USD if units > 0 else None

    def time(self, *names: str) -> datetime | None:
        """Unix seconds; zero and below mean never."""
        return next((time for name in names if (time := _time(_number(self._members.get(name))))), None)

    def says_yes(self, name: str) -> bool:
        return self._members.get(name) is True or self.text(name).lower() in {"true", "1"}

    def inner(self, name: str) -> "Fields":
        value = self._members.get(name)
        return Fields(value if isinstance(value, dict) else {})

    def has_array(self, name: str) -> bool:
        return isinstance(self._members.get(name), list)

    def each(self, name: str) -> "Iterator[Fields]":
        """The objects in an array; an element that is no object is an empty one."""
        for value in self._array(name):
            yield Fields(value if isinstance(value, dict) else {})

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(text for value in self._array(name) if (text := _text(value)))

    def _array(self, name: str) -> list[object]:
        value = self._members.get(name)
        return value if isinstance(value, list) else []


def _decimal(text: str) -> Decimal | None:
    """None for what is no number of ours: thousands of digits, or an exponent that not even `Decimal` holds."""
    return Decimal(text) if len(text) <= _LONGEST_NUMBER and _number(text) is not None else None


def _text(value: object) -> str:
    if isinstance(value, str) and value.isascii():
        return value
    if isinstance(value, str | Decimal):
        # A lone surrogate is valid JSON, and would later break every encoder.
        return str(value).encode(errors="replace").decode()
    return ""


def _whole(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _number(value: object) -> Decimal | None:
    if not isinstance(value, str | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.copy_abs() <= _MOST else None


def _time(number: Decimal | None) -> datetime | None:
    if number is None or number <= 0:
        return None
    try:
        return datetime.fromtimestamp(int(number), UTC)
    except (ValueError, OverflowError, OSError):
        return None
