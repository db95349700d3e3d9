"""A name and a mark say whose a machine is, and nobody else's name or mark says so."""

from string import ascii_letters, ascii_lowercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build import machine
from novita_operator.model.naming import Mark, is_named_for, life_in, machine_name, name_part

LONGEST = 63
names = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", fullmatch=True)
namespaces = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
uids = st.uuids().map(str)
tokens = st.text(ascii_lowercase + digits, min_size=8, max_size=8)
_LIFE_AND_TOKEN = len("-0123456789ab-aaaaaaaa")
marks = st.builds(Mark, uids, namespaces, names, uids)


@given(marks)
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    assert Mark.parse(str(mark)) == mark


@given(st.text())
def test_what_is_read_as_a_mark_would_be_written_so(text: str) -> None:
    mark = Mark.parse(text)
    assert mark is None or str(mark) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a/b/c",
        "a/b/c/d/e",
        "a//c/d",
        "/b/c/d",
        "a/b/c/",
        "a/../c/d",
        "a/B/c/d",
        "a/b?x=1/c/d",
        "a/b/c d/e",
        "a/b/c/d\n",
    ],
)
def test_what_is_no_mark(text: str) -> None:
    assert Mark.parse(text) is None


@given(marks, tokens)
def test_a_name_is_known_for_its_own_uid(mark: Mark, token: str) -> None:
    assert is_named_for(machine_name(mark, token), mark.uid)


@given(marks, tokens, uids)
def test_a_name_is_not_known_for_another_uid(mark: Mark, token: str, uid: str) -> None:
    assert is_named_for(machine_name(mark, token), uid) is (uid == mark.uid)


@given(marks, tokens)
def test_a_name_is_one_that_novita_takes(mark: Mark, token: str) -> None:
    name = machine_name(mark, token)
    assert len(name) <= LONGEST
    assert set(name) <= {*ascii_letters, *digits, "-"}
    assert name[0] != "-"
    assert "--" not in name


@given(marks, tokens, tokens)
def test_two_launches_never_share_a_name(mark: Mark, one: str, other: str) -> None:
    assert (machine_name(mark, one) == machine_name(mark, other)) is (one == other)


@given(marks, st.text().filter(lambda token: len(token) != 8 or not set(token) <= {*ascii_lowercase, *digits}))
def test_a_token_has_eight_lower_case_letters_or_digits(mark: Mark, token: str) -> None:
    with pytest.raises(ValueError, match="a launch token has eight lower-case letters or digits, not"):
        machine_name(mark, token)


@given(marks, tokens, st.sampled_from(["{}x", "x-{}", "{}-", "-{}", "{}\n"]))
def test_a_name_with_something_more_is_ours_only_if_the_end_is(mark: Mark, token: str, form: str) -> None:
    name = form.format(machine_name(mark, token))
    assert is_named_for(name, mark.uid) is (form.endswith("{}") and len(name) <= LONGEST)
    assert life_in(name, mark.namespace, mark.name) is None


@given(marks, tokens)
def test_a_name_tells_the_life_of_an_object_that_was_restored_under_another_uid(mark: Mark, token: str) -> None:
    assert life_in(machine_name(mark, token), mark.namespace, mark.name) == name_part(mark.uid)


@given(marks, tokens, marks)
def test_a_name_tells_no_life_of_an_object_of_another_name(mark: Mark, token: str, other: Mark) -> None:
    """Unless the two look alike as far as the readable part goes."""
    looks_alike = machine_name(mark, token)[:-_LIFE_AND_TOKEN] == machine_name(other, token)[:-_LIFE_AND_TOKEN]
    assert (life_in(machine_name(mark, token), other.namespace, other.name) is not None) is looks_alike


@given(st.text())
def test_a_name_that_people_gave_is_not_ours(name: str) -> None:
    assert not is_named_for(name, machine().id)


@given(marks, marks, tokens)
def test_a_machine_is_ours_only_if_name_and_mark_agree_for_this_cluster(mark: Mark, other: Mark, token: str) -> None:
    name = machine_name(mark, token)
    assert machine(name=name, mark=mark).belongs_to(mark.cluster_id)
    assert not machine(name=name, mark=None).belongs_to(mark.cluster_id)
    assert machine(name=name, mark=mark).belongs_to(other.cluster_id) is (mark.cluster_id == other.cluster_id)
    assert machine(name=name, mark=other).belongs_to(other.cluster_id) is (mark.uid == other.uid)


@given(marks, tokens, st.text(min_size=1))
def test_a_name_that_novita_would_not_take_is_known_for_nobody(mark: Mark, token: str, before: str) -> None:
    name = machine_name(mark, token)
    assert not is_named_for("x" * 64 + name, mark.uid)
    assert not is_named_for(f"\x1b[2J{name}", mark.uid)
    assert not is_named_for(f"{name}\n", mark.uid)
    assert not is_named_for(before + name, mark.uid) or before.isascii()
