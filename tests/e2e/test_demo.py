"""`make demo` and `make up` do what they say, and leave nothing behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.server

TESTS = Path(__file__).parents[1]


def start(module: str, folder: Path) -> subprocess.Popen[str]:
    """Run one of the two in a session of its own, with its temporary files in `folder`."""
    environment = os.environ | {"PYTHONPATH": str(TESTS), "TMPDIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", module],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """What it says up to the line with this word."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if word in line:
            return said
    raise AssertionError(f"it ended without a word of {word!r}: {said}")


def left_of(folder: Path) -> list[str]:
    """Command lines of living processes that name the folder."""
    shown = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if str(folder) in line]


def test_the_demo_goes_as_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with start("e2e.demo", tmp_path) as demo:
        told, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, told
    assert "7 machines, never two for one resource, none left; 2 of other people untouched" in told
    assert list(tmp_path.iterdir()) == []
    assert left_of(tmp_path) == []


def test_a_demo_that_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    with start("e2e.demo", tmp_path) as demo:
        read_until(demo, "kubectl wait")
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert list(tmp_path.iterdir()) == []
    assert left_of(tmp_path) == []


def test_up_gives_lines_that_work_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    folder.mkdir()
    with start("e2e.up", folder) as up:
        said = read_until(up, "Ctrl-C")
        kubeconfig = re.search(r"export KUBECONFIG=(\S+)", said)
        path = re.search(r"export PATH=(\S+):", said)
        assert kubeconfig is not None
        assert path is not None
        environment = {"KUBECONFIG": kubeconfig[1], "KUBECACHEDIR": str(tmp_path / "cache"), "PATH": path[1]}
        shown = subprocess.run(
            [f"{path[1]}/kubectl", "get", "gpui"], env=environment, capture_output=True, text=True, check=True
        )
        assert "No resources found" in shown.stderr
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
    assert up.returncode == 0
    assert list(folder.iterdir()) == []
    assert left_of(folder) == []
