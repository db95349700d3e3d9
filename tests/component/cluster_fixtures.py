"""Fixtures of the tests that stand on the resource's definition; loaded by `pytest_plugins`, as those tests name it."""

from pathlib import Path

import pytest

from controlplane.plane import ControlPlane

ROOT = Path(__file__).parents[2]
CRD = ROOT / "crds" / "gpu.novita.ai_gpuinstances.yaml"


@pytest.fixture(scope="session")
def crd(plane: ControlPlane) -> None:
    """The checked-in CRD, served."""
    plane.kubectl("apply", "--server-side", "-f", str(CRD))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRD))
