"""The version of the next release is one, wherever it is written. A release runs these tests on its tag."""

import re
from importlib.metadata import version
from pathlib import Path

from documents.pages import PAGES, ROOT

VERSION = version("novita-gpu-operator")
_IMAGE_CHART_OR_TAG = re.compile(r"(?:--version |novita-gpu-operator:|/v)(\d+\.\d+\.\d+)")
_TAKEN = re.compile(r"(?:(?:[rR]evision|[tT]ag|semver): |novita-gpu-operator:)(\S+)")
_OF_YOUR_OWN = ("manifests/overlays/dev/kustomization.yaml", "dev")


def test_the_image_is_built_as_this_version():
    assert f"ARG VERSION={VERSION}\n" in (ROOT / "Dockerfile").read_text()


def test_the_documents_show_how_to_install_this_version():
    shown = {found for page in PAGES for fence in page.fences for found in _IMAGE_CHART_OR_TAG.findall(fence.code)}
    assert shown == {VERSION}


def test_the_manifests_take_this_version():
    taken = {
        (str(path.relative_to(ROOT)), found)
        for path in (ROOT / "manifests").rglob("*.yaml")
        for found in _TAKEN.findall(path.read_text())
    }
    right = {VERSION, f"v{VERSION}", f"{VERSION.rpartition('.')[0]}.x"}
    assert {each for each in taken if each[1] not in right} == {_OF_YOUR_OWN}
    assert {Path(name).parts[1] for name, _ in taken} >= {"argocd", "base", "flux", "install.yaml"}


def test_what_to_heed_in_an_upgrade_to_it_is_said():
    upgrading = next(page for page in PAGES if page.name == "docs/upgrading.md")
    assert VERSION.replace(".", "") in upgrading.anchors


def test_its_crd_is_frozen():
    assert (ROOT / "crds" / "released" / f"v{VERSION}.yaml").exists()
