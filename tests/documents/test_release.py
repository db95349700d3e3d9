"""The release workflow: what is pushed was tested, is for every platform, and is signed by its digest."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from documents.pages import ROOT
from documents.workflows import RELEASE, steps, workflow

WORKFLOW = workflow(RELEASE)
PACKAGES = "sbom.cdx.json"


class Pushed(NamedTuple):
    """What a job pushes: where the digest comes from, and its name in a script and in an expression."""

    job: str
    digest: str
    in_script: str
    in_expression: str


PUSHED = [
    Pushed("image", "${{ steps.build.outputs.digest }}", "$IMAGE", "${{ env.IMAGE }}"),
    Pushed(
        "chart",
        "${{ steps.push.outputs.digest }}",
        "$CHARTS/novita-operator",
        "${{ env.CHARTS }}/novita-operator",
    ),
]
pushed = pytest.mark.parametrize("pushed", PUSHED, ids=lambda pushed: pushed.job)


def using(action: str, *jobs: str) -> list[dict[str, Any]]:
    """What the steps with this action are given."""
    return [step["with"] for step in steps(WORKFLOW, *jobs) if f"{action}@" in step.get("uses", "")]


def scripts(command: str, *jobs: str) -> list[dict[str, Any]]:
    return [step for step in steps(WORKFLOW, *jobs) if step.get("run", "").startswith(command)]


def test_nothing_is_pushed_before_the_tests_have_passed_and_the_versions_agree():
    needs = {name: job.get("needs") for name, job in WORKFLOW["jobs"].items()}
    assert WORKFLOW["jobs"]["tests"]["uses"] == "./.github/workflows/test.yaml"
    assert needs == {
        "tests": None,
        "agree": None,
        "image": ["tests", "agree"],
        "chart": "image",
        "release": ["image", "chart"],
    }


def test_the_image_is_for_both_platforms_and_says_how_it_was_built_and_of_what():
    [build] = using("build-push-action")
    assert build["platforms"].split(",") == ["linux/amd64", "linux/arm64"]
    assert (build["push"], build["provenance"], build["sbom"]) == (True, "mode=max", True)


@pushed
def test_what_is_pushed_is_signed_by_its_digest(pushed: Pushed):
    [sign] = scripts("cosign", pushed.job)
    assert sign["run"] == f'cosign sign --yes "{pushed.in_script}@$DIGEST"'
    assert sign["env"] == {"DIGEST": pushed.digest}


@pushed
def test_what_is_pushed_has_its_provenance_beside_it(pushed: Pushed):
    attested = using("actions/attest", pushed.job)
    assert any("sbom-path" not in each for each in attested)
    for each in attested:
        assert (each["subject-name"], each["subject-digest"]) == (pushed.in_expression, pushed.digest)
        assert each["push-to-registry"] is True


def test_the_list_of_packages_names_what_the_image_holds(tmp_path: Path):
    [export] = scripts("uv export")
    *command, option, file = shlex.split(export["run"])
    assert (option, file) == ("--output-file", PACKAGES)
    listed = tmp_path / PACKAGES
    command = [os.environ.get("UV", "uv"), *command[1:], option, str(listed)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    names = {component["name"] for component in json.loads(listed.read_text())["components"]}
    assert {"kopf", "kubernetes", "pydantic"} <= names
    assert not {"pytest", "mypy", "ruff"} & names


def test_the_list_of_packages_is_attested_and_published():
    assert [each["sbom-path"] for each in using("actions/attest", "image") if "sbom-path" in each] == [PACKAGES]
    assert [each["path"] for each in using("upload-artifact", "image")] == [PACKAGES]
    [publish] = [step["run"] for step in steps(WORKFLOW, "release") if "gh release create" in step.get("run", "")]
    assert PACKAGES in publish.split()


def test_the_chart_is_packed_by_the_helm_that_it_is_tested_with():
    tested = re.search(r"helm\.sh/helm/v4 (v[\d.]+)", (ROOT / "tests" / "toolbox" / "helm4" / "go.mod").read_text())
    assert tested
    assert [each["version"] for each in using("setup-helm")] == [tested[1]]
