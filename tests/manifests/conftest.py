from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.plane import ControlPlane
from stage import install_crd

MONITORING = Path(__file__).with_name("monitoring_crds.yaml")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A plane of the module's own: an install is for a whole cluster."""
    with ControlPlane(tmp_path_factory.mktemp("plane")) as running:
        install_crd(running)
        running.kubectl("apply", "--server-side", "-f", str(MONITORING))
        running.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(MONITORING))
        yield running
