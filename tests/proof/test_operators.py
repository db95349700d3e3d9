"""Several operators as processes on the same objects, and the three cells that no client can close.

Those three are not promised (docs/reliability.md): a create that reaches Novita later than its claim and W, because the
process froze between its last check and the send, or because the call itself was late; and a claim that is stripped
while its call is in flight. There: at most two machines, the duplicate deleted within two polls, the claimed one kept.
"""

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import libfaketime  # type: ignore[import-untyped]
import pytest

from novita_operator.model.claim import CLAIM_ANNOTATION
from proof.matrix import NAME, NOT_PROMISED
from proof.world import Theatre, World, world
from stage import PATIENCE, OperatorProcess, eventually

pytestmark = pytest.mark.server

NAMES = tuple(f"trainer-{number}" for number in range(6))
LONG = 90.0


def an_hour(sign: str) -> dict[str, str]:
    """Environment of a process whose wall clock is off; the clock that ages are counted by runs as ever."""
    library = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{sign}1h", "DONT_FAKE_MONOTONIC": "1"}


CLOCKS: dict[str, tuple[Mapping[str, str], ...]] = {
    "clocks agree": ({}, {}, {}),
    "clocks are two hours apart": (an_hour("+"), an_hour("-"), {}),
}
PATIENT = {"INSTANCE_STARTUP_TIMEOUT": "6h"}
"""The startup clock starts with the date in the claim: clocks must agree better than that."""


@pytest.fixture
def w(scenery: Theatre) -> Iterator[World]:
    with world(scenery, has_own_home=True) as scene:
        yield scene


@pytest.mark.parametrize("clocks", CLOCKS)
@pytest.mark.parametrize("arguments", [(), ("--leader-elect",)], ids=["without election", "with election"])
def test_three_operators_live_a_whole_life_with_six_objects(w: World, arguments: tuple[str, ...], clocks: str) -> None:
    """With lost answers and errors; the elder is killed when all run, and comes back."""
    elder, *younger = (w.start(*arguments, **PATIENT, **clock).wait_ready() for clock in CLOCKS[clocks])
    w.novita.fault("lost_after", "create", times=2)
    w.novita.fault("status_before", "create", times=1)
    for name in NAMES:
        w.cluster.apply(name)
    for name in NAMES:
        w.cluster.wait(name, "Ready", LONG)
    elder.kill()
    w.novita.fault("lost_after", "stop", times=1)
    for name in NAMES:
        w.cluster.patch(name, {"spec": {"powerState": "Stopped"}})
    elder = w.start(*arguments, **PATIENT, **CLOCKS[clocks][0]).wait_ready()
    for name in NAMES:
        w.cluster.wait(name, "Ready", LONG)
    look_on(w, elder, *younger)
    assert w.lies() == []
    assert {machine.status for machine in w.machines()} == {"exited"}
    for name in NAMES:
        w.cluster.begin_delete(name)
    for name in NAMES:
        w.cluster.wait_gone(name, LONG)
    look_on(w, elder, *younger)
    assert [*w.lies(), *w.findings()] == []
    assert [each.process.poll() for each in (elder, *younger)] == [None] * 3


def look_on(w: World, *operators: OperatorProcess) -> None:
    """Until nobody who acts goes by a list that is older than this."""
    w.look_on(*(each for each in operators if each.metric("novita_operator_leader")))


def test_the_clocks_of_these_tests_are_apart(w: World) -> None:
    first, second = (w.start(**each).wait_ready() for each in CLOCKS["clocks are two hours apart"][:2])
    hours = [int(operator.lines.split('"timestamp": "')[1][11:13]) for operator in (first, second)]
    assert (hours[0] - hours[1]) % 24 == 2


def frozen(w: World, first: OperatorProcess) -> None:
    """The process stands still from before the call reaches Novita; another one waits for W, and launches."""
    first.process.send_signal(signal.SIGSTOP)
    w.start(**ALONE)


def late(_w: World, _first: OperatorProcess) -> None:
    """The process lives, gives the call up, waits for W, and launches anew."""


def stripped(w: World, first: OperatorProcess) -> None:
    """Claim and finalizer are wiped, and nobody remembers them."""
    first.kill()
    w.cluster.patch(NAME, {"metadata": {"annotations": {CLAIM_ANNOTATION: None}, "finalizers": None}})
    w.start(**ALONE)


ALONE = {"NOVITA_OPERATOR_ORPHAN_INTERVAL": "1h"}
"""Every whole list in the journal is then a poll."""


LATE: Mapping[str, Callable[[World, OperatorProcess], None]] = {"frozen": frozen, "late": late, "stripped": stripped}


@pytest.mark.parametrize("cell", NOT_PROMISED)
def test_not_promised_a_create_that_lands_after_its_time_makes_a_duplicate_which_is_deleted_within_two_polls(
    w: World, cell: str
) -> None:
    first = w.start(**ALONE)
    held = w.novita.fault("hold_before", "create")
    w.cluster.apply(NAME)
    w.novita.wait_reached(held, timeout=PATIENCE)
    LATE[cell](w, first)
    w.cluster.wait(NAME, "Ready", LONG)
    claimed = w.machines()
    w.novita.release(held)
    eventually(lambda: len(w.novita.journal("delete")) == 1, "the duplicate is deleted")
    eventually(lambda: w.machines() == claimed, "the claimed one stays")
    first.process.send_signal(signal.SIGCONT)
    polls = polls_until_deleted(w)
    w.cluster.delete(NAME)
    assert len(claimed) == 1
    assert polls <= 2
    assert max(w.novita.ledger().max_alive.values()) == 2
    assert [*w.lies(), *w.findings(most_alive=2)] == []


def polls_until_deleted(w: World) -> int:
    """Whole lists that were begun between the late create and the delete of what it made."""
    journal = w.novita.journal()
    (deleted,) = [index for index, asked in enumerate(journal) if asked.operation == "delete"]
    name = journal[deleted].name
    (created,) = [i for i, asked in enumerate(journal) if asked.operation == "create" and asked.name == name]
    return sum(asked.operation == "list" and not asked.name for asked in journal[created:deleted])
