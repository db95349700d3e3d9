"""Every expression of the boards, as Grafana would send it to Prometheus, and those that the documents tell to ask."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
FILES = ROOT / "helm" / "novita-operator" / "files"
RULES = FILES / "rules.yaml"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((FILES / "dashboards").glob("*.json"))
}
"""Each board as Grafana reads it, by the name of its file."""

_VARIABLES = {
    "$__rate_interval": "30s",
    "$__interval_ms": "1000",
    "$__interval": "1s",
    "$__range": "2m",
}
"""What Grafana puts in their place; a longer name stands before one that it begins with."""
_PROMQL = re.compile(r"^```promql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LABEL_VALUES = re.compile(r"label_values\((\w+), (\w+)\)")


class Expression(NamedTuple):
    """`where` is a panel's title, a variable or an annotation."""

    board: str
    where: str
    promql: str


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """All but the rows' titles."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


EVERYWHERE: Mapping[str, str] = defaultdict(lambda: ".*")
"""What a board's `$namespace` is while All is chosen."""


def expressions(namespaces: Mapping[str, str] = EVERYWHERE) -> list[Expression]:
    """With the namespace of each board, by its name."""
    return [Expression(name, where, _filled_in(promql, namespaces[name])) for name, where, promql in _written()]


def documented() -> list[str]:
    """What the runbooks and the page on observability tell to ask, an expression a line."""
    pages = [ROOT / "docs" / "observability.md", *(ROOT / "docs" / "runbooks").glob("*.md")]
    return [line for page in pages for block in _PROMQL.findall(page.read_text()) for line in block.splitlines()]


def _written() -> Iterator[tuple[str, str, str]]:
    for name, board in BOARDS.items():
        for panel in panels(board):
            yield from ((name, panel["title"], target["expr"]) for target in panel["targets"])
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
                assert found, f"{name}: the variable {variable['name']} is none that Prometheus answers"
                yield name, f"${variable['name']}", f'count by ({found[2]}) ({found[1]}{{{found[2]}!=""}})'
        yield from ((name, annotation["name"], annotation["expr"]) for annotation in board["annotations"]["list"])


def _filled_in(promql: str, namespace: str) -> str:
    for variable, value in {**_VARIABLES, "$namespace": namespace}.items():
        promql = promql.replace(variable, value)
    assert "$" not in promql, f"an unknown variable in {promql}"
    return promql
