"""Words that the documents name exist, and no word that people may meet is left without advice."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from documents.pages import PAGES, ROOT, Page
from novita_operator.cloud import errors as cloud_errors
from novita_operator.cluster import errors as cluster_errors
from novita_operator.control import gauges
from novita_operator.metrics import REGISTRY
from novita_operator.model.crd import crd
from novita_operator.model.environ import describe
from novita_operator.model.naming import MARK_ENV
from novita_operator.model.reasons import ConditionType, Incident, Reason, State, Told
from novita_operator.settings import PREFIX, OrphanPolicy, Settings

NODE = ROOT / "docs" / "from-the-node-service.md"
TROUBLESHOOTING = next(page for page in PAGES if page.name == "docs/troubleshooting.md")
FOR_USERS = [
    page
    for page in PAGES
    if page.name.startswith(("docs/guides/", "docs/runbooks/"))
    or page.name in {"README.md", "docs/quickstart.md", "docs/concepts.md", "docs/troubleshooting.md"}
]

THEIR_SETTINGS = {
    "INSTANCE_STARTUP_MAX_WAIT_TIME",
    "NOVITA_API_CACHE_TTL",
    "NOVITA_INTERNAL_API_",
}
"""The Node service's own."""
OTHERS_WORDS = {"ConfigMap", "Deployment", "GpuInstance", "Lease", "Secret", "ServiceMonitor", "PrometheusRule"}
"""Kinds of Kubernetes and its neighbours."""

_SETTING = re.compile(r"\b(?:NOVITA|INSTANCE|DEFAULT)_[A-Z_]+\b")
_METRIC = re.compile(r"\bnovita_(?:api|fleet|gpu|operator)_[a-z_]+\b(?![./])")
_WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
_FIELD = re.compile(r"(?<![\w/])(spec|status)((?:\.[A-Za-z]+)+)")
_COMMAND = re.compile(r"(?:^|-- )novita-operator ([a-z-]+)", re.MULTILINE)
_LOOKED_FOR = re.compile(r"grep -F '([^']+)'")
_SERIES = re.compile(r"_(bucket|count|sum)$")


def settings() -> set[str]:
    return {row.name for row in describe(Settings)} | {MARK_ENV, PREFIX}


def metrics() -> set[str]:
    families = [*REGISTRY.collect(), *gauges.families()]
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def words() -> set[str]:
    """Every word in capitals that status, Events, the spec's closed sets and labels of metrics may hold."""
    told = {str(word) for words in (Reason, State, ConditionType, Incident, OrphanPolicy) for word in words}
    outcomes = {name for errors in (cloud_errors, cluster_errors) for name in vars(errors) if _WORD.fullmatch(name)}
    return told | outcomes | set(_enums(_schema())) | OTHERS_WORDS


def _schema() -> dict[str, object]:
    schema: dict[str, object] = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _enums(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        enum = node.get("enum")
        yield from enum if isinstance(enum, list) else ()
        for child in node.values():
            yield from _enums(child)


def fields(node: object, path: str = "") -> Iterator[str]:
    """Every path below the schema, lists passed through."""
    if isinstance(node, dict):
        for name, child in node.get("properties", {}).items():
            yield f"{path}.{name}".lstrip(".")
            yield from fields(child.get("items", child), f"{path}.{name}")


def code_of(page: Page) -> str:
    return "\n".join([*page.code, *(fence.code for fence in page.fences)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_named_exists(page: Page):
    named = set(_SETTING.findall(code_of(page)))
    assert named - settings() - (THEIR_SETTINGS if page.path == NODE else set()) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_metric_that_is_named_exists(page: Page):
    named = {_SERIES.sub("", name) for name in _METRIC.findall(code_of(page))}
    assert named - metrics() == set()


@pytest.mark.parametrize("page", FOR_USERS, ids=lambda page: page.name)
def test_every_reason_state_and_condition_that_is_named_exists(page: Page):
    named = {code for code in page.code if _WORD.fullmatch(code)}
    assert named - words() == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_field_of_spec_and_status_that_is_named_exists(page: Page):
    known = set(fields(_schema()))
    named = {"".join(found) for code in page.code for found in _FIELD.findall(code)}
    assert named - known == set()


def test_every_command_of_ours_that_is_named_exists():
    named = {name for page in PAGES for name in _COMMAND.findall(code_of(page))}
    for name in named:
        command = [sys.executable, "-m", "novita_operator", name, "--help"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0, name
    assert {"run", "orphans"} <= named


def test_what_is_looked_for_in_the_log_is_logged():
    code = "\n".join(path.read_text() for path in (ROOT / "operator" / "novita_operator").rglob("*.py"))
    looked_for = {text for page in PAGES for text in _LOOKED_FOR.findall(code_of(page))}
    assert looked_for
    assert {text for text in looked_for if text not in code} == set()


def test_no_field_of_the_spec_is_without_a_guide():
    guides = "\n".join(code_of(page) for page in PAGES if page.name.startswith("docs/guides/"))
    told = {name.rpartition(".")[2] for name in fields(_schema()) if name.startswith("spec.")}
    assert {name for name in told if not re.search(rf"\b{name}\b", guides)} == set()


@pytest.mark.parametrize("word", [*State, *ConditionType, *Reason, *Incident], ids=repr)
def test_every_word_bears_its_meaning(word: Told):
    assert word.meaning.endswith(".")


def test_no_reason_is_without_advice():
    advised = [row[0].strip("`") for row in TROUBLESHOOTING.rows("By reason")]
    assert advised == [*map(str, Reason), *map(str, Incident)]


def test_no_condition_is_without_advice():
    assert [row[0].strip("`") for row in TROUBLESHOOTING.rows("By condition")] == [*map(str, ConditionType)]


def test_advice_says_something():
    rows = TROUBLESHOOTING.rows("By reason") + TROUBLESHOOTING.rows("By condition")
    assert [row[0] for row in rows if not row[1]] == []


def test_the_settings_of_others_are_named_somewhere():
    named = set(_SETTING.findall(code_of(next(page for page in PAGES if page.path == NODE))))
    assert THEIR_SETTINGS - named == set(), "remove what no page names"
