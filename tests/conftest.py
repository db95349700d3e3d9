import gc
import logging
import signal
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

from controlplane.fixtures import namespace, plane
from leaks import FED, told_by

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has background jobs ignore it, and they hand that on
gc.freeze()
gc.set_threshold(20_000)  # what runs by the thousand would spend a tenth of its time on looking for cycles
settings.register_profile("whole", deadline=None)  # a busy machine is no finding
settings.register_profile("fast", max_examples=10, deadline=None)
settings.load_profile("whole")
logging.getLogger("novita_operator").setLevel(logging.DEBUG)  # all that ours tells is searched; others' not, as it runs

__all__ = ["namespace", "plane"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[Any],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:  # Any: whatever a test gives back
    """What code of ours logged or raised inside the tests' own process is searched too."""
    report = yield
    raised = told_by(call.excinfo.value) if call.excinfo is not None else ""
    if found := FED.found_in("\n".join([raised, *(text for _, text in report.sections)])):
        report.outcome = "failed"
        report.longrepr = f"logged or raised: {', '.join(found)}"
    return report
