"""Whatever stands on the wire becomes a value or a `CloudError`: in time, and never more certain than the answer is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaks import FED
from novita_operator.cloud.errors import CloudError, NotDone, NotFound, Unknown
from novita_operator.cloud.fields import Fields
from novita_operator.model.machine import Machine
from novita_simulator.garbling import STATUSES, Answer, garbled
from properties.hostile_wire import QUESTIONS, SECRET, Bench
from properties.hostile_wire import bench as open_bench

READS_OF_ONE = ("get", "template")
WITHOUT_BODY = (204, 304)
operations = pytest.mark.parametrize("operation", QUESTIONS)
randoms = st.randoms(use_true_random=False)
statuses = st.sampled_from((200, 200, 200, 429, *STATUSES))
texts = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(("id", "total", "instances", "reason"))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
names = texts | st.sampled_from(
    ("id", "Id", "total", "instances", "data", "template", "status", "name", "envs", "reason", "message", "ports")
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5), max_leaves=15
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with open_bench() as found:
        yield found


def put(bench: Bench, operation: str, answer: Answer, **headers: str) -> object:
    """What becomes of it, judged: the value, or the error; every other exception is raised."""
    if answer.status in WITHOUT_BODY:
        answer = replace(answer, body=b"")
    bench.wire.answer, bench.wire.raw, bench.wire.headers = answer, None, headers
    try:
        value = bench.ask(operation)
    except CloudError as error:
        judge_error(operation, answer, error)
        return error
    judge_value(bench, operation, answer, value)
    return value


def judge_error(operation: str, answer: Answer, error: CloudError) -> None:
    FED.check_error(operation, error)
    said = Fields.parse(answer.body)
    assert len(str(error)) < 400
    assert str(error).isprintable()
    if operation == "create" and isinstance(error, NotDone):
        assert 400 <= answer.status < 500
        assert said is not None
        assert said.text("reason"), "known not done, and nobody said so"
    if 200 <= answer.status < 300 and isinstance(error, NotDone):
        assert isinstance(error, NotFound)
        assert operation in READS_OF_ONE
        assert said is not None
    if operation.startswith("list") and 200 <= answer.status < 300:
        assert isinstance(error, Unknown)


def judge_value(bench: Bench, operation: str, answer: Answer, value: object) -> None:
    assert 200 <= answer.status < 300
    said = Fields.parse(answer.body)
    assert said is not None
    if operation.startswith("list"):
        assert isinstance(value, tuple)
        ids = [each.id("id") for each in said.each("instances")]
        assert len(ids) == len(set(ids)) == said.whole("total"), "not a whole list"
        assert {machine.id for machine in value} <= set(ids)
        assert operation == "list by name" or len(value) == len(ids)
    if operation == "get":
        assert isinstance(value, Machine)
        assert value.id == bench.machine_id
    if operation == "create":
        assert isinstance(value, str)
        assert value


@operations
def test_the_truth_is_understood(bench: Bench, operation: str) -> None:
    assert not isinstance(put(bench, operation, bench.truth[operation]), CloudError)


@operations
@given(random=randoms)
def test_a_true_answer_that_was_tampered_with_is_a_value_or_an_error(
    bench: Bench, operation: str, random: Random
) -> None:
    put(bench, operation, garbled(bench.truth[operation], random))


@operations
@given(status=statuses, body=st.binary(max_size=200), retry_after=st.text(st.characters(codec="ascii"), max_size=30))
def test_any_bytes_are_a_value_or_an_error(
    bench: Bench, operation: str, status: int, body: bytes, retry_after: str
) -> None:
    header = "".join(character for character in retry_after if character.isprintable())
    put(bench, operation, Answer(status, body), **{"Retry-After": header})


@operations
@given(status=statuses, tree=trees)
def test_any_json_is_a_value_or_an_error(bench: Bench, operation: str, status: int, tree: object) -> None:
    put(bench, operation, Answer(status, json.dumps(tree).encode()))


@operations
@pytest.mark.parametrize("status", [400, 500])
def test_an_answer_that_repeats_a_secret_becomes_an_error_that_does_not(
    bench: Bench, operation: str, status: int
) -> None:
    said = {"reason": "VALIDATOR_PARAM", "message": f"env {SECRET} is bad"}
    assert isinstance(put(bench, operation, Answer(status, json.dumps(said).encode())), CloudError)


@pytest.mark.parametrize("operation", ["list", "create"])
@given(raw=st.binary(max_size=100) | st.binary(max_size=100).map(lambda junk: b"HTTP/1.1 200 OK\r\n" + junk))
def test_what_is_no_http_is_unknown(bench: Bench, operation: str, raw: bytes) -> None:
    bench.wire.raw = raw
    with pytest.raises(Unknown):
        bench.ask(operation)
