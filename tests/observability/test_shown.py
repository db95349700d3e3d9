"""What the page on observability shows of other programs' settings: they take it, and it speaks of what there is."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents.pages import Page
from observability.expressions import ROOT, RULES
from toolbox.tools import tool

PAGE = Page(ROOT / "docs" / "observability.md")
MOUNTED = "manifests/kube-state-metrics/config.yaml"
ALERTS = {
    rule["alert"]: rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}


def shown(word: str) -> dict[str, Any]:
    """The block that begins with this word."""
    [code] = [fence.code for fence in PAGE.fences if fence.code.startswith(f"{word}:")]
    found: dict[str, Any] = yaml.safe_load(code)
    return found


@pytest.mark.tools
def test_prometheus_takes_the_scrape_configuration(tmp_path: Path):
    config = tmp_path / "prometheus.yml"
    block = shown("scrape_configs")
    [scrape] = block["scrape_configs"]
    # Debian builds Prometheus without Kubernetes' service discovery.
    assert scrape.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": ["novita-operator"]}}]
    config.write_text(yaml.safe_dump(block))
    done = subprocess.run([tool("promtool"), "check", "config", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scrape_configuration_keeps_what_the_service_monitor_finds():
    [scrape] = shown("scrape_configs")["scrape_configs"]
    monitor = yaml.safe_load((ROOT / "manifests" / "components" / "prometheus" / "servicemonitor.yaml").read_text())
    kept = {
        rule["source_labels"][0]: rule["regex"] for rule in scrape["relabel_configs"] if rule.get("action") == "keep"
    }
    [(label, value)] = monitor["spec"]["selector"]["matchLabels"].items()
    label_name = re.sub(r"\W", "_", label)
    [endpoint] = monitor["spec"]["endpoints"]
    assert kept == {
        f"__meta_kubernetes_pod_label_{label_name}": value,
        "__meta_kubernetes_pod_container_port_name": endpoint["port"],
    }
    assert scrape["honor_labels"] is endpoint["honorLabels"] is True


def test_the_inhibition_is_of_alerts_that_there_are_by_labels_that_they_bear():
    for rule in shown("inhibit_rules")["inhibit_rules"]:
        [source], [target] = (
            re.findall(r'^alertname=~"([\w|]+)"$', "\n".join(rule[side]), re.MULTILINE)
            for side in ("source_matchers", "target_matchers")
        )
        for name in f"{source}|{target}".split("|"):
            labels = re.search(r"\bby \(([\w, ]+)\)", ALERTS[name])
            assert labels
            assert {*rule["equal"]} <= {*labels[1].split(", ")}, name


def test_kube_state_metrics_is_told_of_the_file_that_is_mounted():
    [container] = shown("containers")["containers"]
    [mount] = container["volumeMounts"]
    assert container["args"] == [f"--custom-resource-state-config-file={mount['mountPath']}/{Path(MOUNTED).name}"]
    [volume] = shown("containers")["volumes"]
    assert f"kubectl create configmap {volume['configMap']['name']} -n monitoring --from-file={MOUNTED}\n" in PAGE.text
