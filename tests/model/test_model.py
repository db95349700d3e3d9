"""Never two machines, none left behind, no foreign one touched, all comes to rest: the real parts, whatever happens.

The same machine, within the same budget, finds each of the faults that are planted in those parts.
"""

import logging

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from model.faults import FAULTS, second_look_for_heirs_only
from model.machine import Protocol
from model.world import Found

_SEED = 1
_SHARE = 10
_WHOLE = 100
"""Examples of the profile `whole`; one example here is a life of minutes, and worth some of a plain property."""
_CONTROL = 200
"""More than any seed of the table needs to find what a sweep does wrong."""


def budget(*phases: Phase) -> settings:
    """By a seed and without a database: what is found here is found everywhere."""
    return settings(
        max_examples=settings().max_examples * _SHARE,
        stateful_step_count=10,
        phases=phases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )


def test_the_protocol_holds_whatever_happens() -> None:
    run_state_machine_as_test(seed(_SEED)(Protocol), settings=budget(Phase.generate, Phase.shrink))


@pytest.fixture(autouse=True)
def _only_errors(caplog: pytest.LogCaptureFixture) -> None:
    """Warnings by the thousand are what mishaps look like."""
    caplog.set_level(logging.ERROR, "novita_operator")


@pytest.fixture
def whole_budget() -> None:
    if settings().max_examples < _WHOLE:
        pytest.skip("a share of the budget finds a share of the faults")


@pytest.mark.usefixtures("whole_budget")
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    fault.plant(monkeypatch)
    with pytest.raises(Found) as found:
        run_state_machine_as_test(seed(_SEED)(Protocol), settings=budget(Phase.generate))
    assert found.value.finding in fault.findings


@pytest.mark.usefixtures("whole_budget")
def test_without_a_fault_the_weak_second_look_of_sweeps_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the faults of sweeps that are planted upon it would show nothing."""
    second_look_for_heirs_only(monkeypatch)
    run_state_machine_as_test(seed(_SEED)(Protocol), settings=settings(budget(Phase.generate), max_examples=_CONTROL))
