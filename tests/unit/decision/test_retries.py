from datetime import timedelta
from typing import Any

import pytest

from build import NOW, claim, instance, recorded, situation
from novita_operator.decision.actions import Decision, Rest
from novita_operator.decision.rules.retries import held_back, not_now, spent
from novita_operator.decision.situation import Account, Hold, Situation
from novita_operator.model.instance import GpuInstance
from novita_operator.model.reasons import Reason

SOON = NOW + timedelta(seconds=30)


def retried(count: int, *, seconds_ago: float = 9999, generation: int = 1) -> dict[str, Any]:
    last = NOW - timedelta(seconds=seconds_ago)
    return recorded(retries={"generation": generation, "count": count, "lastTime": last})


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(instance(), 0, id="nothing was tried"),
        pytest.param(instance(claim=claim()), 0, id="a first launch is no retry"),
        pytest.param(instance(status=retried(2)), 2, id="status counts"),
        pytest.param(instance(claim=claim(retry=2)), 2, id="the claim counts if status is lost"),
        pytest.param(instance(claim=claim(retry=1), status=retried(2)), 2, id="starts come after the launch"),
        pytest.param(instance(claim=claim(retry=3), status=retried(2)), 3, id="the launch comes after the starts"),
        pytest.param(instance(generation=2, claim=claim(retry=3), status=retried(2)), 0, id="a new generation is new"),
        pytest.param(
            instance(generation=2, claim=claim(retry=3), status=retried(1, generation=2)),
            1,
            id="status counts for this generation though the claim is older",
        ),
        pytest.param(
            instance(generation=2, claim=claim(retry=1, generation=2), status=retried(3)),
            1,
            id="the claim counts for this generation though status is older",
        ),
    ],
)
def test_retries_are_counted_per_generation(subject: GpuInstance, expected: int) -> None:
    assert spent(situation(subject)) == expected


def waits(seconds: float) -> Decision:
    return Decision(Rest(), Reason.RETRYING, "It went. The operator tries again shortly.", again=seconds)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(instance(), None, id="nothing was tried: go ahead"),
        pytest.param(instance(status=retried(0, seconds_ago=0)), None, id="the first retry needs no pause"),
        pytest.param(instance(status=retried(1, seconds_ago=29)), waits(1.0), id="29 s after the first"),
        pytest.param(instance(status=retried(1, seconds_ago=30)), None, id="30 s after the first"),
        pytest.param(instance(status=retried(2, seconds_ago=119)), waits(1.0), id="119 s after the second"),
        pytest.param(instance(status=retried(2, seconds_ago=120)), None, id="120 s after the second"),
        pytest.param(
            instance(claim=claim(retry=1, at=NOW - timedelta(seconds=10)), status=retried(1, seconds_ago=40)),
            waits(20.0),
            id="the pause begins at the later launch",
        ),
        pytest.param(
            instance(claim=claim(retry=1, at=NOW - timedelta(seconds=40)), status=retried(1, seconds_ago=10)),
            waits(20.0),
            id="the pause begins at the later start",
        ),
        pytest.param(
            instance(status=retried(3, seconds_ago=9999)),
            Decision(
                Rest(),
                Reason.TOO_MANY_RETRIES,
                "It went. Tried 3 times for this generation of the spec and gave up: change the spec to try again.",
            ),
            id="after the third there is no other, however long ago",
        ),
        pytest.param(
            instance(claim=claim(retry=7)),
            Decision(
                Rest(),
                Reason.TOO_MANY_RETRIES,
                "It went. Tried 3 times for this generation of the spec and gave up: change the spec to try again.",
            ),
            id="more than three are too many as well",
        ),
    ],
)
def test_each_retry_waits_longer_and_the_fourth_for_ever(subject: GpuInstance, expected: Decision | None) -> None:
    assert not_now(situation(subject), "It went.") == expected


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(situation(), None, id="nothing was refused"),
        pytest.param(
            situation(hold=Hold(Reason.REFUSED, "No.", 1, None)),
            Decision(Rest(), Reason.REFUSED, "No."),
            id="a hold without an end binds while the spec is the same",
        ),
        pytest.param(
            situation(hold=Hold(Reason.NO_STOCK, "No.", 1, SOON)),
            Decision(Rest(), Reason.NO_STOCK, "No.", again=30.0),
            id="a hold with an end binds until then",
        ),
        pytest.param(situation(hold=Hold(Reason.NO_STOCK, "No.", 1, NOW)), None, id="at its end a hold binds no more"),
        pytest.param(
            situation(instance(generation=2), hold=Hold(Reason.REFUSED, "No.", 1, None)),
            None,
            id="a new generation is free of the old hold",
        ),
        pytest.param(
            situation(account=Account(hold=Hold(Reason.NO_MONEY, "Pay.", 9, SOON))),
            Decision(Rest(), Reason.NO_MONEY, "Pay.", again=30.0),
            id="the account's hold binds every object",
        ),
        pytest.param(
            situation(account=Account(hold=Hold(Reason.NO_MONEY, "Pay.", 1, NOW))),
            None,
            id="at its end the account's hold binds no more",
        ),
        pytest.param(
            situation(
                hold=Hold(Reason.NO_STOCK, "No.", 1, SOON), account=Account(hold=Hold(Reason.NO_MONEY, "Pay.", 1, None))
            ),
            Decision(Rest(), Reason.NO_STOCK, "No.", again=30.0),
            id="the object's own hold is told first",
        ),
        pytest.param(
            situation(
                hold=Hold(Reason.NO_STOCK, "No.", 1, NOW), account=Account(hold=Hold(Reason.NO_MONEY, "Pay.", 1, SOON))
            ),
            Decision(Rest(), Reason.NO_MONEY, "Pay.", again=30.0),
            id="after the object's own hold the account's still binds",
        ),
    ],
)
def test_what_was_refused_is_not_asked_again_yet(s: Situation, expected: Decision | None) -> None:
    assert held_back(s) == expected


def test_a_last_retry_at_the_end_of_the_calendar_is_waited_for():
    end = NOW.replace(year=9999)
    subject = instance(claim=claim(), status=recorded(retries={"generation": 1, "count": 1, "lastTime": end}))
    decision = not_now(situation(subject), "It stopped.")
    assert decision is not None
    assert decision.reason is Reason.RETRYING
