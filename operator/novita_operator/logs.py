"""How log lines look, what every line of a step bears, and what no line ever shows."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from types import TracebackType
from typing import TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from novita_operator.control.about import SUBJECT

HIDDEN = "[redacted]"

# kopf tells of every event that it handed over, HTTP clients and servers of every call.
_TOO_CHATTY = ("kopf.objects", "httpx2", "httpcore2", "aiohttp.access")
_KOPF_ATTRIBUTES = ("k8s_ref", "k8s_skip", "settings")
_TOKENS = re.compile(r"\b(Bearer\s+|sk_)[A-Za-z0-9._~+/=-]+")


class LogFormat(StrEnum):
    """One JSON object a line for machines, or plain text for people."""

    JSON = "json"
    TEXT = "text"


def configure(
    form: LogFormat, level: str, secrets: Callable[[], Iterable[str]], *, stream: TextIO | None = None
) -> None:
    """Send every log line of this process to `stream` (stderr), redacted.

    `level` is a name of the logging module in any case; `secrets` gives what must not be shown, and is asked anew for
    each line.

    Raises:
        ValueError: there is no such level.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Redacting(_FORMATTERS[form](), secrets))
    handler.addFilter(add_subject)
    root = logging.getLogger()
    root.setLevel(level.upper())
    root.handlers[:] = [handler]
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    for name in _TOO_CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def add_subject(record: logging.LogRecord) -> bool:
    """Give a record the object, UID, generation and id of the step that it was written in; a filter."""
    for name, value in (SUBJECT.get() or {}).items():
        setattr(record, name, value)
    return True


class Redacting(logging.Formatter):
    """Hides secrets in what another formatter made, so that no field, argument or traceback can slip past."""

    def __init__(self, inner: logging.Formatter, secrets: Callable[[], Iterable[str]]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        text = self._inner.format(record)
        for secret in self._secrets():
            # A quote or a backslash in a key looks different inside of a JSON string.
            for spelling in filter(None, (secret, json.dumps(secret)[1:-1])):
                text = text.replace(spelling, HIDDEN)
        return _TOKENS.sub(rf"\1{HIDDEN}", text)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's own print of the error that ends the process would pass the redaction by."""
    logging.getLogger("novita_operator").critical("ended by an error", exc_info=(kind, error, trace))


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(where)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        record.where = getattr(record, "object", record.name)
        return super().format(record)


def _json() -> JsonFormatter:
    return JsonFormatter(
        ("levelname", "name", "message"),
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
        reserved_attrs=[*RESERVED_ATTRS, *_KOPF_ATTRIBUTES, "taskName"],
        timestamp=True,
    )


_FORMATTERS: dict[LogFormat, Callable[[], logging.Formatter]] = {LogFormat.JSON: _json, LogFormat.TEXT: _Text}
