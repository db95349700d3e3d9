"""How a machine says whose it is: its name and its mark.

Both must agree before we lay a hand on it (docs/architecture.md, step 1).
"""

import hashlib
import re
import sys
from dataclasses import dataclass
from typing import NamedTuple

MARK_ENV = "NOVITA_OPERATOR_OWNER"
RESERVED_ENV_PREFIX = "NOVITA_OPERATOR_"

_READABLE_LENGTH = 40
_TOKEN = re.compile(r"[a-z0-9]{8}")
_TAIL = re.compile(r"[0-9a-f]{12}-[a-z0-9]{8}")
_NAME = re.compile(r"[A-Za-z0-9-]{1,63}")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_UID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Owner(NamedTuple):
    """Which resource: of two with this namespace and name only one can live."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Who a machine was made for; travels in the machine's environment, which Novita echoes in every list."""

    cluster_id: str
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.cluster_id}/{self.namespace}/{self.name}/{self.uid}"

    @property
    def owner(self) -> Owner:
        return Owner(self.namespace, self.name)

    @classmethod
    def parse(cls, text: str) -> "Mark | None":
        """The mark that `text` spells, or None; Kubernetes names hold no slash, so four parts are unambiguous.

        A mark names the place of Events, so what can be no namespace, name or UID is none.
        """
        parts = text.split("/")
        shapes = (_UID, _NAMESPACE, _OBJECT, _UID)
        fits = len(parts) == len(shapes) and all(map(re.Pattern.fullmatch, shapes, parts))
        return cls(*map(sys.intern, parts)) if fits else None


def machine_name(mark: Mark, token: str) -> str:
    """A name of at most 63 letters, digits and hyphens: readable part, hash of the UID, the launch's random token.

    Raises:
        ValueError: `token` is not eight lower-case letters or digits.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"a launch token has eight lower-case letters or digits, not {token!r}")
    return f"{_readable(mark.namespace, mark.name)}-{_uid_hash(mark.uid)}-{token}"


def name_part(uid: str) -> str:
    """What the names of all machines of this UID have in common, and no others: Novita's list can be asked for it."""
    return f"-{_uid_hash(uid)}-"


def is_named_for(name: str, uid: str) -> bool:
    """Whether `name` could be a name that we gave to a machine of this UID."""
    parts = name.rsplit("-", 2)
    has_form = _NAME.fullmatch(name) is not None and len(parts) == 3  # noqa: PLR2004
    return has_form and parts[1] == _uid_hash(uid) and _TOKEN.fullmatch(parts[2]) is not None


def life_in(machine: str, namespace: str, name: str) -> str | None:
    """The `name_part` in a machine's name, if it could be of an object of this namespace and name, whatever its UID.

    A restored object has a new UID: its machine speaks of an earlier life. The readable part is cut, so two long names
    may look alike: only the machine's mark says for certain.
    """
    readable = f"{_readable(namespace, name)}-"
    tail = machine.removeprefix(readable)
    has_form = machine.startswith(readable) and _TAIL.fullmatch(tail)
    return f"-{tail.partition('-')[0]}-" if has_form else None


def _readable(namespace: str, name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", f"{namespace}-{name}")[:_READABLE_LENGTH].strip("-")


def _uid_hash(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:12]
