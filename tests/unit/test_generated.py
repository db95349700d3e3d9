import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "docs" / "generate.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_generated_file_is_up_to_date():
    done = generate("--check")
    assert done.returncode == 0, done.stderr


def test_a_stale_file_is_named_and_a_second_run_finds_nothing_more_to_do(tmp_path: Path):
    assert generate(tmp_path).returncode == 0
    assert generate("--check", tmp_path).returncode == 0
    page = tmp_path / "docs" / "reference" / "settings.md"
    page.write_text("by hand")
    done = generate("--check", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "docs/reference/settings.md is stale: run make generate\n"
    assert page.read_text() == "by hand"
