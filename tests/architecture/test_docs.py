"""The documents keep up with the code: links lead somewhere, commands exist, every module and rule is told of."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from novita_operator.decision.decide import RULES
from proof.matrix import CELLS, FAULTS, POINTS, Blow

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "novita_operator"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
# What stands in a folder whose name begins with a dot is not ours.
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts)
)

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_MAKE = re.compile(r"\bmake ((?:[a-z][a-z-]*[ \t]*)+)")
_ELSEWHERE = re.compile(r"[a-z]+:")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(text: str) -> str:
    """The text without its code, in which nothing is a link or a heading."""
    return _FENCED.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(prose(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {f"{slug}-{number}" if number else slug for slug, most in found.items() for number in range(most + 1)}


def broken_links(path: Path) -> Iterator[str]:
    for link in _LINK.findall(prose(path.read_text())):
        if _ELSEWHERE.match(link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or not target.is_relative_to(ROOT):
            yield f"{link}: there is no such file"
        elif anchor and anchor not in anchors(target.read_text()):
            yield f"{link}: there is no such heading"


def make_targets(text: str) -> set[str]:
    """The targets of `make` in the text's code."""
    commands = (command for code in _CODE.findall(text) for command in _MAKE.findall(re.sub(r"\s#.*", "", code)))
    return {target for command in commands for target in command.split()}


def modules() -> Iterator[str]:
    """Every file and every package of the operator, as the page names them."""
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE)
        if path.name != "__init__.py":
            yield str(inside)
        elif inside.parent.parts:
            yield f"{inside.parent}/"


def described() -> set[str]:
    """What the tables of the page begin a row with."""
    return set(re.findall(r"^\| `([^`]+)` \|", ARCHITECTURE, re.MULTILINE))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(path: Path):
    assert list(broken_links(path)) == []


def test_the_readme_shows_the_two_commands_on_its_first_screen():
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:40])
    assert {"demo", "test"} <= make_targets(first_screen)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_make_target_that_is_named_exists(path: Path):
    makefile = (ROOT / "Makefile").read_text()
    assert make_targets(path.read_text()) - set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) == set()


def test_every_module_of_the_operator_has_a_line_in_the_architecture():
    assert set(modules()) - described() == set()


def test_the_architecture_names_no_module_that_is_not_there():
    assert {name for name in described() if name.endswith(("/", ".py"))} - set(modules()) == set()


def test_the_architecture_tells_of_every_rule_in_the_order_of_thought():
    names = [rule.__name__ for rule in RULES]
    assert [row for row in re.findall(r"^\| `(\w+)` \|", ARCHITECTURE, re.MULTILINE) if row in names] == names


@pytest.mark.parametrize("path", DECISIONS, ids=name_of)
def test_every_decision_is_dated_and_says_why(path: Path):
    text = path.read_text()
    number = int(path.name.split("-")[0])
    assert re.match(rf"# {number}\. \S.*\n\n\d{{4}}-\d\d-\d\d\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Alternatives"]


def test_the_decisions_are_numbered_through_and_listed():
    assert [int(path.name.split("-")[0]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    listed = _LINK.findall((ROOT / "docs" / "decisions" / "README.md").read_text())
    assert listed == [path.name for path in DECISIONS]


def test_the_page_on_reliability_lists_the_whole_matrix() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert rows == [*map(str, Blow), *POINTS, *FAULTS]
    assert f"**{len(CELLS)} cells**" in page
