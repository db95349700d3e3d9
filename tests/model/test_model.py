"""Never two machines, none left behind, no foreign one touched, all comes to rest: the real parts, whatever happens.

The same machine, within the same budget, finds each of the faults that are planted in those parts.
"""

import itertools
import logging
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from model.faults import FAULTS, second_look_for_heirs_only
from model.machine import Protocol
from model.world import Found

_PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
_SEED = int(os.environ.get("MODEL_SEED", "1"))
_EXAMPLES = os.environ.get("MODEL_EXAMPLES")
_SHARE = 10
_WHOLE = 100
"""Examples of the profile `whole`; one example here is a life of minutes, and worth some of a plain property."""
_CONTROL = 200
"""More than any seed of the table needs to find what a sweep does wrong."""


def budget(*phases: Phase) -> settings:
    """By a seed and without a database: what is found here is found everywhere."""
    return settings(
        max_examples=int(_EXAMPLES or settings().max_examples * _SHARE),
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
    begun = itertools.count()

    class Counted(Protocol):
        def __init__(self) -> None:
            next(begun)
            super().__init__()

    fault = FAULTS[name]
    fault.plant(monkeypatch)
    with pytest.raises(Found) as found:
        run_state_machine_as_test(seed(_SEED)(Counted), settings=budget(Phase.generate))
    before_it_was_shown_again = next(begun) - 1
    sys.stdout.write(f"\n{name} | {found.value.finding} | {before_it_was_shown_again}\n")
    assert found.value.finding in fault.findings


@pytest.mark.usefixtures("whole_budget")
def test_without_a_fault_the_weak_second_look_of_sweeps_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the faults of sweeps that are planted upon it would show nothing."""
    second_look_for_heirs_only(monkeypatch)
    run_state_machine_as_test(seed(_SEED)(Protocol), settings=settings(budget(Phase.generate), max_examples=_CONTROL))


def test_the_page_names_each_fault_with_what_it_may_be_found_as() -> None:
    rows = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in _PAGE.read_text().splitlines()]
    told = {(name, ", or ".join(fault.findings)) for name, fault in FAULTS.items()}
    assert told - set(rows) == set()
