"""The search for secrets finds them: a search that cannot fail shows nothing."""

import base64
import json
from urllib.parse import quote

import pytest

from leaks import Vault

SECRET = 'p\N{LATIN SMALL LETTER A WITH DIAERESIS}ss"word\\of/some length'


def vault() -> Vault:
    made = Vault()
    assert made.feed("the password", SECRET) == SECRET
    return made


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        json.dumps({"message": f"it was {SECRET}."}),
        repr([SECRET]),
        f"https://example.com/?q={quote(SECRET, safe='')}",
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"a:{SECRET}:z".encode()).decode(),
        base64.b64encode(f"ab:{SECRET}".encode()).decode(),
    ],
)
def test_a_secret_is_found_in_whatever_spelling_and_is_not_shown_again(text: str) -> None:
    assert vault().found_in(text) == ["the password"]
    with pytest.raises(AssertionError) as caught:
        vault().check("the log", text)
    assert str(caught.value) == "the log shows the password"


def test_what_holds_no_secret_passes() -> None:
    vault().check("the log", "launched m-1 for 0.18 USD")


def test_what_is_too_short_to_be_told_from_a_word_is_none() -> None:
    made = Vault()
    made.feed("the mode", "prod")
    made.check("the log", "in production")
