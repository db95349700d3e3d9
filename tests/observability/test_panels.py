"""What panels show while two processes tell of the same, of two installations, and where there is nothing."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from observability.expressions import expressions
from observability.test_alerts import promtool

pytestmark = pytest.mark.tools

TOLD: Mapping[str, float] = {
    'novita_gpu_instance_info{%s, gpuinstance="trainer", product="4090", region="a", billing_mode="Spot"}': 1,
    'novita_gpu_instance_hourly_price_dollars{%s, gpuinstance="trainer"}': 36,
    'novita_gpu_instance_ready{%s, gpuinstance="trainer"}': 0,
    'novita_gpu_instance_ready_deadline_timestamp_seconds{%s, gpuinstance="trainer"}': 540,
    'novita_gpu_instance_stalled{%s, gpuinstance="trainer"}': 1,
    'novita_gpu_instance_unreadable{%s, gpuinstance="poisoned"}': 1,
    "novita_operator_orphans{%s}": 1,
    "novita_operator_retained{%s}": 1,
    'novita_fleet_machines{%s, owner="foreign"}': 7,
    'novita_api_breaker_open{%s, operation_class="create"}': 1,
}
OVERLAP = (
    'namespace="team", job="novita", instance="old", state="Starting", reason="Starting"',
    'namespace="team", job="novita", instance="new", state="Running", reason="Retrying"',
)
"""For a scrape: what the old leader and the new one say of themselves, and last knew of the resource."""
SUMS: Mapping[tuple[str, str], list[float]] = {
    ("fleet", "Resources"): [1],
    ("fleet", "As wanted"): [0],
    ("fleet", "Late"): [1],
    ("fleet", "Stalled"): [1],
    ("fleet", "Cost per hour"): [36],
    ("fleet", "Cost of a month"): [730 * 36],
    ("fleet", "Spent"): [1.2],
    ("fleet", "Orphans"): [1],
    ("fleet", "Cost per hour by namespace"): [36],
    ("fleet", "Cost per hour by product"): [36],
    ("fleet", "By region"): [36],
    ("fleet", "By billing"): [36],
    ("fleet", "Dearest"): [36],
    ("fleet", "By state"): [1],
    ("fleet", "Not as wanted"): [1],
    ("fleet", "Late by"): [60],
    ("fleet", "Whose they are"): [7],
    ("fleet", "Without a resource"): [1, 1],
    ("fleet", "Left alone"): [1],
    ("operator", "Cannot be understood"): [1],
    ("novita", "Resting"): [1],
    ("novita", "Machines"): [7],
}
"""Of the series of each expression of a panel."""


def test_a_panel_takes_each_thing_once_while_two_processes_tell_of_it(tmp_path: Path):
    series = {name % process: value for process in OVERLAP for name, value in TOLD.items()}
    expected = [
        (f"round(sum({promql}), 0.1)", value)
        for panel, values in SUMS.items()
        for promql, value in zip(asked(*panel), values, strict=True)
    ]
    ask(tmp_path, series, expected)


def test_two_healthy_installations_stand_side_by_side(tmp_path: Path):
    installations = ('namespace="one", job="novita"', 'namespace="two", job="novita"')
    told = {"novita_operator_leader{%s}": 1, 'novita_fleet_machines{%s, owner="foreign"}': 7}
    series = {name % labels: value for labels in installations for name, value in told.items()}
    panels = {("operator", "Acting"): 1, ("fleet", "Whose they are"): 7, ("novita", "Machines"): 7}
    ask(tmp_path, series, [(f"count({asked(*panel)[0]} == {value})", 2) for panel, value in panels.items()])


def test_no_machine_costs_nothing(tmp_path: Path):
    costs = ("Cost per hour", "Cost of a month", "Spent")
    ask(tmp_path, {}, [(promql, 0) for title in costs for promql in asked("fleet", title)])


def asked(board: str, where: str) -> list[str]:
    return [each.promql for each in expressions() if (each.board, each.where) == (board, where)]


def ask(folder: Path, series: Mapping[str, float], expected: Iterable[tuple[str, float]]) -> None:
    """AssertionError unless each expression is that one number ten minutes after these series have begun."""
    case = {
        "interval": "30s",
        "input_series": [{"series": name, "values": f"{value}x20"} for name, value in series.items()],
        "promql_expr_test": [
            {"expr": promql, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": value}]}
            for promql, value in expected
        ],
    }
    file = folder / "panels_test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "30s", "tests": [case]}))
    promtool("test", "rules", str(file))
