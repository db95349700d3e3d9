"""The toolbox holds the real tools, in the versions that are pinned, and makes them whole or not at all."""

import subprocess
from pathlib import Path

import pytest

from toolbox.cache import kept
from toolbox.debian import NotPackagedError
from toolbox.tools import NAMES, tool

SAYS = {
    "actionlint": ("--version", "v1.7.12\n"),
    "helm3": ("version", 'Version:"v3.22.0"'),
    "helm4": ("version", 'Version:"v4.3.1"'),
    "kubeconform": ("-v", "v0.8.0\n"),
    "prometheus": ("--version", "prometheus, version "),
    "promtool": ("--version", "promtool, version "),
}


def said_by(name: str, *arguments: str) -> str:
    return subprocess.run([tool(name), *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.tools
@pytest.mark.parametrize("name", NAMES)
def test_a_tool_says_its_version(name: str):
    argument, answer = SAYS[name]
    assert answer in said_by(name, argument)


@pytest.mark.tools
def test_helm_3_renders_for_the_kubernetes_of_its_client_not_for_1_20(tmp_path: Path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: asks, version: 0.0.0}")
    (tmp_path / "templates" / "version.yaml").write_text("kubernetes: {{ .Capabilities.KubeVersion }}")
    assert "kubernetes: v1.37.0" in said_by("helm3", "template", str(tmp_path))


def test_what_could_not_be_made_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def half(folder: Path) -> None:
        (folder / "one").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        kept("both", half)
    whole = kept("both", lambda folder: (folder / "two").touch())
    assert [path.name for path in whole.iterdir()] == ["two"]


def test_without_apt_one_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotPackagedError, match=r"put prometheus and promtool .* on the PATH"):
        tool("promtool")
