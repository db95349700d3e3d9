"""A real Prometheus on loopback."""

import contextlib
import math
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import yaml

from controlplane.processes import Guard, Process
from observability.expressions import RULES
from toolbox.tools import tool

JOB, NAMESPACE = "novita-operator", "operators"
"""Labels of the targets, as a ServiceMonitor would set them."""
_PATIENCE = 20.0


class Sample(NamedTuple):
    labels: Mapping[str, str]
    value: float


class Prometheus:
    """Answers questions about what it has scraped so far."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=f"{url}/api/v1", trust_env=False)

    def is_up(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return self._http.get("/status/runtimeinfo").is_success
        return False

    def query(self, promql: str) -> list[Sample]:
        """The present values; AssertionError if Prometheus refuses the expression."""
        found = self._get("/query", query=promql)["result"]
        return [Sample(each["metric"], float(each["value"][1])) for each in found]

    def has_data(self, promql: str) -> bool:
        """Of its own: a zero that stands for nothing is none."""
        return any(not math.isnan(sample.value) for sample in self.query(promql.replace(" or vector(0)", "")))

    def highest(self, promql: str, since: float) -> float:
        """Of all series and all half seconds since then (Unix time); AssertionError if any of them has no answer."""
        found = self._get("/query_range", query=promql, start=str(since), end=str(time.time()), step="500ms")["result"]
        return max((float(value) for series in found for _, value in series["values"]), default=math.nan)

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with how its last evaluation went."""
        return [rule for group in self._get("/rules")["groups"] for rule in group["rules"]]

    def close(self) -> None:
        self._http.close()

    def _get(self, path: str, **query: str) -> Any:  # noqa: ANN401  JSON
        answer = self._http.get(path, params=query).json()
        assert answer["status"] == "success", f"{query}: {answer['error']}"
        return answer["data"]


@contextlib.contextmanager
def prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """One that scrapes these addresses (host:port), each at its interval, and evaluates our rules twice a second."""
    port, config = _free_port(), folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(_config(targets)))
    command = [
        str(tool("prometheus")),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    guard = Guard("prometheus of a test")
    process = Process(command, folder / "prometheus.log", guard)
    monitor = Prometheus(f"http://127.0.0.1:{port}")
    try:
        process.wait_until(monitor.is_up, "it answers", _PATIENCE)
        yield monitor
    finally:
        monitor.close()
        process.stop()
        guard.close()


def _config(targets: Mapping[str, str]) -> dict[str, Any]:
    own = {"namespace": NAMESPACE}
    static = [
        {"targets": [target], "labels": {**own, "pod": f"pod-of-{target}", "__scrape_interval__": interval}}
        for target, interval in targets.items()
    ]
    return {
        "global": {"scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": JOB, "honor_labels": True, "static_configs": static}],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
