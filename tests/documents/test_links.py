"""Links lead somewhere, commands of `make` exist, and every page is found from the index."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.pages import PAGES, ROOT, Page

_MAKE = re.compile(r"\bmake ((?:[a-z][a-z-]*[ \t]*)+)")
_EXTERNAL = re.compile(r"(https://[a-z0-9.-]+\.[a-z]+(/\S*)?|mailto:\S+@\S+)")
_OURS = re.compile(r"https://github\.com/novita-gpu-operator/novita-gpu-operator/(?:blob|tree)/main/([\w./#-]*\w)")
_TEXT = {".json", ".lua", ".md", ".py", ".tpl", ".txt", ".yaml"}
BY_PATH = {page.path: page for page in PAGES}
FOUND_BY_THEIR_OWN_INDEX = ("docs/decisions/", "docs/runbooks/")


def broken_links(page: Page) -> Iterator[str]:
    """What is wrong with the page's links; those that leave the repository are judged by their form alone."""
    for link in page.links:
        if not re.match(r"[a-z]+:", link):
            yield from broken_path(link, page.path, page.root)
        elif not _EXTERNAL.fullmatch(link):
            yield f"{link}: this is no address"


def broken_addresses(text: str, root: Path = ROOT) -> Iterator[str]:
    """What is wrong with the addresses of our own repository on GitHub."""
    for link in _OURS.findall(text):
        yield from broken_path(link, root / "README.md", root)


def broken_path(link: str, page: Path, root: Path) -> Iterator[str]:
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    if not target.exists() or not target.is_relative_to(root):
        yield f"{link}: there is no such file"
    elif anchor and anchor not in Page(target, root).anchors:
        yield f"{link}: there is no such heading"


def make_targets(page: Page) -> set[str]:
    """The targets of `make` in the page's code."""
    code = [*page.code, *(fence.code for fence in page.fences)]
    commands = (command for text in code for command in _MAKE.findall(re.sub(r"\s#.*", "", text)))
    return {target for command in commands for target in command.split()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Page):
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("folder", ["docs", "helm", "manifests", "operator"])
def test_every_address_of_our_own_leads_to_a_file_and_a_heading(folder: str):
    texts = {path: path.read_text() for path in (ROOT / folder).rglob("*") if path.suffix in _TEXT}
    assert {path: broken for path, text in texts.items() if (broken := list(broken_addresses(text)))} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_is_named_exists(page: Page):
    makefile = (ROOT / "Makefile").read_text()
    assert make_targets(page) - set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) == set()


def test_the_readme_shows_the_two_commands_on_its_first_screen():
    readme = (ROOT / "README.md").read_text().splitlines()[:40]
    assert all(any(line.startswith(f"make {target}") for line in readme) for target in ("demo", "test"))


def test_every_page_of_the_documentation_is_in_its_index():
    index = BY_PATH[ROOT / "docs" / "README.md"]
    linked = {(index.path.parent / link.partition("#")[0]).resolve() for link in index.links}
    pages = {page.path for page in PAGES if page.name.startswith("docs/")} - {index.path}
    missing = {str(path.relative_to(ROOT)) for path in pages - linked}
    assert {name for name in missing if not name.startswith(FOUND_BY_THEIR_OWN_INDEX)} == set()
