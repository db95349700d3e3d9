"""The workflows and updates: pinned, without more rights than needed, and nothing left out."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from documents.pages import ROOT
from documents.workflows import RELEASE, WORKFLOWS, steps, workflow
from toolbox.tools import tool

LOCKED = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
UPDATES = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
MANIFESTS = {"uv": "uv.lock", "docker": "Dockerfile", "gomod": "go.mod", "github-actions": ".github/workflows"}
UV = re.search(r"astral-sh/uv:([\d.]+)", (ROOT / "Dockerfile").read_text())
SHELLCHECK = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
scripts = pytest.mark.skipif(not SHELLCHECK, reason="PyPI has no shellcheck for this machine")

_PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/\w+\.yaml")
_USES = re.compile(r"^ *(?:- )?uses: (.+)$", re.MULTILINE)


def used() -> Iterator[tuple[str, str]]:
    """Every action that a workflow uses, with its version, as written."""
    for path in WORKFLOWS:
        yield from ((path.name, action) for action in _USES.findall(path.read_text()))


def name_of(path: Path) -> str:
    return path.name


def actionlint(*workflows: Path) -> tuple[int, str]:
    """What it says, and what shellcheck says through it."""
    command = [str(tool("actionlint")), "-shellcheck", SHELLCHECK or "", *map(str, workflows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.tools
def test_actionlint_has_nothing_to_say():
    assert actionlint(*WORKFLOWS) == (0, "")


@pytest.mark.tools
@pytest.mark.parametrize(
    ("right", "wrong"), [("runs-on:", "run-on:"), pytest.param("run: ", "run: echo $HOME; ", marks=scripts)]
)
def test_actionlint_says_so_if_a_workflow_is_wrong(tmp_path: Path, right: str, wrong: str):
    spoilt = tmp_path / "wrong.yaml"
    spoilt.write_text(WORKFLOWS[0].read_text().replace(right, wrong))
    assert actionlint(spoilt)[0] == 1


@pytest.mark.parametrize(("name", "action"), [*used()])
def test_an_action_is_pinned_to_a_commit_and_says_which_version_that_is(name: str, action: str):
    assert _PINNED.fullmatch(action), name


def test_an_action_has_one_version_in_all_workflows():
    versions = {
        action.partition("@")[0]: {each for _, each in used() if each.startswith(action.partition("@")[0] + "@")}
        for _, action in used()
    }
    assert {action: found for action, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_begins_without_rights_and_each_job_says_what_it_needs(path: Path):
    found = workflow(path)
    assert found["permissions"] == {}
    assert [name for name, job in found["jobs"].items() if "permissions" not in job] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_only_a_release_may_write(path: Path):
    jobs = workflow(path)["jobs"]
    writing = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert writing == ({"image", "chart", "release"} if path == RELEASE else set())


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_checkout_leaves_no_token_behind(path: Path):
    checkouts = [step for step in steps(workflow(path)) if "actions/checkout@" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_nothing_that_strangers_write_gets_into_a_shell(path: Path):
    scripts = [step["run"] for step in steps(workflow(path)) if "run" in step]
    assert [script for script in scripts if "${{" in script] == []


def test_uv_is_the_same_everywhere():
    assert UV
    versions = {
        step["with"]["version"]
        for path in WORKFLOWS
        for step in steps(workflow(path))
        if "setup-uv@" in step.get("uses", "")
    }
    assert versions == {UV[1]}


def test_every_update_watches_something_that_is_there():
    for update in UPDATES:
        for folder in update.get("directories", [update.get("directory")]):
            assert list(ROOT.glob(f"{folder.strip('/')}/{MANIFESTS[update['package-ecosystem']]}".lstrip("/"))), folder


def test_every_go_module_is_watched():
    watched = next(update["directories"] for update in UPDATES if update["package-ecosystem"] == "gomod")
    modules = {path for folder in watched for path in ROOT.glob(f"{folder.strip('/')}/go.mod")}
    assert modules == set((ROOT / "tests").rglob("go.mod"))


def test_an_update_waits_a_week():
    assert [update for update in UPDATES if update["cooldown"]["default-days"] < 7] == []


def test_what_is_known_to_be_bad_is_asked_for_each_day():
    audit = workflow(ROOT / ".github" / "workflows" / "audit.yaml")
    assert [step["run"] for step in steps(audit) if "run" in step] == ["uv audit --locked"]
    [schedule] = audit["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])


def test_every_package_is_locked_with_the_hash_of_each_of_its_files():
    packages = [each for each in LOCKED if "registry" in each["source"]]
    files = [file for each in packages for file in [*each.get("wheels", ()), each.get("sdist")] if file]
    assert [each["name"] for each in LOCKED if each not in packages] == ["novita-gpu-operator"]
    assert [file["url"] for file in files if not re.fullmatch("sha256:[0-9a-f]{64}", file.get("hash", ""))] == []
    assert len(files) > len(packages) > 0
