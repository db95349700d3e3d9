"""Fixtures of the tests that stand on the resource's definition."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from controlplane.plane import ControlPlane
from novita_operator.cluster.connection import Connection, connect
from stage import install_account, install_crd


@pytest.fixture(scope="session")
def crd(plane: ControlPlane) -> None:
    """The checked-in CRD, served."""
    install_crd(plane)


@pytest.fixture
def operator_kubeconfig(plane: ControlPlane, namespace: str) -> Path:
    """The operator as it is installed in the test's namespace: under its own rights, and no others."""
    return install_account(plane, namespace)


@pytest_asyncio.fixture
async def connection(operator_kubeconfig: Path) -> AsyncIterator[Connection]:
    connection = await connect(operator_kubeconfig)
    yield connection
    await connection.close()
