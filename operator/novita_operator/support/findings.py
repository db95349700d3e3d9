"""What a check found, and the table of it."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How it stands; `UNKNOWN`: it could not be looked at, which is no better than a failure."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "FAILED"
    UNKNOWN = "unknown"


class Finding(NamedTuple):
    """One thing that was looked at; `remedy` says what to do, where there is something to do."""

    subject: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether an operator could work here; a warning does not stop it."""
    return all(finding.verdict in {Verdict.OK, Verdict.WARNING} for finding in findings)


def table(findings: Sequence[Finding]) -> str:
    """One line for each, and what to do below it."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for subject, verdict, detail, remedy in findings:
        lines.append(f"{verdict:<8} {subject:<{width}}  {detail}")
        if remedy:
            lines.append(f"{'':<8} {'':<{width}}  -> {remedy}")
    return "\n".join(lines) + "\n"
