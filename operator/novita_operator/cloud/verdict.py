"""What an answer of Novita means: the table from HTTP status, reason and message to an error (API reference 1.3)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from novita_operator.cloud.errors import (
    BadState,
    CloudError,
    NoMoney,
    NotFound,
    NotPermitted,
    NotSent,
    OutOfStock,
    QuotaExceeded,
    Refused,
    Throttled,
    Unauthorized,
    Unknown,
)
from novita_operator.cloud.fields import Fields
from novita_operator.cloud.operations import Operation
from novita_operator.cloud.redaction import redacted

_REASONS: dict[type[CloudError], str] = {
    OutOfStock: "INSUFFICIENT_RESOURCE MIGRATE_INSUFFICIENT_RESOURCE GPU_SPEC_USED NODE_STATUS CLUSTER_STATUS",
    # A banned account gets no machine whatever the spec says, and it is not the key's fault.
    QuotaExceeded: "CREATE_INSTANCE_LIMIT CREATE_GPU_NUM_LIMIT NETWORK_MAX_LIMIT BANNED_USER",
    NoMoney: "BALANCE_NOT_ENOUGH NOT_ENOUGH_BALANCE EXPIRED_OR_BALANCE_NOT_ENOUGH",
    BadState: "CONFLICT DEPENDENT_RESOURCE_STATE OPERATION_LIMIT GET_TOKEN_FAILED MIGRATION_JOB_NOT_BREAKABLE"
    " CREATING_INSTANCE_NOT_SUPPORT_RENEWAL NETWORK_IN_USE NETWORK_STORAGE_IN_USE IMAGE_AUTH_IN_USE",
    Refused: "VALIDATOR_PARAM REQUEST INVALID_COMMAND_PARAM UNSUPPORTED_BILLING_MODE CUDA_VERSION_INCOMPATIBLE"
    " IMAGE_NOT_FOUND IMAGE_URL_OR_AUTH_ERROR IMAGE_TOO_LARGE TEMPLATE_IS_PRIVATE PREPAID_INSTANCE_NOT_SUPPORT_RELEASE"
    " NETWORK_STORAGE_TOO_LARGE NETWORK_STORAGE_UNAVAILABLE CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT"
    " SAVING_PLAN_ALREADY_EXISTS",
    Unauthorized: "UNAUTHORIZED MISSING_API_KEY INVALID_API_KEY",
    NotPermitted: "FORBIDDEN API_NOT_ALLOWED PERMISSION_DENIED",
    NotSent: "API_NOT_FOUND",
}
_BY_REASON = {reason: error for error, reasons in _REASONS.items() for reason in reasons.split()}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over the wire; the body may hold secrets. `retry_after` is in seconds."""

    status: int
    body: bytes = field(repr=False)
    retry_after: float | None = None


def read(answer: Answer, operation: Operation, secrets: Iterable[str]) -> Fields:
    """The JSON object of a 2xx; an empty body is an empty object.

    Raises:
        CloudError: what any other answer means. Of a create, only a *listed* 4xx reason is known not done: another
            one is `Unknown`, and so is what cannot be read, whatever its status. `secrets` never appear in its text.
    """
    fields = Fields.parse(answer.body)
    if HTTPStatus(200) <= answer.status < HTTPStatus(300) and fields is not None:
        return fields
    # What stands before Novita may look at answers too: behind its back a machine may have come into being.
    is_open = operation is Operation.CREATE and (fields is None or not fields.text("reason"))
    error = Unknown if is_open else _kind(answer, fields, operation)
    is_outage = error is Unknown and not _is_4xx(answer.status)
    raise error(_text(answer, fields, error, secrets), retry_after=answer.retry_after, outage=is_outage)


def _kind(answer: Answer, fields: Fields | None, operation: Operation) -> type[CloudError]:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return Unauthorized
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _too_many(answer, fields, operation)
    if fields is None and answer.status == HTTPStatus.FORBIDDEN:
        return NotSent
    # 408 is the gateway's impatience: what stands behind it may have worked.
    if fields is None or not _is_4xx(answer.status) or answer.status == HTTPStatus.REQUEST_TIMEOUT:
        return Unknown
    message = fields.text("message", "error").lower()
    # Under which reason it comes is not known, and some of them would say that the request is wrong.
    if "invalid state change" in message and operation is not Operation.CREATE:
        return BadState
    return _by_reason(fields, operation) or _by_message(answer, fields, message, operation) or Unknown


def _is_4xx(status: int) -> bool:
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR


def _too_many(answer: Answer, fields: Fields | None, operation: Operation) -> type[CloudError]:
    """On a create, a 429 without a time to wait is the account's quota (API reference 12.14)."""
    if operation is Operation.CREATE and answer.retry_after is None and fields is not None:
        reason = fields.text("reason").upper()
        return QuotaExceeded if reason == "RATE_LIMIT_EXCEEDED" else _BY_REASON.get(reason, Throttled)
    return Throttled


def _by_reason(fields: Fields, operation: Operation) -> type[CloudError] | None:
    reason = fields.text("reason").upper()
    if reason == "OPERATION_LIMIT" and operation is Operation.CREATE:
        return QuotaExceeded
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    if reason.endswith(("NOT_FOUND", "NOT_FOUNT")):
        return NotFound
    return NoMoney if "BUDGET" in reason else None


def _by_message(answer: Answer, fields: Fields, message: str, operation: Operation) -> type[CloudError] | None:
    """What only people are told; too vague to say that a create was not done. A 404 that shows a machine is none."""
    if operation is Operation.CREATE:
        return None
    is_missing = (
        (answer.status == HTTPStatus.NOT_FOUND and not fields.text("id"))
        or "not found" in message
        or "not fount" in message
    )
    return NotFound if is_missing else None


def _text(answer: Answer, fields: Fields | None, error: type[CloudError], secrets: Iterable[str]) -> str:
    if fields is None and answer.status == HTTPStatus.FORBIDDEN:
        return (
            "the content network in front of Novita blocks us (HTTP 403, not JSON); the key is not the reason: "
            "check the User-Agent and the address from which we call"
        )
    if error is NotSent:
        return "there is no such API at this address: check the base URL"
    if fields is None:
        return f"Novita answered HTTP {answer.status} without JSON"
    said = ": ".join(filter(None, (fields.text("reason"), fields.text("message", "error"))))
    return f"Novita answered HTTP {answer.status}: {redacted(said, secrets) or 'without a reason'}"
