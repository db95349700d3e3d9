from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

from controlplane.fixtures import namespace, plane
from leaks import FED

settings.register_profile("whole", deadline=None)  # a busy machine is no finding
settings.register_profile("fast", max_examples=10, deadline=None)
settings.load_profile("whole")

__all__ = ["namespace", "plane"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[Any],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:  # Any: whatever a test gives back
    """What code of ours logged or raised inside the tests' own process is searched too."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    raised = "" if error is None else f"{error!s} {error!r} {error.__cause__!r} {error.__context__!r}"
    if found := FED.found_in("\n".join([raised, *(text for _, text in report.sections)])):
        report.outcome = "failed"
        report.longrepr = f"logged or raised: {', '.join(found)}"
    return report
