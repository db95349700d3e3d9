"""The alerts: promtool understands and tries each, each has a runbook, and their words are the code's."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from novita_operator.cloud.errors import CloudError
from novita_operator.decision.conditions import readiness
from novita_operator.model.reasons import NEEDS_PEOPLE, NOT_OF_READY, Reason
from observability.expressions import ROOT, RULES
from toolbox.tools import tool

CASES = Path(__file__).with_name("alerts_test.yaml")
HOME = "https://github.com/novita-gpu-operator/novita-gpu-operator/blob/main"
RUNBOOKS = {path.stem: path for path in (ROOT / "docs" / "runbooks").glob("Novita*.md")}
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
LOGGED = {
    message
    for path in (ROOT / "operator" / "novita_operator").rglob("*.py")
    for message in re.findall(r'\b_?log(?:ger)?\.(?:warning|error|exception)\(\s*"([^"]+)"', path.read_text())
}

alerts = pytest.mark.parametrize("name", ALERTS)


def promtool(*arguments: str) -> None:
    done = subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.tools
def test_promtool_understands_the_rules():
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


@pytest.mark.tools
def test_each_alert_fires_when_it_should_and_not_when_it_should_not():
    promtool("test", "rules", str(CASES))


@alerts
def test_an_alert_is_tried_both_ways(name: str):
    fires, rests = False, False
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for check in case.get("alert_rule_test", ()):
            fires |= check["alertname"] == name and bool(check["exp_alerts"])
        for check in case.get("promql_expr_test", ()):
            if re.search(rf'alertname="{name}"(, alertstate="firing")?\}}', check["expr"]):
                fires |= bool(check["exp_samples"])
                rests |= not check["exp_samples"]
    assert (fires, rests) == (True, True)


@alerts
def test_an_alert_says_what_how_bad_and_where_to_read_on(name: str):
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert {*rule["annotations"]} == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{HOME}/docs/runbooks/{name}.md"
    assert rule["for"]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert {*RUNBOOKS} == {*ALERTS}


@alerts
def test_a_runbook_says_what_it_means_what_to_look_at_and_what_to_do(name: str):
    page = RUNBOOKS[name].read_text()
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["What it means", "What to look at", "What to do"]


def test_the_runbooks_tell_what_to_do_for_each_reason_to_be_stalled_and_of_no_reason_that_is_not():
    assert _reasons("NovitaInstanceStalled") == NEEDS_PEOPLE
    no_deadline = {reason for reason in Reason if readiness(reason) == "True"} | {Reason.PAUSED, Reason.BRAKED}
    assert _reasons("NovitaInstanceNotReady") == {*Reason} - NEEDS_PEOPLE - NOT_OF_READY - no_deadline


@alerts
def test_what_a_runbook_tells_to_look_for_in_the_log_is_logged(name: str):
    page = RUNBOOKS[name].read_text()
    words = re.findall(r"^kubectl logs .* \| grep -F '([^']+)'", page, re.MULTILINE)
    assert len(words) == page.count("grep")
    assert [each for each in words if not any(each in message for message in LOGGED)] == []


def test_reconcile_errors_leave_out_exactly_what_novita_answers():
    assert _matched("NovitaReconcileErrors", r'error!~"([^"]+)"') == _leaves(CloudError)


def test_the_error_rate_counts_outcomes_that_there_are():
    assert _matched("NovitaErrorRateHigh", r'outcome=~"([^"]+)"') < _leaves(CloudError)


def _reasons(name: str) -> set[str]:
    """Those in the first column of the runbook's table."""
    rows = re.findall(r"^\| (`.+?`) \|", RUNBOOKS[name].read_text(), re.MULTILINE)
    return {reason for row in rows for reason in re.findall(r"`(\w+)`", row)}


def _matched(name: str, pattern: str) -> set[str]:
    found = re.search(pattern, ALERTS[name]["expr"])
    assert found
    return {*found[1].split("|")}


def _leaves(error: type[CloudError]) -> set[str]:
    """Names of what is raised: the classes that say what to do next."""
    own = {error.__name__} if error.__name__ not in {"CloudError", "NotDone"} else set()
    return own.union(*(_leaves(each) for each in error.__subclasses__()))
