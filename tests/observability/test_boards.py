"""The boards as Grafana reads them: fixed uids, the variables, links that lead somewhere, a word on every panel."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from observability.expressions import BOARDS, ROOT, RULES, documented, expressions, panels

UIDS = {"fleet": "novita-fleet", "operator": "novita-operator", "novita": "novita-api"}
SCHEMA = 42
"""The last one of this form: DASHBOARD_SCHEMA_VERSION in Grafana's DashboardMigrator.ts; an older one is migrated."""
KNOWN = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "reference" / "metrics.md").read_text(), re.MULTILINE))

boards = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


def test_the_uids_are_those_that_bookmarks_hold():
    assert {name: board["uid"] for name, board in BOARDS.items()} == UIDS


@boards
def test_a_board_has_grafanas_present_schema(board: dict[str, Any]):
    assert board["schemaVersion"] == SCHEMA


@boards
def test_a_board_links_to_the_others(board: dict[str, Any]):
    linked = {urlsplit(link["url"]).path.removeprefix("/d/") for link in board["links"]}
    assert linked == {*UIDS.values()} - {board["uid"]}


@boards
def test_everything_asks_the_chosen_data_source(board: dict[str, Any]):
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert (
        board["templating"]["list"][0] | {"name": "datasource", "query": "prometheus"} == board["templating"]["list"][0]
    )
    asking = [*panels(board), *board["annotations"]["list"], *board["templating"]["list"][1:]]
    assert [each["datasource"] for each in asking] == [chosen] * len(asking)


@boards
def test_every_panel_says_what_it_shows_in_which_unit_and_no_two_lie_upon_each_other(board: dict[str, Any]):
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in panels(board):
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"].get("unit") or panel["type"] == "state-timeline", panel["title"]
        at = panel["gridPos"]
        tiles = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not taken & tiles, panel["title"]
        taken |= tiles


def test_boards_rules_and_documents_name_no_metric_that_is_not_there():
    text = "\n".join([RULES.read_text(), *(each.promql for each in expressions()), *documented()])
    named = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bnovita_\w+", text)}
    assert named - KNOWN == set()
