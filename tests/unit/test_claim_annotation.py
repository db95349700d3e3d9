"""A claim is an annotation, so anybody may write anything there; what could not be ours is none."""

import json

import pytest

from build import NAME, claim, instance
from novita_operator.model.claim import CLAIM_ANNOTATION, Claim

GOOD = json.loads(claim().annotation())


def read(text: str) -> Claim | None:
    return Claim.read({CLAIM_ANNOTATION: text}, "default", "trainer")


def test_what_was_written_is_read() -> None:
    assert read(claim().annotation()) == claim()


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": "notebook-of-a-colleague"},
        {"machine": "x" * 10_000 + NAME},
        {"machine": ""},
        {"launch": 10**30},
        {"launch": -1},
        {"retry": -1},
        {"generation": 2**63},
        {"at": "2026-11-21T12:00:00"},
        {"at": "0000-01-01T00:00:00Z"},
        {"bargain": {**GOOD["bargain"], "hourlyPrice": "cheap"}},
        {"bargain": {**GOOD["bargain"], "hourlyPrice": "1" * 17}},
        {"bargain": {**GOOD["bargain"], "region": "x" * 64}},
        {"bargain": {**GOOD["bargain"], "productName": "x" * 256}},
    ],
    ids=str,
)
def test_what_we_could_not_have_written_is_no_claim(changes: dict[str, object]) -> None:
    assert read(json.dumps(GOOD | changes)) is None


@pytest.mark.parametrize("text", ["", "null", "[]", "{", "[" * 100_000, "NaN", "\\ud800"])
def test_what_is_no_json_object_is_no_claim(text: str) -> None:
    assert read(text) is None


def test_an_error_of_an_object_that_cannot_be_understood_does_not_show_what_it_holds() -> None:
    with pytest.raises(ValueError, match="value") as caught:
        instance(spec={"image": "a", "productName": "b", "env": [{"name": "TOKEN", "value": "hunter2" * 1000}]})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)
