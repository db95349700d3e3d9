"""pytest's view of the plane: one for the session, one namespace for a test."""

import secrets
import shutil
from collections.abc import Iterator

import pytest

from controlplane.binary import assets
from controlplane.plane import ControlPlane
from leaks import check_cluster


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The session's plane, with RBAC on; a test that stops it starts it again."""
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        assets()  # a first build takes minutes, and its progress must be seen
    with ControlPlane(tmp_path_factory.mktemp("plane")) as running:
        yield running
        check_cluster(running.kubeconfig)
    shutil.rmtree(running.directory / "etcd")  # pytest keeps three sessions' folders, and etcd's logs are large


@pytest.fixture
def namespace(plane: ControlPlane) -> Iterator[str]:
    """A namespace of the test's own; its end is not waited for."""
    name = f"test-{secrets.token_hex(4)}"
    plane.kubectl("create", "namespace", name)
    yield name
    check_cluster(plane.kubeconfig)
    plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
