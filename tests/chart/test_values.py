"""Values: each is documented and does something; what is unknown or wrong is refused before anything is rendered."""

import copy
import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from chart.helm import CHART, CI, Helm, Object, load
from chart_values import UndocumentedError, Value, readme, values

pytestmark = pytest.mark.tools

REFUSED: dict[str, tuple[Object, str]] = {
    "unknown": ({"replicas": 3}, "'replicas' not allowed"),
    "unknown below": ({"image": {"name": "mine"}}, "'name' not allowed"),
    "of another type": ({"replicaCount": "two"}, "'/replicaCount': got string, want integer"),
    "a list that is none": ({"watchNamespaces": "team-a"}, "'/watchNamespaces': got string, want array"),
    "too small": ({"replicaCount": -1}, "'/replicaCount': minimum: got -1, want 0"),
    "none of the choices": ({"scope": "Everywhere"}, "'/scope': value must be one of 'Cluster', 'Namespace'"),
    "render mode": ({"serviceMonitor": {"renderMode": "maybe"}}, "must be one of 'skipIfMissing', 'failIfMissing'"),
    "no Secret": ({"credentials": {"existingSecret": ""}}, "'/credentials/existingSecret': minLength"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "'/image/digest'"),
    "label that is no text": ({"commonLabels": {"team": 1}}, "'/commonLabels/team': got number, want string"),
    "unknown setting": ({"settings": {"POLL_INTERVAL": "1m"}}, "'POLL_INTERVAL' not allowed"),
    "setting that is no duration": ({"settings": {"INSTANCE_POLL_INTERVAL": "soon"}}, "'/settings/INSTANCE_POLL_INT"),
    "setting that is no choice": ({"settings": {"NOVITA_OPERATOR_ORPHAN_POLICY": "Keep"}}, "'Report', 'Delete'"),
    "another port": ({"settings": {"NOVITA_OPERATOR_HTTP_ADDRESS": ":9000"}}, "/NOVITA_OPERATOR_HTTP_ADDRESS'"),
    "the key as a setting": ({"settings": {"NOVITA_API_KEY": "sk_of_mine"}}, "'NOVITA_API_KEY' not allowed"),
    "no cluster id": ({"scope": "Namespace"}, "scope Namespace needs clusterId"),
    "namespaces of the whole cluster": ({"watchNamespaces": ["a"]}, "watchNamespaces is for scope Namespace"),
    "rights for every pod": ({"serviceAccount": {"create": False}}, "set serviceAccount.name to an account"),
    "an alert that is none": (
        {"prometheusRule": {"disabledAlerts": ["NovitaDown"]}},
        "/prometheusRule/disabledAlerts/0",
    ),
    "a group taken away": ({"log": None}, "missing property 'log'"),
    "a word taken away": ({"log": {"level": None}}, "'/log': missing property 'level'"),
    "two that act": ({"leaderElection": {"enabled": False}}, "only one operator may run: set replicaCount to 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_value_is_refused_and_the_message_names_it(helm: Helm, case: str):
    wrong, message = REFUSED[case]
    said = helm.refusal(wrong)
    assert message in said
    assert "sk_of_mine" not in said


def test_every_list_and_mapping_may_be_taken_away(helm: Helm):
    given: Object = {kind: {"enabled": True} for kind in ("dashboards", "networkPolicy")}
    given |= {kind: {"enabled": True, "renderMode": "alwaysRender"} for kind in ("serviceMonitor", "prometheusRule")}
    for value in values((CHART / "values.yaml").read_text()):
        if isinstance(value.default, dict | list):
            group = functools.reduce(lambda group, name: group.setdefault(name, {}), value.path[:-1], given)
            group[value.path[-1]] = None
    assert helm.render(given)


def test_values_of_a_parent_chart_are_let_pass(helm: Helm):
    assert helm.render({"global": {"imageRegistry": "registry.example"}, "enabled": True})


@pytest.mark.parametrize("path", CI, ids=lambda path: path.stem)
def test_the_chart_is_linted_without_a_word(helm: Helm, path: object):
    said = helm.run("lint", "--strict", str(CHART), f"--values={path}").stdout
    assert "[WARNING]" not in said


def test_every_value_is_set_in_some_file_of_ci_and_changes_what_is_rendered(helm4: Helm):
    """Each file of ci/ is rendered with one of its values put back to the default, for all of its values."""
    every = [value.path for value in values((CHART / "values.yaml").read_text())]
    used = set()
    with ThreadPoolExecutor(2) as pool:
        for given in map(load, CI):
            whole = rendered(helm4, given)
            cases = {path: less for path in every if (less := without(given, path))}
            less_one = pool.map(lambda less: rendered(helm4, less), cases.values())
            used |= {path for path, text in zip(cases, less_one, strict=True) if text != whole}
    assert set(every) - used == set()


def without(given: Object, path: Sequence[str]) -> Object | None:
    """The values less this one; None where it is not given."""
    *above, last = path
    less = copy.deepcopy(given)
    group: Object = less
    for name in above:
        group = group.get(name, {})
    return less if group.pop(last, None) is not None else None


def rendered(helm: Helm, given: Object) -> str:
    """What comes of the values, be it a refusal."""
    return helm.run("template", str(CHART), "--namespace=ours", values=given, check=False).stdout


def test_a_value_without_a_comment_is_an_error():
    with pytest.raises(UndocumentedError, match=r"log\.level"):
        list(values("log:\n  level: info\n"))


def test_a_comment_is_the_manual_and_its_schema_adds_to_what_the_default_says():
    told = list(values("# How many.\n# At least one.\n# @schema {minimum: 1}\nreplicas: 2\n"))
    assert told == [Value(("replicas",), "How many. At least one.", 2, {"type": "integer", "minimum": 1})]


def test_a_mapping_with_a_schema_is_one_value_and_without_one_a_group():
    told = list(values("# A.\n# @schema {type: object}\na: {b: 1}\nc:\n  # D.\n  d: true\n"))
    assert [(value.path, value.default) for value in told] == [(("a",), {"b": 1}), (("c", "d"), True)]


def test_the_table_stands_between_its_marks_and_the_rest_of_the_page_is_left():
    page = readme((CHART / "README.md").read_text(), "# On | off.\non: true\n")
    assert "| `on` | `true` | On \\| off. |\n" in page
    assert page.startswith("# novita-operator\n")
    assert readme(page, (CHART / "values.yaml").read_text()) == (CHART / "README.md").read_text()
