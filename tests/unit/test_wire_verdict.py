"""What each answer of Novita means (API reference 1.3): one sentence per case."""

import json

import pytest

from novita_operator.cloud import verdict
from novita_operator.cloud.errors import (
    BadState,
    CloudError,
    NoMoney,
    NotDone,
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
from novita_operator.cloud.operations import Operation
from novita_operator.cloud.verdict import Answer

EVERY = tuple(Operation)
CREATE = (Operation.CREATE,)
OTHERS = tuple(operation for operation in Operation if operation is not Operation.CREATE)


def said(status: int, reason: str = "", message: str = "", *, retry_after: float | None = None) -> Answer:
    body = {"code": status, "reason": reason, "message": message, "metadata": {}}
    return Answer(status, json.dumps(body).encode(), retry_after)


def html(status: int, *, retry_after: float | None = None) -> Answer:
    return Answer(status, b"<html>error code: 1010</html>", retry_after)


def raised(answer: Answer, operation: Operation, *secrets: str) -> CloudError:
    with pytest.raises(CloudError) as caught:
        verdict.read(answer, operation, secrets)
    return caught.value


@pytest.mark.parametrize(
    ("sentence", "answer", "operations", "error"),
    [
        ("no free GPU is out of stock", said(400, "INSUFFICIENT_RESOURCE"), EVERY, OutOfStock),
        ("a taken GPU is out of stock", said(400, "GPU_SPEC_USED"), EVERY, OutOfStock),
        ("a node in trouble is out of stock", said(400, "NODE_STATUS"), EVERY, OutOfStock),
        ("a closed cluster is out of stock", said(400, "CLUSTER_STATUS"), EVERY, OutOfStock),
        ("too many machines is the quota", said(400, "CREATE_INSTANCE_LIMIT"), EVERY, QuotaExceeded),
        ("too many GPUs is the quota", said(400, "CREATE_GPU_NUM_LIMIT"), EVERY, QuotaExceeded),
        ("a limit hit by a create is the quota", said(400, "OPERATION_LIMIT"), CREATE, QuotaExceeded),
        ("a limit hit by a verb is the state", said(400, "OPERATION_LIMIT"), OTHERS, BadState),
        ("a 429 on a create without a time is the quota", said(429, "RATE_LIMIT_EXCEEDED"), CREATE, QuotaExceeded),
        ("with a time it is speed", said(429, "RATE_LIMIT_EXCEEDED", retry_after=2), CREATE, Throttled),
        ("elsewhere it is speed", said(429, "RATE_LIMIT_EXCEEDED"), OTHERS, Throttled),
        ("a 429 of the edge is speed", html(429), OTHERS, Throttled),
        ("a banned account gets no machines", said(400, "BANNED_USER"), EVERY, QuotaExceeded),
        ("an empty balance is no money", said(400, "BALANCE_NOT_ENOUGH"), EVERY, NoMoney),
        ("the gateway's empty balance is no money", said(403, "NOT_ENOUGH_BALANCE"), EVERY, NoMoney),
        ("an expired account is no money", said(400, "EXPIRED_OR_BALANCE_NOT_ENOUGH"), EVERY, NoMoney),
        ("a spent budget of a member is no money", said(400, "MEMBER_BUDGET_NOT_ENOUGH"), EVERY, NoMoney),
        ("a conflict is the state", said(400, "CONFLICT"), EVERY, BadState),
        ("an invalid state change is the state", said(400, "REQUEST", "invalid state change"), OTHERS, BadState),
        ("a wrong parameter is refused", said(400, "VALIDATOR_PARAM"), EVERY, Refused),
        ("a missing image is refused", said(400, "IMAGE_NOT_FOUND"), EVERY, Refused),
        ("a billing mode that is not sold is refused", said(400, "UNSUPPORTED_BILLING_MODE"), EVERY, Refused),
        ("a monthly machine's delete is refused", said(400, "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE"), EVERY, Refused),
        ("an unknown machine is not found, as a 400", said(400, "RESOURCE_NOT_FOUND"), EVERY, NotFound),
        ("an unknown machine is not found, as a 404", said(404, "RESOURCE_NOT_FOUND"), EVERY, NotFound),
        ("a typing error is not found", said(400, "NOT_FOUNT"), EVERY, NotFound),
        ("a message may say not found", said(400, "", "instance not fount"), OTHERS, NotFound),
        ("but is too vague for a create", said(400, "", "cluster not found"), CREATE, Unknown),
        ("a 404 with JSON is not found", said(404, "", "gone"), OTHERS, NotFound),
        ("a bare 404 is not found", Answer(404, b""), OTHERS, NotFound),
        ("a bare 404 says nothing of a create", Answer(404, b""), CREATE, Unknown),
        ("a web page with 404 says nothing", html(404), EVERY, Unknown),
        ("a wrong base URL is not sent", said(404, "API_NOT_FOUND"), EVERY, NotSent),
        ("a wrong key is unauthorized, as a 401", said(401, "UNAUTHORIZED"), EVERY, Unauthorized),
        ("a wrong key is unauthorized, as a bare 401", Answer(401, b""), OTHERS, Unauthorized),
        ("a wrong key is unauthorized, as a 403", said(403, "INVALID_API_KEY"), EVERY, Unauthorized),
        ("a missing key is unauthorized", said(400, "MISSING_API_KEY"), EVERY, Unauthorized),
        *(
            (f"a key that may not do this is forbidden it, as {reason}", said(403, reason), EVERY, NotPermitted)
            for reason in ("FORBIDDEN", "API_NOT_ALLOWED", "PERMISSION_DENIED")
        ),
        ("a 403 of the edge was not sent, and is no bad key", html(403), OTHERS, NotSent),
        ("a create that the edge answers may have been done", html(403), CREATE, Unknown),
        ("a create that the edge throttles may have been done", html(429), CREATE, Unknown),
        ("a create that the edge turns away may have been done", html(401), CREATE, Unknown),
        ("a 404 that shows a machine is not absence", Answer(404, b'{"id": "m-1"}'), EVERY, Unknown),
        ("an unlisted 4xx may have been done", said(400, "SOMETHING_NEW"), EVERY, Unknown),
        ("a bare 400 may have been done", Answer(400, b""), EVERY, Unknown),
        ("a 408 may have been done", said(408, "VALIDATOR_PARAM"), EVERY, Unknown),
        ("a 500 may have been done, whatever its reason", said(500, "WALLET_NOT_FOUND"), EVERY, Unknown),
        ("a 502 of the edge may have been done", html(502), EVERY, Unknown),
        ("a redirect is not followed and tells nothing", said(302, "VALIDATOR_PARAM"), EVERY, Unknown),
        ("a web page with 200 may have been done", html(200), EVERY, Unknown),
        ("an array is no answer", Answer(200, b"[]"), EVERY, Unknown),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_has_one_meaning(
    sentence: str, answer: Answer, operations: tuple[Operation, ...], error: type[CloudError]
):
    for operation in operations:
        assert type(raised(answer, operation)) is error, f"{operation}: {sentence}"


def test_empty_and_null_and_empty_object_are_answers():
    for body in (b"", b" \n", b"null", b"{}"):
        assert verdict.read(Answer(204, body), Operation.DELETE, ()).text("id") == ""


def test_no_answer_is_both_known_and_unknown_to_be_not_done():
    assert not issubclass(NotDone, Unknown)
    assert not issubclass(Unknown, NotDone)


def test_a_4xx_is_never_an_outage():
    for status in range(400, 500):
        for operation in Operation:
            assert not raised(said(status, "SOMETHING_NEW"), operation).is_outage
            assert not raised(html(status), operation).is_outage


def test_a_5xx_and_a_web_page_with_200_are_an_outage():
    assert raised(said(503), Operation.LIST).is_outage
    assert raised(html(200), Operation.LIST).is_outage


def test_the_time_to_wait_travels_with_the_error():
    assert raised(said(429, retry_after=7), Operation.LIST).retry_after == 7


def test_the_text_says_status_reason_and_message():
    error = raised(said(400, "INSUFFICIENT_RESOURCE", "not enough gpu"), Operation.CREATE)
    assert str(error) == "Novita answered HTTP 400: INSUFFICIENT_RESOURCE: not enough gpu"


def test_the_text_of_a_blocked_call_says_what_to_check():
    assert "User-Agent" in str(raised(html(403), Operation.LIST))


def test_no_secret_and_no_part_of_one_is_in_the_text():
    message = "env hunter2-and-more is bad, so is hunter2, key sk_live_1 " + "x" * 130 + "sk_live_1"
    text = str(
        raised(said(400, "VALIDATOR_PARAM", message), Operation.CREATE, "hunter2", "hunter2-and-more", "sk_live_1")
    )
    assert "hunter2" not in text
    assert "more" not in text
    assert "sk_l" not in text


def test_the_text_of_a_web_page_is_not_repeated():
    assert "1010" not in str(raised(html(500), Operation.LIST))


def test_a_long_message_is_cut():
    assert len(str(raised(said(400, "VALIDATOR_PARAM", "x" * 5000), Operation.CREATE))) < 250


def test_an_answer_does_not_show_its_body():
    assert "hunter2" not in repr(Answer(200, b"hunter2"))
