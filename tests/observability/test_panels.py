"""At a change of leader two processes tell of the same things for a scrape: every panel takes each of them once."""

from pathlib import Path

import pytest
import yaml

from observability.expressions import expressions
from observability.test_alerts import promtool

TOLD = {
    'novita_gpu_instance_info{%s, gpuinstance="trainer", product="4090", region="a", billing_mode="Spot"}': 1,
    'novita_gpu_instance_hourly_price_dollars{%s, gpuinstance="trainer"}': 36,
    'novita_gpu_instance_ready{%s, gpuinstance="trainer"}': 0,
    'novita_gpu_instance_ready_deadline_timestamp_seconds{%s, gpuinstance="trainer"}': 540,
    'novita_gpu_instance_stalled{%s, gpuinstance="trainer"}': 1,
    'novita_gpu_instance_unreadable{%s, gpuinstance="poisoned"}': 1,
    "novita_operator_orphans{%s}": 1,
    "novita_operator_retained{%s}": 1,
    'novita_api_breaker_open{%s, operation_class="create"}': 1,
}
PROCESSES = (
    'namespace="team", job="novita", instance="old", state="Starting", reason="Starting"',
    'namespace="team", job="novita", instance="new", state="Running", reason="Retrying"',
)
"""What each says of itself, and last knew of the resource."""
SUMS: dict[tuple[str, str], list[float]] = {
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
    ("fleet", "Without a resource"): [1, 1],
    ("fleet", "Left alone"): [1],
    ("operator", "Cannot be understood"): [1],
    ("novita", "Resting"): [1],
}
"""Of the series of each expression of a panel."""


@pytest.mark.tools
def test_a_panel_takes_each_thing_once_while_two_processes_tell_of_it(tmp_path: Path):
    asked: dict[tuple[str, str], list[str]] = {}
    for each in expressions():
        asked.setdefault((each.board, each.where), []).append(each.promql)
    checks = [
        {"expr": f"round(sum({promql}), 0.1)", "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": value}]}
        for panel, values in SUMS.items()
        for promql, value in zip(asked[panel], values, strict=True)
    ]
    series = [
        {"series": name % process, "values": f"{value}x20"} for process in PROCESSES for name, value in TOLD.items()
    ]
    case = {"interval": "30s", "input_series": series, "promql_expr_test": checks}
    file = tmp_path / "overlap_test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "30s", "tests": [case]}))
    promtool("test", "rules", str(file))
