"""The threat model names tests that exist, in the files that it links to."""

import re

import pytest

from documents.pages import PAGES, ROOT

MODEL = next(page for page in PAGES if page.name == "docs/threat-model.md")
_NAMED = r"\[`(test_\w+)`\]\(\.\./([\w/.]+)\)"
NAMED = sorted(set(re.findall(_NAMED, MODEL.text)))
KINDS = ("Money and machines", "Truth and availability", "Secrets", "How it is made")


@pytest.mark.parametrize(("name", "file"), NAMED, ids=[name for name, _ in NAMED])
def test_a_test_that_is_named_stands_where_the_link_leads(name: str, file: str):
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_threat_has_something_against_it_that_named_tests_show(kind: str):
    rows = MODEL.rows(kind)
    assert rows
    for threat, against, shown in rows:
        assert threat
        assert against
        assert re.fullmatch(rf"{_NAMED}(, {_NAMED})*", shown), threat
