import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
generate: Callable[[Sequence[str]], int] = runpy.run_path(str(ROOT / "docs" / "generate.py"))["main"]


def test_every_generated_file_is_up_to_date(capsys: pytest.CaptureFixture[str]):
    code = generate(["--check"])
    assert code == 0, capsys.readouterr().err


def test_a_stale_file_is_named_and_left_as_it_is_by_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    generate([str(tmp_path)])
    page = tmp_path / "docs" / "reference" / "settings.md"
    page.write_text("by hand")
    assert generate(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "docs/reference/settings.md is stale: run make generate\n"
    assert page.read_text() == "by hand"


def test_generating_makes_every_file_up_to_date(tmp_path: Path):
    assert generate([str(tmp_path)]) == 0
    assert generate(["--check", str(tmp_path)]) == 0
