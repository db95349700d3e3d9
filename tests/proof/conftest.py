import pytest

from controlplane.plane import ControlPlane
from proof.world import Theatre, theatre


@pytest.fixture(scope="session")
def scenery(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return theatre(plane, tmp_path_factory.mktemp("proof"))
