"""How a frozen model is read from environment variables: its aliases are the names, its fields the manual."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from novita_operator.model.spelling import print_duration

Model = TypeVar("Model", bound=BaseModel)

_OUT_OF_BOUNDS = ("greater_than_equal", "less_than_equal")
# Kubernetes tells every pod the addresses of its namespace's Services so; a Service may well be named novita-operator.
_SERVICE_LINK = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


class SettingsError(Exception):
    """Some settings are wrong: `lines` says for each of them what is, and what to write instead."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Row(NamedTuple):
    """One setting as the manual shows it."""

    name: str
    default: str
    description: str


def read(model: type[Model], given: Mapping[str, str]) -> Model:
    """A model from the variables among `given` that it names.

    Raises:
        SettingsError: values are wrong; a line for each. Only numbers are shown, since others may be secret.
    """
    fields = _fields(model)
    values = {name: text for name, text in given.items() if name in fields}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_input=False)
        raise SettingsError(tuple(_line(details, fields, values) for details in found)) from None


def describe(model: type[BaseModel]) -> Iterator[Row]:
    """Every setting, in the order of the model."""
    for name, field in _fields(model).items():
        bounds = _bounds(field)
        default = "" if field.default is None else _print(field, field.default)
        yield Row(name, default, f"{field.description} From {bounds}." if bounds else str(field.description))


def misspelt(model: type[BaseModel], given: Mapping[str, str], prefix: str) -> Iterator[str]:
    """A line for each name that begins with our `prefix` and is no setting."""
    names = _fields(model)
    for name in sorted(given):
        if name.startswith(prefix) and name not in names and not _SERVICE_LINK.fullmatch(name):
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]}?" if close else "`novita-operator run --help` lists them all"
            yield f"{name}: there is no such setting: {hint}"


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {str(field.alias): field for field in model.model_fields.values()}


def _line(details: ErrorDetails, fields: Mapping[str, FieldInfo], values: Mapping[str, str]) -> str:
    name, kind = str(details["loc"][0]), details["type"]
    if kind in _OUT_OF_BOUNDS:
        return f"{name}: {values[name]!r} is out of bounds: from {_bounds(fields[name])}"
    if kind == "int_parsing":
        return f"{name}: {values[name]!r} is not a whole number"
    return f"{name}: {details.get('ctx', {}).get('error') or details['msg']}"


def _bounds(field: FieldInfo) -> str:
    low = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    return "" if low is None else f"{_print(field, low)} to {_print(field, high)}"


def _print(field: FieldInfo, value: Any) -> str:  # noqa: ANN401  a default or a bound of any field
    return print_duration(value) if field.annotation is float else str(value)
