"""What Argo CD's scripts are tested with is what the operator writes today."""

import pytest

from gitops.scenes import TESTDATA, play, shape
from novita_simulator.client import Simulator
from stage import Cluster, OperatorProcess

pytestmark = pytest.mark.server


def test_the_operator_still_writes_what_is_recorded(
    cluster: Cluster, novita: Simulator, running_operator: OperatorProcess
):
    played = {f"{name}.yaml": shape(text) for name, text in play(cluster, novita, running_operator)}
    assert played == {path.name: shape(path.read_text()) for path in TESTDATA.iterdir()}
