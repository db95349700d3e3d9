"""The toolbox holds the real tools, in the versions that are pinned, and makes them whole or not at all."""

import subprocess
from pathlib import Path

import pytest

from toolbox.cache import kept
from toolbox.debian import PACKAGED, NotPackagedError
from toolbox.tools import BUILT, pinned, tool

VERSION = {"helm3": "version", "helm4": "version", "kubeconform": "-v"}
"""How a tool is asked for its version, where it is not --version."""


def said_by(name: str, *arguments: str) -> str:
    return subprocess.run([tool(name), *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.tools
@pytest.mark.parametrize("name", BUILT)
def test_a_tool_that_is_built_is_of_the_pinned_version(name: str):
    assert pinned(name) in said_by(name, VERSION.get(name, "--version"))


@pytest.mark.tools
@pytest.mark.parametrize("name", PACKAGED)
def test_a_tool_that_is_packaged_runs(name: str):
    assert said_by(name, "--version").startswith(f"{name}, version ")


@pytest.mark.tools
def test_helm_3_renders_for_the_kubernetes_of_its_client_not_for_1_20(tmp_path: Path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: asks, version: 0.0.0}")
    (tmp_path / "templates" / "version.yaml").write_text("kubernetes: {{ .Capabilities.KubeVersion }}")
    rendered = said_by("helm3", "template", str(tmp_path))
    assert "kubernetes: v1." in rendered
    assert "kubernetes: v1.20" not in rendered


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
