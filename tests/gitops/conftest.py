from pathlib import Path

import pytest

from component.cluster_fixtures import crd
from component.operator_fixtures import cluster, home, novita, running_operator, start_operator
from toolbox.cache import kept
from toolbox.gobuild import build, fingerprint, locked_version

__all__ = ["cluster", "crd", "home", "novita", "running_operator", "start_operator"]

_FLUX = Path(__file__).parent / "flux"


@pytest.fixture(scope="session")
def flux() -> Path:
    """The command that does with objects what Flux's controllers do: see its main.go."""
    version = locked_version(_FLUX, "github.com/fluxcd/pkg/ssa")
    home = kept(f"flux-{version}-{fingerprint(_FLUX)}", lambda folder: build(_FLUX, ".", folder / "flux", {}, 120))
    return home / "flux"
