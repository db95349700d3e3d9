"""How a printed page looks: where it comes from, a heading, and tables."""

from collections.abc import Iterable, Sequence


def page(title: str, source: str, *blocks: str) -> str:
    """A page in Markdown that says which files it is printed from."""
    return "\n\n".join((f"<!-- Printed from {source} by `make generate`. -->", f"# {title}", *blocks)) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar within a cell is written so that it does not end the cell."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
