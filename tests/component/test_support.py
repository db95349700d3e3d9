"""`novita-operator check` and `support-bundle`: they tell what is wrong, cost nothing, and show no secret."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from component.operator_fixtures import SECRET
from controlplane.plane import ControlPlane
from leaks import FED
from novita_simulator.client import Simulator
from stage import BRISK, KEY, Cluster, eventually, install_account, install_crd, operator

pytestmark = pytest.mark.server

COMMAND = str(Path(sys.executable).parent / "novita-operator")
PASSWORD = FED.feed("a password in a command line", "--password=Tr0ub4dor-and-3")


def answer(
    kubeconfig: Path, novita: Simulator, home: str, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[bytes]:
    environment = {
        **BRISK,
        "KUBECONFIG": str(kubeconfig),
        "NOVITA_API_KEY": KEY,
        "NOVITA_API_BASE_URL": novita.url,
        "NOVITA_OPERATOR_NAMESPACE": home,
        **settings,
    }
    told = subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, check=False)
    FED.check(arguments[0], told.stderr.decode())
    return told


def verdicts(told: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    """By subject; two spaces end it."""
    FED.check("the table", told.stdout.decode())
    lines = [line for line in told.stdout.decode().splitlines() if not line.startswith(" ")]
    return {line[9:].split("  ")[0].strip(): line.split()[0] for line in lines}


@pytest.fixture
def account(plane: ControlPlane, home: str, crd: None) -> Path:  # noqa: ARG001  it must be served
    return install_account(plane, home)


WELL = dict.fromkeys(("Kubernetes API", "cluster id", "CRD", "rights", "Novita API", "API key"), "ok")


def test_where_an_operator_can_work_all_is_well_and_nothing_was_done_to_find_out(
    account: Path, novita: Simulator, home: str
) -> None:
    told = answer(account, novita, home, "check")
    assert (told.returncode, verdicts(told)) == (0, WELL)
    assert {asked.operation for asked in novita.journal()} <= {"list", "clusters"}


@pytest.mark.usefixtures("crd")
def test_rights_in_listed_namespaces_are_enough_for_them_and_for_no_other(
    plane: ControlPlane, namespace: str, home: str, novita: Simulator
) -> None:
    narrow = install_account(plane, home, watched=(namespace,))
    told = answer(narrow, novita, home, "check", "--namespace", namespace)
    assert (told.returncode, verdicts(told)) == (0, WELL)
    told = answer(narrow, novita, home, "check")
    assert (told.returncode, verdicts(told)) == (1, WELL | {"rights": "FAILED"})
    assert b"whoever runs this may not: get gpuinstances; list gpuinstances; watch gpuinstances" in told.stdout


@pytest.mark.usefixtures("crd")
def test_whose_cluster_id_is_given_needs_no_right_beyond_its_namespaces(
    plane: ControlPlane, namespace: str, home: str, novita: Simulator
) -> None:
    roles = install_account(plane, home, watched=(namespace,))
    plane.kubectl("delete", "clusterrolebinding", f"operator-{home}")
    asked = ("check", "--namespace", namespace)
    told = answer(roles, novita, home, *asked, NOVITA_OPERATOR_CLUSTER_ID="production-team-a")
    assert (told.returncode, verdicts(told)) == (0, WELL | {"cluster id": "warning"})
    told = answer(roles, novita, home, *asked)
    assert verdicts(told)["rights"] == "FAILED"


def test_a_key_that_novita_does_not_accept_is_told_from_a_novita_that_does_not_answer(
    account: Path, novita: Simulator, home: str
) -> None:
    wrong = FED.feed("a wrong key", "sk_wrong_and_not_to_be_shown")
    told = answer(account, novita, home, "check", NOVITA_API_KEY=wrong)
    assert (told.returncode, verdicts(told)) == (1, WELL | {"API key": "FAILED"})
    told = answer(account, novita, home, "check", NOVITA_API_BASE_URL="http://127.0.0.1:9")
    without_key = {subject: verdict for subject, verdict in WELL.items() if subject != "API key"}
    assert (told.returncode, verdicts(told)) == (1, without_key | {"Novita API": "unknown"})
    assert b"-> Look at NOVITA_API_BASE_URL" in told.stdout


class AnHourAgo(BaseHTTPRequestHandler):
    """Knows no key, and its clock is late."""

    def do_GET(self) -> None:
        self.send_error(401)

    def date_time_string(self, _: float | None = None) -> str:
        return formatdate(time.time() - 3600, usegmt=True)

    def log_message(self, *_: object) -> None:
        pass


def test_a_clock_that_is_apart_is_pointed_out(account: Path, novita: Simulator, home: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), AnHourAgo) as late:
        threading.Thread(target=late.serve_forever, daemon=True).start()
        told = answer(account, novita, home, "check", NOVITA_API_BASE_URL=f"http://127.0.0.1:{late.server_port}")
        late.shutdown()
    assert verdicts(told) == WELL | {"Novita API": "warning", "API key": "FAILED"}
    assert b"answers; our clock is +3600 s from its" in told.stdout or b"+3601 s" in told.stdout


def test_an_id_of_another_cluster_is_pointed_out_and_is_no_failure(account: Path, novita: Simulator, home: str) -> None:
    told = answer(account, novita, home, "check", NOVITA_OPERATOR_CLUSTER_ID="the-old-cluster")
    assert (told.returncode, verdicts(told)) == (0, WELL | {"cluster id": "warning"})
    assert b"the-old-cluster by NOVITA_OPERATOR_CLUSTER_ID" in told.stdout


def test_a_crd_of_another_version_is_told_with_the_command_that_mends_it(
    plane: ControlPlane, account: Path, novita: Simulator, home: str
) -> None:
    """Somebody owns the field that is stale, as Helm and `kubectl patch` do."""
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/gpuCount/maximum"
    older = [{"op": "replace", "path": path, "value": 4}]
    plane.kubectl("patch", "crd", "gpuinstances.gpu.novita.ai", "--type=json", "-p", json.dumps(older))
    try:
        (stale,) = eventually(
            lambda: [told for told in [answer(account, novita, home, "check")] if told.returncode], "it is told"
        )
        assert verdicts(stale) == WELL | {"CRD": "FAILED"}
        (command,) = re.findall(r"-> .*: (novita-operator crd .*)", stale.stdout.decode())
        path = f"{Path(COMMAND).parent}{os.pathsep}{plane.environment['PATH']}"
        subprocess.run(
            ["/bin/bash", "-o", "pipefail", "-c", command], env=plane.environment | {"PATH": path}, check=True
        )
        eventually(lambda: answer(account, novita, home, "check").returncode == 0, "it is well again")
    finally:
        install_crd(plane)


def test_a_kubernetes_api_that_does_not_answer_is_told_beside_what_is_known_of_novita(
    account: Path, novita: Simulator, tmp_path: Path
) -> None:
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text(re.sub(r"https://127\.0\.0\.1:\d+", "https://127.0.0.1:9", account.read_text()))
    told = answer(nowhere, novita, "home", "check")
    seen = {"Kubernetes API": "unknown", "Novita API": "ok", "API key": "ok"}
    assert (told.returncode, verdicts(told)) == (3, seen)


def test_without_a_way_to_the_cluster_there_is_one_line(tmp_path: Path, novita: Simulator) -> None:
    told = answer(tmp_path / "none", novita, "home", "check")
    assert told.returncode == 3
    assert b"no way to the Kubernetes API" in told.stderr


def shown_claim(resource: dict[str, Any]) -> dict[str, Any]:
    claim: dict[str, Any] = json.loads(resource["metadata"]["annotations"]["gpu.novita.ai/claim"])
    return claim


def unpacked(archive: bytes) -> dict[str, str]:
    """The files by name; not one of them may show a secret."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {Path(entry.name).name: tar.extractfile(entry).read().decode() for entry in tar}  # type: ignore[union-attr]
    for name, text in files.items():
        FED.check(f"{name} of the bundle", text)
    return files


