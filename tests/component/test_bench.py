"""`make bench` does not rot: half of a small run of it, of which no figure but the exact ones is asserted."""

from pathlib import Path

import pytest

from bench.contenders import Ours
from bench.report import BEGIN, END, Report, Trial, Turn, here, table, write_into
from bench.scenario import measure

pytestmark = pytest.mark.server


def test_the_bench_measures_the_operator_and_writes_its_table(tmp_path: Path):
    figures = measure(Ours, tmp_path, 20, idle_seconds=0, tell=print)
    assert (figures.wave.patches, figures.restart.patches) == (60, 0)
    turn = Turn(ours=figures.wave, bare=figures.wave, terse=figures.wave)
    trial = Trial(size=20, ours=figures, bare=figures, turns=(turn,))
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_into(page, table(Report(machine=here(0), trials=(trial,))))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| 20 objects | operator | bare kopf | ratio |" in text
    assert "old" not in text
