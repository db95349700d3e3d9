"""What the documents show can be done: commands are run and answer as shown, manifests are taken by the API server."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from documents.pages import PAGES, Page
from documents.session import Session, dialogue, is_script, script
from stage import KEY

SHOWN = [page for page in PAGES if any((fence.language, fence.mark) == ("console", "run") for fence in page.fences)]
SCRIPTED = [page for page in PAGES if any(map(is_script, page.fences))]
SCENES: dict[str, tuple[dict[str, Any], str]] = {
    "docs/runbooks/NovitaInstanceNotReady.md": ({"billing": {"maxPricePerHour": "0.01"}}, "Ready=False"),
    "docs/runbooks/NovitaInstanceStalled.md": ({"productName": "no such"}, "Stalled"),
}
"""What the resource of a page is like, and its condition; else it runs."""
TRIED_ELSEWHERE = {
    ("docs/observability.md", "scrape_configs"),  # tests/observability/test_shown.py
    ("docs/observability.md", "inhibit_rules"),  # there, too
    ("manifests/README.md", "Kustomization"),  # tests/manifests/test_builds.py
}
"""Blocks of YAML that are not for the API server."""
MINIMAL = {"image": "docker.io/acme/worker:1.9", "productName": "RTX 4090 24GB"}


def blocks(page: Page) -> Iterator[dict[str, Any]]:
    for fence in page.fences:
        if fence.language == "yaml":
            yield from yaml.safe_load_all(fence.code)


def name_of(page: Page, block: dict[str, Any]) -> tuple[str, str]:
    """The page, and the kind or the first word."""
    return page.name, block.get("kind") or next(iter(block))


def manifests(page: Page) -> Iterator[dict[str, Any]]:
    """Every resource that the page shows; a spec that stands alone is a GpuInstance's, containers are a pod's."""
    for block in blocks(page):
        if block.keys() == {"spec"}:
            yield whole(block["spec"])
        elif block.keys() == {"containers", "volumes"}:
            yield pod(block)
        elif name_of(page, block) not in TRIED_ELSEWHERE:
            yield block


def whole(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "gpu.novita.ai/v1alpha1",
        "kind": "GpuInstance",
        "metadata": {"name": "shown"},
        "spec": MINIMAL | spec,
    }


def pod(spec: dict[str, Any]) -> dict[str, Any]:
    containers = [{"image": MINIMAL["image"], **container} for container in spec["containers"]]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shown"},
        "spec": {**spec, "containers": containers},
    }


WITH_MANIFESTS = [page for page in PAGES if any(manifests(page))]


@pytest.mark.server
@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_a_page_can_be_followed_and_leaves_nothing_behind(session: Session, page: Page):
    assert session.follow(page) > 0
    assert session.run("kubectl get gpui --all-namespaces --output name") == ""


@pytest.fixture
def words(session: Session, page: Page) -> Iterator[dict[str, str]]:
    """What the page speaks of is there: neighbours' namespaces, a key, and a resource; its NAME and NAMESPACE."""
    for namespace in ("argocd", "monitoring", "team-a"):
        session.attempt(f"kubectl create namespace {namespace}")
    (session.folder / "novita-api-key").write_text(KEY)
    spec, condition = SCENES.get(page.name, ({}, "Ready"))
    session.run("kubectl apply --filename -", yaml.safe_dump(whole(spec)))
    session.run(f"kubectl wait gpui/shown --for=condition={condition} --timeout=1m")
    yield {"NAMESPACE": "default", "NAME": "shown"}
    session.run("kubectl delete gpui shown")


@pytest.mark.server
@pytest.mark.parametrize("page", SCRIPTED, ids=lambda page: page.name)
def test_what_a_page_says_to_type_can_be_typed(session: Session, words: dict[str, str], page: Page):
    assert session.type(page, **words) > 0


@pytest.mark.server
@pytest.mark.parametrize("page", WITH_MANIFESTS, ids=lambda page: page.name)
def test_a_manifest_that_is_shown_is_taken_whole(session: Session, page: Page):
    for manifest in manifests(page):
        session.run(
            "kubectl apply --server-side --dry-run=server --validate=strict --filename -", yaml.safe_dump(manifest)
        )


def test_what_is_tried_elsewhere_is_still_shown():
    assert {name_of(page, block) for page in PAGES for block in blocks(page)} >= TRIED_ELSEWHERE


@pytest.mark.server
def test_a_command_that_answers_otherwise_is_found(session: Session):
    with pytest.raises(AssertionError, match="The page says"):
        session.follow_text("$ kubectl version --client\nClient Version: v0.1\n")
    with pytest.raises(AssertionError, match="NotFound"):
        session.follow_text("$ kubectl delete gpui nobody\n")
    with pytest.raises(AssertionError, match="unknown flag: --al-pods"):
        session.run("kubectl logs -n novita-operator deploy/novita-operator --al-pods")
    with pytest.raises(AssertionError, match="invalid choice"):
        session.run("kubectl exec -n novita-operator deploy/novita-operator -- novita-operator orphan")


@pytest.mark.server
def test_a_manifest_with_a_field_too_many_is_found(session: Session):
    refused = session.attempt(
        "kubectl apply --server-side --dry-run=server --validate=strict --filename -",
        yaml.safe_dump(whole({"colour": "green"})),
    )
    assert "colour" in refused.stdout
    assert refused.returncode == 1


def test_a_script_is_a_command_a_line():
    assert script("one  # as said\n# then\n\ntwo \\\n  --more\n") == ["one  # as said", "two    --more"]


def test_a_dialogue_is_commands_and_answers():
    assert list(dialogue("$ one\nyes\nno\n$ two\n")) == [("one", "yes\nno\n"), ("two", "")]
