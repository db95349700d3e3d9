"""What the documents show can be done: commands are run and answer as shown, manifests are taken by the API server."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from documents.pages import PAGES, Page
from documents.session import Session, dialogue

SHOWN = [page for page in PAGES if any(fence.mark == "run" for fence in page.fences)]
WITH_YAML = [page for page in PAGES if any(fence.language == "yaml" for fence in page.fences)]
OTHERS_GROUPS = ("argoproj.io", "toolkit.fluxcd.io", "monitoring.coreos.com", "kustomize.config.k8s.io")
"""Of neighbours that do not stand here; what they take is tested with them."""
MINIMAL = {"image": "docker.io/acme/worker:1.9", "productName": "RTX 4090 24GB"}


def manifests(page: Page) -> Iterator[dict[str, Any]]:
    """Every resource that the page shows in YAML; a spec that stands alone is a GpuInstance's."""
    for fence in page.fences:
        for document in yaml.safe_load_all(fence.code) if fence.language == "yaml" else ():
            if not isinstance(document, dict):
                continue
            if document.keys() == {"spec"}:
                yield whole(document["spec"])
            elif "kind" in document and not any(group in document["apiVersion"] for group in OTHERS_GROUPS):
                yield document


def whole(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "gpu.novita.ai/v1alpha1",
        "kind": "GpuInstance",
        "metadata": {"name": "shown"},
        "spec": MINIMAL | spec,
    }


@pytest.mark.server
@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_a_page_can_be_followed_and_leaves_nothing_behind(session: Session, page: Page):
    assert session.follow(page) > 0
    assert session.run("kubectl get gpui --all-namespaces --output name") == ""


@pytest.mark.server
@pytest.mark.parametrize("page", WITH_YAML, ids=lambda page: page.name)
def test_a_manifest_that_is_shown_is_taken_whole(session: Session, page: Page):
    for manifest in manifests(page):
        session.run(
            "kubectl apply --server-side --dry-run=server --validate=strict --filename -", yaml.safe_dump(manifest)
        )


@pytest.mark.server
def test_a_command_that_answers_otherwise_is_found(session: Session):
    with pytest.raises(AssertionError, match="The page says"):
        session.follow_text("$ kubectl version --client\nClient Version: v0.1\n")
    with pytest.raises(AssertionError, match="NotFound"):
        session.follow_text("$ kubectl delete gpui nobody\n")


@pytest.mark.server
def test_a_manifest_with_a_field_too_many_is_found(session: Session):
    refused = session.attempt(
        "kubectl apply --server-side --dry-run=server --validate=strict --filename -",
        yaml.safe_dump(whole({"colour": "green"})),
    )
    assert "colour" in refused.stdout
    assert refused.returncode == 1


def test_a_dialogue_is_commands_and_answers():
    assert list(dialogue("$ one\nyes\nno\n$ two\n")) == [("one", "yes\nno\n"), ("two", "")]
