"""The pages on how it is made keep up with the code: every module, rule, decision and cell of the matrix is told of."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from novita_operator.decision.decide import RULES
from proof.matrix import CELLS, FAULTS, NOT_PROMISED, POINTS, Blow

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "novita_operator"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


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
    rows = re.findall(r"^\| `([^`]+)`(?: \(\*\*not promised\*\*\))? \|", page, re.MULTILINE)
    assert rows == [*map(str, Blow), *POINTS, *NOT_PROMISED, *FAULTS]
    assert f"**{len(CELLS)} cells**" in page


def test_the_page_on_reliability_says_what_of_the_matrix_is_in_make_test() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    part = [cell for cell in CELLS if cell.is_in_test]
    assert f"**{len(part)} of them**" in page
    assert {cell.point for cell in part if cell.blow is Blow.KILLED} == set(POINTS)
    assert {(cell.blow, cell.fault) for cell in part} == {(cell.blow, cell.fault) for cell in CELLS}
