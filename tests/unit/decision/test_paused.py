from typing import Any

import pytest

from build import NOW, claim, fleet, instance, machine, recorded, situation, spec
from novita_operator.decision.actions import Decision, Rest, Stop
from novita_operator.decision.decide import decide
from novita_operator.decision.situation import Account, Situation
from novita_operator.model.claim import PAUSED_ANNOTATION
from novita_operator.model.instance import GpuInstance
from novita_operator.model.reasons import Reason

FROZEN = Decision(
    Rest(), Reason.PAUSED, "Annotation gpu.novita.ai/paused is true: nothing is done, not even a deletion."
)


def paused(**fields: Any) -> GpuInstance:
    return instance(annotations={PAUSED_ANNOTATION: "true"}, **fields)


@pytest.mark.parametrize(
    "s",
    [
        pytest.param(situation(paused()), id="a paused object launches nothing"),
        pytest.param(
            situation(paused(claim=claim(), status=recorded(), deletionTimestamp=NOW), fleet=fleet(machine())),
            id="a paused object that is deleted keeps its machine",
        ),
        pytest.param(
            situation(
                paused(claim=claim(), status=recorded(), spec=spec(powerState="Stopped")), fleet=fleet(machine())
            ),
            id="a paused object that wants to stop runs on",
        ),
        pytest.param(
            situation(paused(claim=claim(), status=recorded()), fleet=fleet(machine(), machine(id="m-2"))),
            id="a paused object keeps even its duplicates",
        ),
        pytest.param(situation(paused(), fleet=None), id="a paused object says so even when Novita is not seen"),
        pytest.param(
            situation(paused(), account=Account(key_accepted=False)), id="a paused object says so before a bad key"
        ),
        pytest.param(
            situation(paused(claim=claim(), finalizer=False)), id="a paused object does not get its finalizer back"
        ),
    ],
)
def test_nothing_is_done_for_a_paused_object(s: Situation) -> None:
    assert decide(s) == FROZEN


@pytest.mark.parametrize("value", ["false", "True", "", "yes"])
def test_only_the_word_true_pauses(value: str) -> None:
    subject = instance(
        annotations={PAUSED_ANNOTATION: value}, claim=claim(), status=recorded(), spec=spec(powerState="Stopped")
    )
    assert decide(situation(subject, fleet=fleet(machine()))).action == Stop("m-1")
