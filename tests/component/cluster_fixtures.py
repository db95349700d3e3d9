"""Fixtures of the tests that stand on the resource's definition; loaded by `pytest_plugins`, as those tests name it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from controlplane.plane import ControlPlane
from novita_operator.cluster.connection import Connection, connect
from novita_operator.cluster.rights import manifests

CRD = Path(__file__).parents[2] / "crds" / "gpu.novita.ai_gpuinstances.yaml"


@pytest.fixture(scope="session")
def crd(plane: ControlPlane) -> None:
    """The checked-in CRD, served."""
    plane.kubectl("apply", "--server-side", "-f", str(CRD))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRD))


@pytest.fixture
def operator_kubeconfig(plane: ControlPlane, namespace: str) -> Path:
    """The operator as it is installed in the test's namespace: under its own rights, and no others."""
    account = f"operator-{namespace}"  # its cluster role must not be another test's
    plane.kubectl("create", "serviceaccount", account, "-n", namespace)
    granted = yaml.safe_dump_all(manifests(account=account, namespace=namespace))
    plane.kubectl("apply", "--server-side", "-f", "-", input=granted)
    return plane.service_account_kubeconfig(namespace, account)


@pytest_asyncio.fixture
async def connection(operator_kubeconfig: Path) -> AsyncIterator[Connection]:
    connection = await connect(operator_kubeconfig)
    yield connection
    await connection.close()
