import pytest

from build import BOOT, NOW, claim, fleet, instance, machine, recorded, situation, spec
from novita_operator.decision.actions import AwaitList, Decision, Delete, DeleteCause, Rest
from novita_operator.decision.decide import decide
from novita_operator.decision.situation import Account, Situation
from novita_operator.model.reasons import Reason

REJECTED = Decision(
    Rest(),
    Reason.KEY_REJECTED,
    "Novita does not accept the API key: give the operator a valid one.",
)


def unreachable(trouble: str = "no answer yet", *, quiet: bool = False) -> Decision:
    return Decision(
        Rest(),
        Reason.NOVITA_UNREACHABLE,
        f"No complete list of the machines at Novita ({trouble}): nothing is done until there is one.",
        quiet=quiet,
    )


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        pytest.param(
            situation(account=Account(key_accepted=False)), REJECTED, id="a rejected key stops all, fresh list or not"
        ),
        pytest.param(
            situation(fleet=None, account=Account(key_accepted=False)),
            REJECTED,
            id="a rejected key is the first reason",
        ),
        pytest.param(
            situation(fleet=None, started=BOOT - 90),
            unreachable(quiet=True),
            id="at the start a first list is waited for",
        ),
        pytest.param(
            situation(fleet=None, started=BOOT - 90.5),
            unreachable(),
            id="without any list for longer than a list may be old it is said",
        ),
        pytest.param(
            situation(fleet=fleet(begun=BOOT - 90.5), started=BOOT - 95),
            unreachable(),
            id="an old list is no list",
        ),
        pytest.param(
            situation(fleet=fleet(begun=BOOT - 90.5), started=BOOT - 1),
            unreachable(),
            id="an old list is told of even by a young process",
        ),
        pytest.param(
            situation(fleet=None, account=Account(trouble="HTTP 502")),
            unreachable("HTTP 502"),
            id="the trouble is named",
        ),
        pytest.param(
            situation(instance(claim=claim(), status=recorded(), deletionTimestamp=NOW), fleet=None),
            unreachable(),
            id="nothing is released unseen",
        ),
        pytest.param(
            situation(
                instance(claim=claim(), status=recorded(), spec=spec(powerState="Stopped")),
                fleet=fleet(machine(), begun=BOOT - 91),
            ),
            unreachable(),
            id="nothing is stopped by an old list",
        ),
        pytest.param(
            situation(instance(claim=claim(), finalizer=False), fleet=None),
            unreachable(),
            id="not even a finalizer is put back unseen",
        ),
    ],
)
def test_blind_means_still(s: Situation, expected: Decision) -> None:
    assert decide(s) == expected


def test_a_list_as_old_as_it_may_be_is_believed() -> None:
    subject = instance(claim=claim(), status=recorded(), deletionTimestamp=NOW)
    seen = situation(subject, fleet=fleet(machine(), begun=BOOT - 90))
    assert decide(seen).action == Delete("m-1", DeleteCause.RESOURCE_DELETED)


def test_a_key_not_yet_tried_does_not_blind() -> None:
    assert decide(situation(account=Account(), version_read=BOOT)).action == AwaitList()
