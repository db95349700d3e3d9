"""How a machine says whose it is: its name and its mark.

Both must agree before we lay a hand on it (docs/architecture.md, step 1).
"""

import hashlib
import re
import sys
from dataclasses import dataclass

MARK_ENV = "NOVITA_OPERATOR_OWNER"
RESERVED_ENV_PREFIX = "NOVITA_OPERATOR_"

_READABLE_LENGTH = 40
_TOKEN = re.compile(r"[a-z0-9]{8}")
_NAME = re.compile(r"[A-Za-z0-9-]{1,63}")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_UID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Mark:
    """Who a machine was made for; travels in the machine's environment, which Novita echoes in every list."""

    cluster_id: str
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.cluster_id}/{self.namespace}/{self.name}/{self.uid}"

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
    readable = re.sub(r"[^A-Za-z0-9]+", "-", f"{mark.namespace}-{mark.name}")[:_READABLE_LENGTH].strip("-")
    return f"{readable}-{_uid_hash(mark.uid)}-{token}"


def name_part(uid: str) -> str:
    """What the names of all machines of this UID have in common, and no others: Novita's list can be asked for it."""
    return f"-{_uid_hash(uid)}-"


def is_named_for(name: str, uid: str) -> bool:
    """Whether `name` could be a name that we gave to a machine of this UID."""
    parts = name.rsplit("-", 2)
    has_form = _NAME.fullmatch(name) is not None and len(parts) == 3  # noqa: PLR2004
    return has_form and parts[1] == _uid_hash(uid) and _TOKEN.fullmatch(parts[2]) is not None


def _uid_hash(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:12]
