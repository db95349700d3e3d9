"""A reader's terminal: the commands of the documents in a shell, with kubectl, a pretend Novita and the operator."""

import doctest
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.pages import ROOT, Page
from stage import KEY, PATIENCE, QUICK, Stage, stage

_LOOKS = re.compile(r"kubectl (get|events|describe|api-versions)\b")
_LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Session:
    """Commands run in a folder of their own, in which the repository's CRD and manifests stand."""

    def __init__(self, scene: Stage, folder: Path) -> None:
        self.folder = folder
        self._environment = scene.plane.environment | {
            "NEW_KEY": KEY,
            "NOVITA_API_KEY": KEY,
            "NOVITA_API_BASE_URL": scene.novita.url,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{scene.plane.environment['PATH']}",
        }
        for name in ("crds", "manifests"):
            (folder / name).symlink_to(ROOT / name)

    def run(self, command: str, input: str | None = None) -> str:  # noqa: A002  subprocess' own word
        """What the command says on both its outputs; AssertionError if it fails."""
        done = self.attempt(command, input)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def attempt(self, command: str, input: str | None = None) -> subprocess.CompletedProcess[str]:  # noqa: A002  as above
        return subprocess.run(
            ["/bin/bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=self._environment,
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def follow(self, page: Page) -> int:
        """Do what the page says, in its order; returns how many commands it showed. `...` stands for anything."""
        count = 0
        for fence in page.fences:
            if fence.mark.startswith("file: "):
                (self.folder / fence.mark.removeprefix("file: ")).write_text(fence.code)
            elif fence.mark == "run":
                count += self.follow_text(fence.code)
        return count

    def follow_text(self, text: str) -> int:
        """Run each command; AssertionError unless it answers as the text shows."""
        commands = list(dialogue(text))
        for command, answer in commands:
            self._expect(command, answer)
        return len(commands)

    def _expect(self, command: str, answer: str) -> None:
        """What only looks may look again: Events and status come a moment after what they tell of."""
        deadline = time.monotonic() + (PATIENCE if _LOOKS.match(command) else 0)
        while not doctest.OutputChecker().check_output(answer, said := self.run(command), _LOOSELY):
            assert time.monotonic() < deadline, f"$ {command}\n{said}\nThe page says:\n{answer}"


def dialogue(text: str) -> Iterator[tuple[str, str]]:
    """Commands and what the page shows as their answers."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, answer = part.partition("\n")
        yield command, answer


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One terminal for all pages, in a cluster of their own: they speak of the namespaces of an install."""
    with stage(QUICK, lambda _: None) as scene:
        yield Session(scene, tmp_path_factory.mktemp("reader"))
