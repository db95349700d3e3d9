"""The version of the next release is one, wherever it is written."""

import re
from importlib.metadata import version

from documents.pages import PAGES, ROOT

VERSION = version("novita-gpu-operator")
_IMAGE_CHART_OR_TAG = re.compile(r"(?:--version |novita-gpu-operator:|/v)(\d+\.\d+\.\d+)")


def test_the_image_is_built_as_this_version():
    assert f"ARG VERSION={VERSION}\n" in (ROOT / "Dockerfile").read_text()


def test_the_documents_show_how_to_install_this_version():
    shown = {found for page in PAGES for fence in page.fences for found in _IMAGE_CHART_OR_TAG.findall(fence.code)}
    assert shown == {VERSION}


def test_what_to_heed_in_an_upgrade_to_it_is_said():
    upgrading = next(page for page in PAGES if page.name == "docs/upgrading.md")
    assert VERSION.replace(".", "") in upgrading.anchors


def test_its_crd_is_frozen():
    assert (ROOT / "crds" / "released" / f"v{VERSION}.yaml").exists()
