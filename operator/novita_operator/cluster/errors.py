# ruff: noqa: N818  errors are named by what to do next
"""What can go wrong with a call to the Kubernetes API, named by what to do next.

ClusterError
├── Conflict      409: read again, decide again
├── Gone          404: there is no such object
├── Expired       410: begin the list anew
├── Forbidden     401, 403: not done; the operator's rights or credentials must be mended
│   └── Terminating   its namespace is being deleted: nothing new can be made in it, so let it be
├── Rejected      any other 4xx: the request is wrong, and would be wrong again
└── Unreachable   429, 5xx, a timeout, a broken connection: may have happened, so look before deciding anew
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException

_LONGEST_MESSAGE = 500

CAUSES = (ApiException, ConfigException, aiohttp.ClientError, OSError, TimeoutError, ValueError)
"""What a call may raise, and `cluster_error` understands."""


class ClusterError(Exception):
    """A call to the Kubernetes API that did not answer what was asked; its text is for people and holds no secret."""


class Conflict(ClusterError):
    """The object has changed, or exists already."""


class Gone(ClusterError):
    """There is no such object."""


class Expired(ClusterError):
    """The list went on for too long."""


class Forbidden(ClusterError):
    """The operator may not do this."""


class Terminating(Forbidden):
    """The namespace is being deleted, and takes nothing new."""


class Rejected(ClusterError):
    """The API server does not accept the request."""


class Unreachable(ClusterError):
    """No answer that says whether it happened."""


_BY_STATUS: Mapping[int, type[ClusterError]] = {
    HTTPStatus.UNAUTHORIZED: Forbidden,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: Gone,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.GONE: Expired,
    HTTPStatus.TOO_MANY_REQUESTS: Unreachable,
}


def cluster_error(error: Exception) -> ClusterError:
    """The error that one of `CAUSES` means; raise it from its cause."""
    if not isinstance(error, ApiException):
        return Unreachable(f"the Kubernetes API did not answer: {str(error) or type(error).__name__}")
    code = error.status or 0
    answer = _answer(error.body)
    kind = _BY_STATUS.get(code) or (
        Rejected if HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR else Unreachable
    )
    if kind is Forbidden and _is_terminating(answer):
        kind = Terminating
    return kind(f"the Kubernetes API said {code}: {answer.get('message') or error.reason}"[:_LONGEST_MESSAGE])


def _answer(body: str | None) -> Mapping[str, Any]:
    """The `Status` object in an answer, or nothing where a proxy answered."""
    try:
        answer = json.loads(body or "")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _is_terminating(answer: Mapping[str, Any]) -> bool:
    causes = (answer.get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