def test_the_bundle_holds_what_helps_and_no_secret(
    plane: ControlPlane, cluster: Cluster, home: str, novita: Simulator, account: Path, tmp_path: Path
) -> None:
    """Secrets stand in the spec, in kubectl's copy of it, in the settings, and in what Novita says of a machine."""
    settings = {"NOVITA_OPERATOR_NAMESPACE": home}
    watched = ("--namespace", cluster.namespace)
    with operator(tmp_path / "log", account, novita.url, settings, *watched, "--leader-elect") as running:
        cluster.apply(
            "trainer", env=[{"name": "TOKEN", "value": SECRET}], command=f"serve {PASSWORD}", entrypoint=PASSWORD
        )
        cluster.wait("trainer", "Ready")
        machine = cluster.status("trainer")["instanceId"]
        novita.disguise(machine, message=f"crashed with {SECRET} and {PASSWORD} and {KEY}")
        eventually(lambda: cluster.events("trainer"), "Events are told")
        site = running.url.removeprefix("http://")
        arguments = ("support-bundle", *watched, "--output")
        told = answer(plane.kubeconfig, novita, home, *arguments, "-", NOVITA_OPERATOR_HTTP_ADDRESS=site)
        own = answer(account, novita, home, *arguments, str(tmp_path / "own.tar.gz"))
    files = unpacked(told.stdout)
    (resource,) = json.loads(files["resources.json"])
    assert resource["metadata"]["name"] == "trainer"
    assert resource["status"]["instanceId"] == machine
    assert resource["spec"]["env"] == [{"name": "TOKEN", "value": "[redacted]"}]
    assert resource["spec"]["command"] == resource["spec"]["entrypoint"] == "[redacted]"
    assert shown_claim(resource)["machine"] == resource["status"]["machineName"]
    shown = {each["id"]: each for each in json.loads(files["fleet.json"])}
    assert shown[machine]["mark"].split("/")[1:3] == [cluster.namespace, "trainer"]
    assert {frozenset(each) for each in shown.values()} == {frozenset(shown[machine]), frozenset({"id", "state"})}
    assert {event["regarding"]["name"] for event in json.loads(files["events.json"])} == {"trainer"}
    assert json.loads(files["crd.json"])["spec"]["names"]["kind"] == "GpuInstance"
    assert json.loads(files["lease.json"])["holderIdentity"]
    assert "novita_fleet_machines" in files["metrics.txt"]
    assert json.loads(files["readyz.txt"])["state"] == "ready"
    assert "NOVITA_API_KEY=**********\n" in files["settings.txt"]
    assert "ok       rights" in files["check.txt"]
    assert told.returncode == own.returncode == 0
    written = tmp_path / "own.tar.gz"
    assert written.stat().st_mode & 0o777 == 0o600
    lacking = unpacked(written.read_bytes())
    assert json.loads(lacking["resources.json"]) == [resource]
    for name in ("events.json", "crd.json"):
        assert lacking[name].startswith("not read: the Kubernetes API said 403")
    assert lacking["metrics.txt"].startswith("not read: ")
