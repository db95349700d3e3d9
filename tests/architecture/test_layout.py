"""The source root is called `operator`, as is a module of Python that half of the standard library needs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_source_root_is_no_package():
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize("path", ["", str(ROOT), str(ROOT / "operator")], ids=["plain", "root", "source root"])
def test_import_operator_finds_pythons_own_from_the_repository_root(path: str):
    code = "import operator; print(operator.add(1, 2), operator.__spec__.origin)"
    environ = {"PYTHONPATH": path} if path else {}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    total, origin = done.stdout.split()
    assert total == "3"
    assert not Path(origin).is_relative_to(ROOT / "operator")


def test_the_imports_keep_to_their_floors():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
