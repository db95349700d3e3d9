"""The search for secrets finds them: a search that cannot fail shows nothing."""

import base64
import json
from collections.abc import Callable
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


def raised(act: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is
        act()
    return caught.value


def as_text() -> None:
    raise ValueError(SECRET)


def as_cause() -> None:
    try:
        as_text()
    except ValueError as error:
        raise TypeError("no such thing") from KeyError(error)


def in_the_middle_of_a_chain() -> None:
    try:
        as_cause()
    except TypeError:
        raise OSError("gone") from None


def in_a_group_within_a_group() -> None:
    raise ExceptionGroup("several", [OSError("gone"), ExceptionGroup("more", [raised(in_the_middle_of_a_chain)])])


def as_note() -> None:
    error = OSError("gone")
    error.add_note(f"with {SECRET}")
    raise error


@pytest.mark.parametrize("act", [as_text, as_cause, in_the_middle_of_a_chain, in_a_group_within_a_group, as_note])
def test_a_secret_is_found_wherever_an_exception_holds_it(act: Callable[[], object]) -> None:
    with pytest.raises(AssertionError, match="the error shows the password"):
        vault().check_error("the error", raised(act))


def test_an_exception_that_is_its_own_cause_in_the_end_is_searched_too() -> None:
    error = raised(in_the_middle_of_a_chain)
    assert error.__context__ is not None
    error.__context__.__cause__ = error
    vault().check_error("the error", OSError("gone"))
    with pytest.raises(AssertionError):
        vault().check_error("the error", error)


def test_what_holds_no_secret_passes() -> None:
    vault().check("the log", "launched m-1 for 0.18 USD")


def test_what_is_too_short_to_be_told_from_a_word_is_none() -> None:
    made = Vault()
    made.feed("the mode", "prod")
    made.check("the log", "in production")
