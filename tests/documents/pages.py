"""The documents as their readers get them: links, headings, code, and the fences that a mark has tests act on.

A mark is a comment on the line before a fence: `<!-- run -->`, or `<!-- file: name.yaml -->`.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
_MARK = re.compile(r"<!-- (run|file: [\w.-]+) -->\n?")
_PARSER = MarkdownIt("commonmark").enable("table")


class Fence(NamedTuple):
    """A block of code, its language, and the mark before it, if any."""

    language: str
    code: str
    mark: str


class Page:
    """One document."""

    def __init__(self, path: Path, root: Path = ROOT) -> None:
        self.path = path
        self.root = root
        self.name = str(path.relative_to(root))
        self.text = path.read_text()

    @cached_property
    def fences(self) -> list[Fence]:
        """Every block of code, in order."""
        tokens = self._tokens
        return [
            Fence(token.info, token.content, _mark(before))
            for before, token in zip([None, *tokens], tokens, strict=False)
            if token.type == "fence"
        ]

    @cached_property
    def code(self) -> list[str]:
        """Every piece of code within a sentence."""
        return [token.content for token in self._inline if token.type == "code_inline"]

    @cached_property
    def links(self) -> list[str]:
        """Where the links lead."""
        return [str(token.attrs["href"]) for token in self._inline if token.type == "link_open"]

    @cached_property
    def anchors(self) -> set[str]:
        """The anchors of the headings, as GitHub makes them."""
        found: dict[str, int] = {}
        for heading in self._headings():
            slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
        return {f"{slug}-{number}" if number else slug for slug, most in found.items() for number in range(most + 1)}

    def rows(self, heading: str) -> list[list[str]]:
        """The cells of the tables below a heading of this text, up to the next heading, without the tables' heads."""
        section = re.split(r"^#+ ", self.text, flags=re.MULTILINE)
        lines = next(part for part in section if part.startswith(f"{heading}\n")).splitlines()
        rows = [re.split(r" *(?<!\\)\| *", line.strip())[1:-1] for line in lines if line.startswith("|")]
        return [row for row, below in zip(rows, [*rows[1:], [""]], strict=True) if "---" not in {row[0], below[0]}]

    def _headings(self) -> Iterator[str]:
        for opening, inline in zip(self._tokens, self._tokens[1:], strict=False):
            if opening.type == "heading_open":
                yield "".join(token.content for token in inline.children or ())

    @cached_property
    def _inline(self) -> list[Token]:
        return [child for token in self._tokens for child in token.children or ()]

    @cached_property
    def _tokens(self) -> list[Token]:
        return _PARSER.parse(self.text)


def _mark(before: Token | None) -> str:
    found = _MARK.fullmatch(before.content) if before is not None and before.type == "html_block" else None
    return found[1] if found else ""


# What stands in a folder whose name begins with a dot is not ours.
PAGES = [
    Page(path)
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts)
]
