from collections.abc import Callable
from importlib.metadata import version

import pytest

from novita_operator import commands
from novita_operator.__main__ import main
from novita_operator.model.crd import crd_yaml
from novita_operator.model.environ import describe
from novita_operator.settings import Settings


def test_version_is_that_of_the_installed_package(capsys: pytest.CaptureFixture[str]):
    assert main(["version"]) == 0
    assert capsys.readouterr().out.strip() == version("novita-gpu-operator")


def test_crd_prints_the_resource_definition(capsys: pytest.CaptureFixture[str]):
    assert main(["crd"]) == 0
    assert capsys.readouterr().out == crd_yaml()


@pytest.mark.parametrize("command", ["run", "orphans", "check", "support-bundle"])
def test_a_wrong_setting_ends_the_command_with_code_two_and_a_clear_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("NOVITA_API_KEY", "sk_secret")
    monkeypatch.delenv("NOVITA_API_KEY_FILE", raising=False)
    monkeypatch.setenv("INSTANCE_POLL_INTERVAL", "abc")
    assert main([command]) == 2
    line = "INSTANCE_POLL_INTERVAL: 'abc' is not a duration: write seconds (30) or 30s, 5m, 1h\n"
    assert capsys.readouterr().err == line


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, ...]]:
    """The namespaces with which a command is called, by its arguments."""

    called: list[Settings] = []

    def check(settings: Settings) -> int:
        called.append(settings)
        return 0

    def look(*arguments: str) -> tuple[str, ...]:
        assert main(["check", *arguments]) == 0
        return called[-1].namespaces

    monkeypatch.setattr(commands, "check", check)
    monkeypatch.setenv("NOVITA_API_KEY", "sk_secret")
    monkeypatch.delenv("NOVITA_API_KEY_FILE", raising=False)
    monkeypatch.setenv("NOVITA_OPERATOR_WATCH_NAMESPACES", "set-a,set-b")
    return look


def test_the_flag_goes_before_the_setting(watched: Callable[..., tuple[str, ...]]):
    assert watched() == ("set-a", "set-b")
    assert watched("--namespace", "flag-a", "--namespace", "flag-b") == ("flag-a", "flag-b")


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("name", ["", "Team"])
def test_a_flag_that_names_no_namespace_is_refused(name: str, capsys: pytest.CaptureFixture[str]):
    """An empty one comes from a variable that is not set; it must not mean every namespace."""
    assert main(["check", "--namespace", name]) == 2
    assert "is no name of a namespace" in capsys.readouterr().err


def test_help_tells_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["run", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "INSTANCE_POLL_INTERVAL (default 30s)" in text
    assert all(row.name in text for row in describe(Settings))


def test_without_a_command_the_usage_is_shown():
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
