"""What a stranger may see of an object, and how findings read."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from build import CLUSTER, MACHINE_ID, fleet, foreign, machine
from novita_operator.cluster.recorder import CONTROLLER
from novita_operator.support.checkup import is_too_old, parse_date
from novita_operator.support.findings import Finding, Verdict, is_well, table
from novita_operator.support.redacted import HIDDEN, event, machines, resource, scrubbed, scrubbed_json, secrets_of

SECRET = "hunter2"
BODY = {
    "metadata": {
        "namespace": "default",
        "name": "trainer",
        "labels": {"owner": SECRET},
        "annotations": {"gpu.novita.ai/paused": "true", "gpu.novita.ai/token": SECRET, "somebody/else": SECRET},
    },
    "spec": {
        "productName": "RTX 4090 24GB",
        "command": SECRET,
        "env": [{"name": "TOKEN", "value": SECRET}],
        "aFieldOfTomorrow": {"url": SECRET, "numbers": [1, {"name": "a", "deep": SECRET}]},
    },
    "status": {"state": "Running"},
}


def test_only_what_is_known_to_be_harmless_is_shown():
    assert resource(BODY) == {
        "metadata": {
            "namespace": "default",
            "name": "trainer",
            "annotations": {"gpu.novita.ai/paused": "true", "gpu.novita.ai/token": HIDDEN, "somebody/else": HIDDEN},
        },
        "spec": {
            "productName": "RTX 4090 24GB",
            "command": HIDDEN,
            "env": [{"name": "TOKEN", "value": HIDDEN}],
            "aFieldOfTomorrow": {"url": HIDDEN, "numbers": [1, {"name": "a", "deep": HIDDEN}]},
        },
        "status": {"state": "Running"},
    }


def test_an_object_that_nobody_has_looked_at_can_be_shown():
    bare = {"metadata": {"name": "trainer"}, "spec": {}}
    assert resource(bare) == {"metadata": {"name": "trainer", "annotations": {}}, "spec": {}, "status": None}


def test_what_is_hidden_in_the_spec_is_a_secret_wherever_it_turns_up_again():
    assert secrets_of([BODY, {"spec": {"env": [{"name": "A", "value": "on"}, {"name": "B"}]}}, {"spec": {}}]) == {
        SECRET
    }
    assert scrubbed(f"a {SECRET}!", {SECRET}) == f"a {HIDDEN}!"


def test_one_word_of_a_command_line_or_one_line_of_a_key_is_a_secret_too():
    spec = {"command": "serve --password=Tr0ub4dor", "env": [{"name": "KEY", "value": "-----BEGIN\nMIIEvQIBADAN\n"}]}
    assert secrets_of([{"spec": spec}]) >= {"serve --password=Tr0ub4dor", "--password=Tr0ub4dor", "MIIEvQIBADAN"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"metadata": {"name": "trainer"}}, id="no spec"),
        pytest.param({"metadata": {"name": "trainer"}, "spec": None}, id="an empty spec"),
        pytest.param({"metadata": {"name": "trainer"}, "spec": {"env": None}}, id="an empty environment"),
        pytest.param({"metadata": {"name": "trainer"}, "spec": {"env": {"TOKEN": SECRET}}}, id="another shape"),
        pytest.param({"metadata": {"name": "trainer"}, "spec": {"env": [{"value": 7}, SECRET]}}, id="other types"),
    ],
)
def test_an_object_under_a_crd_of_another_version_hides_as_much(body: dict[str, Any]):
    assert SECRET not in json.dumps(resource(body))
    assert secrets_of([body]) == ({SECRET} if SECRET in json.dumps(body) else set())


def test_what_others_say_of_a_resource_is_hidden_for_they_may_quote_it():
    said = {"type": "Warning", "reason": "PolicyViolation", "note": f"env[0].value is {SECRET}"}
    assert event({**said, "reportingController": "kyverno"}) == {**said, "note": HIDDEN}
    assert event({**said, "reportingController": CONTROLLER}) == said


@pytest.mark.parametrize("innocent", ["true", "null", "8080", '": "', "2019", "u2019", "    "])
def test_json_stays_json_whatever_the_values_of_environments_are(innocent: str):
    text = json.dumps({"ready": True, "none": None, "port": 8080, "note": "it\u2019s 2019"}, indent=4)
    assert json.loads(scrubbed_json(text, {innocent}))["ready"] is True


def test_of_two_secrets_one_inside_the_other_nothing_is_left_over():
    assert scrubbed("hunter2000", {"hunter2", "hunter2000"}) == HIDDEN


def test_a_secret_with_a_quote_is_found_inside_of_json():
    secret = 'pass"word\\1'
    assert "word" not in scrubbed(json.dumps({"note": f"with {secret}"}), {secret})
    nested = json.dumps({"note": json.dumps({"deep": secret}), "plain": secret})
    assert "word" not in scrubbed_json(nested, {secret})


def test_of_other_people_s_machines_only_id_and_state_are_shown():
    ours, theirs = machines(fleet(machine(error=SECRET), foreign()))
    assert ours["id"] == MACHINE_ID
    assert ours["mark"].startswith(f"{CLUSTER}/default/trainer/")
    assert SECRET not in json.dumps(ours)
    assert theirs == {"id": "f-1", "state": "running"}


@pytest.mark.parametrize(
    ("verdict", "well"),
    [(Verdict.OK, True), (Verdict.WARNING, True), (Verdict.FAILED, False), (Verdict.UNKNOWN, False)],
)
def test_what_could_not_be_looked_at_is_no_better_than_a_failure(verdict: Verdict, *, well: bool):
    assert is_well([Finding("CRD", Verdict.OK, "served"), Finding("rights", verdict, "")]) is well


def test_the_table_says_what_to_do_below_what_was_found():
    found = [Finding("CRD", Verdict.FAILED, "is not served", "apply it"), Finding("rights", Verdict.OK, "all")]
    assert table(found) == ("FAILED   CRD     is not served\n                 -> apply it\nok       rights  all\n")


@pytest.mark.parametrize(
    ("version", "old"),
    [("v1.31.9", True), ("v1.32.0", False), ("v1.36.2+k3s1", False), ("v2.0", False), ("dev", False)],
)
def test_a_cluster_that_cannot_serve_the_resource_is_told(version: str, *, old: bool):
    assert is_too_old(version) is old


@pytest.mark.parametrize("header", [None, "", "yesterday", "Tue, 01 Jan 99999999999 00:00:00 GMT"])
def test_a_date_that_cannot_be_read_is_none(header: str | None):
    assert parse_date(header) is None


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_a_date_header_is_in_utc(zone: str):
    assert parse_date(f"Sat, 21 Nov 2026 19:41:36 {zone}") == datetime(2026, 11, 21, 19, 41, 36, tzinfo=UTC)


def test_a_document_without_a_string_is_left_as_it_is():
    assert scrubbed_json("[]", {"secret"}) == "[]"
