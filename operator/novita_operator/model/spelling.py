"""How people spell durations and addresses in settings. Every `ValueError` says what is wrong and what to write."""

import re
from ipaddress import ip_address
from typing import NamedTuple

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
_BASE_URL = re.compile(rf"(https?)://{_HOST}(:\d{{1,5}})?")
_ADDRESS = re.compile(rf"{_HOST}?:(\d{{1,5}})")
_LAST_PORT = 65535
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_duration(text: str) -> float:
    """Seconds from `30`, `30s`, `5m`, `1h` or `500ms`; a bare number is seconds.

    Raises:
        ValueError: `text` is no duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration: write seconds (30) or 30s, 5m, 1h")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def print_duration(seconds: float) -> str:
    """The shortest spelling that `parse_duration` reads back: 300 is `5m`, 0.5 is `500ms`."""
    if not seconds:
        return "0s"
    unit = next((unit for unit, length in _SECONDS.items() if seconds % length == 0), "ms")
    return f"{seconds / _SECONDS[unit]:g}{unit}"


def parse_base_url(text: str) -> str:
    """Scheme, host and port, without a slash at the end.

    Raises:
        ValueError: it is no such address, or it goes on after the port.
    """
    if "@" in text:
        raise ValueError("an address with a user or a password is not accepted: write https://api.novita.ai")
    found = _BASE_URL.fullmatch(text.rstrip("/"))
    if found is None or int((found[3] or ":0")[1:]) > _LAST_PORT:
        raise ValueError(f"{text!r} is not http or https, host and perhaps port: write https://api.novita.ai")
    return found[0]


def parse_namespaces(text: str) -> str:
    """Names of namespaces between commas, without blanks.

    Raises:
        ValueError: one is no such name; none at all is one too, for it would mean every namespace.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not _NAMESPACE.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a namespace: write team-a or team-a,team-b")
    return ",".join(names)


def is_open_http(base_url: str) -> bool:
    """Whether what is sent there can be read on the way: plain http that leaves this machine."""
    found = _BASE_URL.fullmatch(base_url)
    return found is not None and found[1] == "http" and not _is_loopback(found[2].strip("[]"))


def parse_address(text: str) -> Address:
    """Host and port to listen on; `:8080` is every address, port 0 is any free port.

    Raises:
        ValueError: it is no such address.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > _LAST_PORT:
        raise ValueError(f"{text!r} is not an address to listen on: write 0.0.0.0:8080 or [::]:8080")
    return Address((found[1] or "0.0.0.0").strip("[]"), int(found[2]))  # noqa: S104  as `:8080` says


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
