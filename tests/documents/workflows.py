"""The workflows, as GitHub reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from documents.pages import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
RELEASE = ROOT / ".github" / "workflows" / "release.yaml"


def workflow(path: Path) -> dict[str, Any]:
    """Its content; `on` is the word that it is, not YAML's old true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in found.items()}


def steps(workflow: dict[str, Any], *jobs: str) -> Iterator[dict[str, Any]]:
    """Of these jobs, of all by default."""
    for name, job in workflow["jobs"].items():
        if name in jobs or not jobs:
            yield from job.get("steps", ())
