from collections.abc import Iterator

import pytest

from chart.helm import Helm
from controlplane.plane import ControlPlane
from novita_simulator.client import Simulator
from novita_simulator.running import running
from stage import QUICK
from toolbox.tools import tool


@pytest.fixture(scope="session")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tool("helm3"), tmp_path_factory.mktemp("helm3"))


@pytest.fixture(scope="session")
def helm4(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tool("helm4"), tmp_path_factory.mktemp("helm4"))


@pytest.fixture(params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Helm:
    """Each version in its turn."""
    found: Helm = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A plane of the module's own: the chart brings the CRD, and there is one of it in a cluster."""
    with ControlPlane(tmp_path_factory.mktemp("plane")) as running_plane:
        yield running_plane


@pytest.fixture(scope="module")
def novita() -> Iterator[Simulator]:
    with running(speed=1, durations=QUICK) as simulator:
        yield simulator
