"""The threat model names tests that exist, in the files that it links to."""

import re

import pytest

from documents.pages import PAGES, ROOT

MODEL = next(page for page in PAGES if page.name == "docs/threat-model.md")
NAMED = sorted(set(re.findall(r"\[`(test_\w+)`\]\(\.\./([\w/.]+)\)", MODEL.text)))
KINDS = ("Money and machines", "Truth and availability", "Secrets", "How it is made")


@pytest.mark.parametrize(("name", "file"), NAMED, ids=[name for name, _ in NAMED])
def test_a_test_that_is_named_stands_where_the_link_leads(name: str, file: str):
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_threat_has_something_against_it_that_is_shown(kind: str):
    assert [row for row in MODEL.rows(kind) if len(row) != len(("threat", "against", "shown")) or not all(row)] == []
