"""Prints every generated file from the one place that knows: models, metrics, settings, rights, values, scripts.

`python docs/generate.py` writes them, `--check` only names those that are stale (exit code 1).
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

import chart_values
from argocd_cm import argocd_cm
from boards import fleet, health, novita
from novita_operator import metrics
from novita_operator.cluster import rights
from novita_operator.control import gauges
from novita_operator.model.crd import crd_yaml
from novita_operator.model.environ import describe
from novita_operator.settings import Settings
from resource_pages import conditions, events, resource
from tables import page, table

ROOT = Path(__file__).parents[1]
ARGOCD = ROOT / "manifests" / "argocd"
CHART = "helm/novita-operator"
DASHBOARDS = (f"{CHART}/files/dashboards", "manifests/components/grafana")
FIRST_VALUES = ROOT / "helm" / "released" / "v0.1.0.yaml"
RULES = ROOT / CHART / "files" / "rules.yaml"
BOARDS = {"fleet": fleet, "operator": health, "novita": novita}


def main(argv: Sequence[str] | None = None) -> int:
    """Write or compare; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="repository (default: this one)")
    arguments = parser.parse_args(argv)
    stale = [(path, text) for path, text in pages().items() if not _holds(arguments.root / path, text)]
    for path, text in stale:
        if arguments.check:
            sys.stderr.write(f"{path} is stale: run make generate\n")
        else:
            (arguments.root / path).parent.mkdir(parents=True, exist_ok=True)
            (arguments.root / path).write_text(text)
    return 1 if arguments.check and stale else 0


def pages() -> dict[str, str]:
    """The text of every generated file, by its path in the repository."""
    return {
        "crds/gpu.novita.ai_gpuinstances.yaml": crd_yaml(),
        "docs/reference/conditions.md": conditions(),
        "docs/reference/events.md": events(),
        "docs/reference/gpuinstance.md": resource(),
        "docs/reference/metrics.md": _metrics(),
        "docs/reference/settings.md": _settings(),
        "manifests/argocd/argocd-cm.yaml": argocd_cm(ARGOCD / "resource_customizations"),
        "manifests/crds/gpu.novita.ai_gpuinstances.yaml": crd_yaml(),
        "manifests/cluster-install/rbac_users.yaml": rights.people_yaml(),
        **{f"manifests/{part}/rbac.yaml": text for part, text in rights.parts().items()},
        "manifests/components/prometheus/prometheusrule.yaml": _prometheus_rule(),
        **{f"{folder}/{name}.json": board.board() for name, board in BOARDS.items() for folder in DASHBOARDS},
        **_chart(),
    }


def _chart() -> dict[str, str]:
    values = (ROOT / CHART / "values.yaml").read_text()
    alerts = [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    return {
        f"{CHART}/README.md": chart_values.readme((ROOT / CHART / "README.md").read_text(), values),
        f"{CHART}/files/crd.yaml": crd_yaml(),
        f"{CHART}/files/rights.yaml": rights.rules_yaml(),
        f"{CHART}/values.schema.json": chart_values.schema_json(values, FIRST_VALUES.read_text(), alerts),
    }


def _prometheus_rule() -> str:
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": rights.NAME},
        "spec": yaml.safe_load(RULES.read_text()),
    }
    return yaml.safe_dump(rule, sort_keys=False, width=120)


def _settings() -> str:
    rows = [(f"`{name}`", f"`{default}`" if default else "", text) for name, default, text in describe(Settings)]
    return page(
        "Settings",
        "novita_operator/settings.py",
        "Environment variables of `novita-operator run`. A duration is a number of seconds (`30`) or bears its unit "
        "(`500ms`, `30s`, `5m`, `1h`). An empty value counts as not set.\n"
        "A wrong value, or an unknown name that begins with `NOVITA_OPERATOR_`, stops the start with exit code 2.",
        table(("name", "default", "meaning"), rows),
    )


def _metrics() -> str:
    rows = [*_counted(), *(_row(family, _label_names(family)) for family in gauges.families())]
    return page(
        "Metrics",
        "novita_operator/metrics.py and novita_operator/control/gauges.py",
        "Served at `/metrics`. What is about one resource is read from memory at the scrape, so a deleted resource "
        "leaves no series behind, and only the process that acts tells of it.\n"
        "Boards and alerts: [Observability](../observability.md).",
        table(("name", "type", "labels", "meaning"), sorted(rows)),
    )


def _counted() -> Iterator[tuple[str, ...]]:
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            for family in metric.describe():
                yield _row(family, _label_names(metric))


def _row(family: Metric, labels: Iterable[str]) -> tuple[str, ...]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation


def _label_names(owner: object) -> Sequence[str]:
    # prometheus_client has no public way to ask for them.
    names: Sequence[str] = getattr(owner, "_labelnames", ())
    return names


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
