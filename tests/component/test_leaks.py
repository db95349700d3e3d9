"""No secret comes out of a run, however talkative it is made; and the search that says so finds what is planted."""

import json
from collections.abc import Callable

import pytest

from component.operator_fixtures import SECRET, StartOperator
from controlplane.plane import ControlPlane
from leaks import check_cluster
from novita_simulator.client import Simulator
from stage import KEY, Cluster, OperatorProcess, eventually

pytestmark = pytest.mark.server

ECHO = f"env {SECRET} is bad, and so is key {KEY}"
"""What Novita may well answer: it is fond of repeating what it was sent."""


def test_nothing_comes_out_though_novita_repeats_it_and_everything_is_logged(
    cluster: Cluster, novita: Simulator, start_operator: StartOperator
) -> None:
    """Refused, uncertain, crashed, poisoned: what is searched is the log, what is served, and the cluster."""
    operator = start_operator("--log-level", "debug")
    env = [{"name": "TOKEN", "value": SECRET}]
    for kind in ("status_before", "status_after"):
        for status in (400, 500):
            novita.fault(
                kind, "create", name=f"-{kind[7]}{status}", status=status, reason="VALIDATOR_PARAM", message=ECHO
            )
            cluster.apply(f"worker-{kind[7]}{status}", env=env)
    cluster.apply("poisoned", env=env, image="docker.io/acme/worker\N{NO-BREAK SPACE}")
    cluster.apply("crashing", env=env)
    cluster.wait_reason("worker-b400", "Refused")
    cluster.wait("crashing", "Ready")
    machine = cluster.status("crashing")["instanceId"]
    novita.fault("status_before", "start", status=400, reason="VALIDATOR_PARAM", message=ECHO, times=None)
    novita.crash(machine, state="oom", message=ECHO)
    cluster.wait_reason("crashing", "Refused")
    novita.fault("status_before", "list", status=400, reason="SOMETHING_NEW", message=ECHO, times=6)
    eventually(lambda: operator.metric("novita_fleet_polls_total", result="Unknown") >= 1, "a list failed")
    eventually(lambda: "poisoned cannot be understood" in operator.lines, "the poisoned one was seen")
    assert "[redacted]" in json.dumps(cluster.condition("worker-b400"))


def test_a_secret_that_is_planted_in_what_a_process_shows_is_found(running_operator: OperatorProcess) -> None:
    running_operator.check_secrets()
    running_operator.pages["/metrics"] = f'novita_x{{token="{KEY}"}} 1'
    with pytest.raises(AssertionError, match="/metrics shows"):
        running_operator.check_secrets()
    with running_operator.log.open("a") as log:
        log.write(json.dumps({"message": f"launched with {SECRET}"}))
    with pytest.raises(AssertionError, match="the log shows"):
        running_operator.check_secrets()
    running_operator.process.kill()
    running_operator.process.wait()
    running_operator.log.write_text("")
    running_operator.pages.clear()


def in_status(cluster: Cluster) -> None:
    cluster.patch("trainer", {"status": {"machineName": SECRET}}, "--subresource=status")


def in_annotation(cluster: Cluster) -> None:
    cluster.kubectl("annotate", "gpui", "trainer", f"gpu.novita.ai/claim={SECRET}")


def in_event(cluster: Cluster) -> None:
    cluster.kubectl(
        "create",
        "-f",
        "-",
        input=json.dumps(
            {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": "trainer.1"},
                "eventTime": "2026-11-21T12:00:00.000000Z",
                "reportingController": "test",
                "reportingInstance": "test",
                "regarding": {"kind": "GpuInstance", "name": "trainer", "namespace": cluster.namespace},
                "type": "Normal",
                "reason": "Launched",
                "action": "Launch",
                "note": f"with {SECRET}",
            }
        ),
    )


def in_config_map(cluster: Cluster) -> None:
    cluster.kubectl("create", "configmap", "retained", f"--from-literal=m-1={SECRET}")


@pytest.mark.parametrize("plant", [in_status, in_annotation, in_event, in_config_map])
def test_a_secret_that_is_planted_in_the_cluster_is_found(
    plane: ControlPlane, cluster: Cluster, plant: Callable[[Cluster], None]
) -> None:
    cluster.apply("trainer", env=[{"name": "TOKEN", "value": SECRET}])
    check_cluster(plane.kubeconfig)
    plant(cluster)
    with pytest.raises(AssertionError, match="shows a value of an environment"):
        check_cluster(plane.kubeconfig)
    cluster.kubectl("delete", "gpui,events.v1.events.k8s.io,configmaps", "--all")
