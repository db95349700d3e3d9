"""No container engine here: what the image's builder copies and runs is copied and run outside of one."""

import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COPIED = [name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the last `uv sync` of the Dockerfile makes from the files that it copies."""
    folder = tmp_path_factory.mktemp("image")
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    command = re.findall(r"uv sync .+", DOCKERFILE)[-1].split()
    environ = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    environ["UV_PROJECT_ENVIRONMENT"] = str(folder / ".venv")
    subprocess.run([os.environ.get("UV", "uv"), *command[1:]], cwd=folder, env=environ, check=True)
    return folder / ".venv"


def test_the_image_holds_a_working_operator_that_needs_no_source_folder(installed: Path):
    done = subprocess.run(
        [installed / "bin" / "novita-operator", "version"], cwd="/", capture_output=True, text=True, check=True
    )
    assert (
        done.stdout.strip() == re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    )
    assert list(installed.glob("lib/python*/site-packages/novita_operator/__main__.py"))


def test_every_module_that_the_operator_imports_is_in_the_image(installed: Path):
    command = [str(installed / "bin" / "python"), "-c", "import novita_operator.app, novita_simulator"]
    assert subprocess.run(command, cwd="/", check=False).returncode == 0


def test_no_tool_of_the_developers_is_in_the_image(installed: Path):
    assert not list(installed.glob("lib/python*/site-packages/pytest"))


def test_whatever_the_dockerfile_copies_passes_the_dockerignore():
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    passed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert {name for name in COPIED if not any(fnmatch(name, rule) for rule in passed)} == set()


def test_the_image_runs_as_nobody_in_particular():
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)[-1] == "65532:65532"
