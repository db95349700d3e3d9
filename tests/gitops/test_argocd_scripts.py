"""Health and buttons in Argo CD, by the test files that upstream's own runner reads."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaError  # type: ignore[import-untyped]

from gitops import argo
from gitops.argo import Manifest
from gitops.scenes import CUSTOMIZATIONS, SCRIPTS, TESTDATA

ACTIONS = SCRIPTS / "actions"
WORDS = {"Healthy", "Progressing", "Suspended", "Degraded"}


def load(path: Path) -> Manifest:
    found: Manifest = yaml.safe_load(path.read_text())
    return found


def cases(file: Path, section: str) -> list[Any]:
    return [
        pytest.param(
            file.parent, case, id=f"{file.parent.name}-{Path(case['inputPath']).stem}-{case.get('action', '')}"
        )
        for case in load(file)[section]
    ]


def health_cases() -> list[Any]:
    return [case for file in sorted(CUSTOMIZATIONS.glob("*/*/health_test.yaml")) for case in cases(file, "tests")]


def without_each_part(value: object) -> Iterator[Any]:
    """The value with one thing missing, for each thing in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {other: each for other, each in value.items() if other != key}
            for smaller in without_each_part(inner):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield value[:number] + value[number + 1 :]
            for smaller in without_each_part(inner):
                yield [*value[:number], smaller, *value[number + 1 :]]


@pytest.mark.parametrize(("folder", "case"), health_cases())
def test_health(folder: Path, case: Manifest):
    assert argo.health(folder / "health.lua", load(folder / case["inputPath"])) == case["healthStatus"]


@pytest.mark.parametrize(("folder", "case"), cases(ACTIONS / "action_test.yaml", "discoveryTests"))
def test_which_buttons_can_be_pressed(folder: Path, case: Manifest):
    assert argo.buttons(folder, load(folder / case["inputPath"])) == sorted(
        case["result"], key=lambda each: each["name"]
    )


@pytest.mark.parametrize(("folder", "case"), cases(ACTIONS / "action_test.yaml", "actionTests"))
def test_what_a_button_changes(folder: Path, case: Manifest):
    pressed = argo.press(folder, case["action"], load(folder / case["inputPath"]))
    assert pressed == load(folder / case["expectedOutputPath"])


def test_every_state_that_is_recorded_has_its_health_judged():
    judged = {Path(case["inputPath"]).name for case in load(SCRIPTS / "health_test.yaml")["tests"]}
    assert judged == {path.name for path in TESTDATA.iterdir()}


@pytest.mark.parametrize("path", sorted(TESTDATA.iterdir()), ids=lambda path: path.stem)
def test_no_script_stumbles_over_what_is_missing(path: Path):
    for smaller in [{}, *without_each_part(load(path))]:
        assert argo.health(SCRIPTS / "health.lua", smaller)["status"] in WORDS
        for button in argo.buttons(ACTIONS, smaller):
            before = copy.deepcopy(smaller)
            assert argo.press(ACTIONS, button["name"], smaller) is not None
            assert smaller == before


@pytest.mark.parametrize("call", ["string.upper('a')", "('a'):upper()", "math.abs(1)", "io.open('x')", "os.exit()"])
def test_what_argo_cd_shuts_is_shut_here(call: str):
    with pytest.raises(LuaError):
        argo.run(f"return {call}", {})
