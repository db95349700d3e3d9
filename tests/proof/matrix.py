"""The matrix as data: where the operator is struck, what else goes wrong with the call in flight, and how it is struck.

A cell is one point, one fault and one blow. The first operator is brought to the point, held there by a lever at one
of its two sides, and struck; what was on its way then lands or is lost, as the point says; a second operator finds the
world as it is. `play` gives back the findings of one cell.
"""

import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import product
from typing import Literal, NamedTuple, Protocol

from component.operator_fixtures import SECRET
from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER
from novita_simulator.faults import Operation
from proof.wire import Held, Sent
from proof.world import LONG, Theatre, World, world
from stage import OperatorProcess, eventually

NAME = "trainer"
THIEF = "thief"
LONGEST = 200.0
"""Two starts that came to nothing are 30 s and 120 s of pauses."""
LAG = 0.4
"""Seconds that a lagging list is behind; the operator allows for 0.5."""
RENEW_DEADLINE = 6.0
ELECTED = {"NOVITA_OPERATOR_LEASE_DURATION": "9s"}
"""Long enough that a busy machine takes no lease away."""


class Lever(Protocol):
    """What holds the first operator at a point."""

    def wait_reached(self) -> None: ...

    def release(self, *, drop: bool) -> None: ...


class AtNovita(NamedTuple):
    """The call is held at Novita, before it is applied or before it is answered."""

    when: Literal["before", "after"]

    def hold(self, w: World, operation: Operation) -> Lever:
        fault = w.novita.fault("hold_before" if self.when == "before" else "hold_after", operation)
        return _OfNovita(w, fault)


class _OfNovita(NamedTuple):
    w: World
    fault: str

    def wait_reached(self) -> None:
        eventually(self._is_reached, "a call comes to the lever", LONG)

    def release(self, *, drop: bool) -> None:
        self.w.novita.release(self.fault, drop=drop)

    def _is_reached(self) -> bool:
        return any(lever.id == self.fault and lever.reached for lever in self.w.novita.faults())


class AtKubernetes(NamedTuple):
    """The write is held before the API server sees it, or before its answer comes back."""

    meets: Callable[[Sent], bool]
    when: Literal["before", "after"]

    def hold(self, w: World, _: Operation) -> Held:
        return w.wire.hold(self.meets, self.when)


class AtTheLease(NamedTuple):
    """The call is in flight, and the lease was not renewed for most of its renew deadline."""

    def hold(self, w: World, operation: Operation) -> Lever:
        return _OfLease(w, AtNovita("before").hold(w, operation))


class _OfLease(NamedTuple):
    w: World
    call: Lever

    def wait_reached(self) -> None:
        self.call.wait_reached()
        renewal = self.w.wire.hold(is_lease, "before", is_lasting=True)
        renewal.wait_reached()
        eventually(lambda: self._age() > 0.8 * RENEW_DEADLINE, "the lease is old")

    def release(self, *, drop: bool) -> None:
        self.w.wire.release()
        self.call.release(drop=drop)

    def _age(self) -> float:
        renewed = datetime.fromisoformat(self.w.cluster.lease(self.w.home)["renewTime"])
        return (datetime.now(UTC) - renewed).total_seconds()


def is_claim(sent: Sent) -> bool:
    return CLAIM_ANNOTATION in (sent.body.get("metadata", {}).get("annotations") or {})


def is_record(sent: Sent) -> bool:
    return sent.method == "PATCH" and bool(sent.body.get("status", {}).get("instanceId"))


def is_release(sent: Sent) -> bool:
    finalizers = sent.body.get("metadata", {}).get("finalizers")
    return sent.method == "PATCH" and finalizers is not None and FINALIZER not in finalizers


def is_lease(sent: Sent) -> bool:
    return sent.method == "PUT" and "/leases/" in sent.path


@dataclass(frozen=True)
class Point:
    """`at` holds the operator while it does `operation`; `lands`: what is held happens all the same after the blow."""

    operation: Literal["create", "stop", "start", "delete"]
    at: AtNovita | AtKubernetes | AtTheLease
    lands: bool
    is_elected: bool = False
    settings: dict[str, str] = field(default_factory=dict)


PATIENT = {"NOVITA_OPERATOR_CLAIM_WINDOW": "30s"}
"""A create that may stay in flight for longer than a lease can go without renewal."""

POINTS: dict[str, Point] = {
    "before the claim": Point("create", AtKubernetes(is_claim, "before"), lands=False),
    "claim on its way": Point("create", AtKubernetes(is_claim, "before"), lands=True),
    "claim written": Point("create", AtKubernetes(is_claim, "after"), lands=False),
    "create received, never applied": Point("create", AtNovita("before"), lands=False),
    "create received, applied after the blow": Point("create", AtNovita("before"), lands=True),
    "create applied, not answered": Point("create", AtNovita("after"), lands=False),
    "create answered, id not recorded": Point("create", AtKubernetes(is_record, "before"), lands=False),
    "id recorded, not acknowledged": Point("create", AtKubernetes(is_record, "after"), lands=False),
    "lease about to expire, create in flight": Point(
        "create", AtTheLease(), lands=True, is_elected=True, settings=PATIENT
    ),
    "stop received, never applied": Point("stop", AtNovita("before"), lands=False),
    "stop applied, not answered": Point("stop", AtNovita("after"), lands=False),
    "start received, never applied": Point("start", AtNovita("before"), lands=False),
    "start applied, not answered": Point("start", AtNovita("after"), lands=False),
    "delete received, never applied": Point("delete", AtNovita("before"), lands=False),
    "delete received, applied after the blow": Point("delete", AtNovita("before"), lands=True),
    "delete applied, not answered": Point("delete", AtNovita("after"), lands=False),
    "finalizer about to go": Point("delete", AtKubernetes(is_release, "before"), lands=False),
    "finalizer gone, not acknowledged": Point("delete", AtKubernetes(is_release, "after"), lands=False),
}


def lost_answer(w: World, operation: Operation) -> None:
    w.novita.fault("lost_after", operation)


def error_before(w: World, operation: Operation) -> None:
    w.novita.fault("status_before", operation, status=503)


def error_after(w: World, operation: Operation) -> None:
    w.novita.fault("status_after", operation, status=500)


def hang(w: World, operation: Operation) -> None:
    """For a second, and is then cut; a create's own bound is shorter."""
    w.novita.fault("hang_before", operation, seconds=1)


def throttled(w: World, operation: Operation) -> None:
    w.novita.fault("status_before", operation, status=429, reason="RATE_LIMIT", retry_after=1)


def lagging_list(w: World, _: Operation) -> None:
    w.novita.fault("list_lag", seconds=LAG, times=None)


def failing_page(w: World, _: Operation) -> None:
    """Four times: fewer than the breaker minds."""
    w.novita.fault("status_before", "list", page=1, times=4)


def empty_not_found(w: World, _: Operation) -> None:
    w.novita.quirks(not_found="empty_200", deleted="vanishes")


def missing_not_found(w: World, _: Operation) -> None:
    w.novita.quirks(not_found="404", deleted="vanishes")


def nothing(_: World, __: Operation) -> None:
    pass


def has_fired(w: World) -> bool:
    return all(lever.fired for lever in w.novita.faults() if not lever.fault.kind.startswith("hold"))


def was_asked_in_vain(w: World) -> bool:
    """Somebody asked for a machine that was not there."""
    return any(asked.machine_id and not asked.name for asked in w.novita.journal())


class Fault(NamedTuple):
    """Placed when the scene is set, or at the blow, for the second operator's first look; `is_met` at the end."""

    place: Callable[[World, Operation], None]
    at_blow: bool = False
    is_met: Callable[[World], bool] = has_fired


FAULTS: dict[str, Fault] = {
    "nothing else": Fault(nothing),
    "lost answer": Fault(lost_answer),
    "5xx before": Fault(error_before),
    "5xx after": Fault(error_after),
    "hang": Fault(hang),
    "429": Fault(throttled),
    "list lag": Fault(lagging_list),
    "failing page": Fault(failing_page, at_blow=True),
    "not found as 404": Fault(missing_not_found, is_met=was_asked_in_vain),
    "not found as an empty 200": Fault(empty_not_found, is_met=was_asked_in_vain),
}


ANSWERED_BY_NOBODY = (
    "create applied, not answered",
    "stop applied, not answered",
    "start applied, not answered",
    "delete applied, not answered",
)
IDLE = frozenset(product(ANSWERED_BY_NOBODY, ("lost answer", "5xx after")))
"""Points and faults that do not meet under a kill: the answer is lost already, and nobody is left who tries again."""


class Blow(StrEnum):
    """What befalls the first operator at the point."""

    KILLED = "killed"
    FROZEN_LEADER = "a frozen leader wakes up as a second one"
    FROZEN = "frozen, without election"
    ROBBED = "its lease is stolen"


HARD_FAULTS = ("nothing else", "lost answer", "5xx before", "list lag")
"""Those that all blows are tried with; a kill is tried with every fault."""
EVERY = {Blow.KILLED: 7, Blow.FROZEN_LEADER: 5, Blow.FROZEN: 6, Blow.ROBBED: 5}
"""Of so many cells one is played in `make test`: each point under a kill, each fault of a blow under that blow."""


NOT_PROMISED = ("frozen", "late", "stripped")
"""What no client can close (docs/reliability.md) stands beside the cells: `test_operators.py` plays it."""


class Cell(NamedTuple):
    """One blow."""

    point: str
    fault: str
    blow: Blow

    def __str__(self) -> str:
        return f"{self.blow} | {self.point} | {self.fault}"

    @property
    def is_in_test(self) -> bool:
        place = list(POINTS).index(self.point) + list(faults_of(self.blow)).index(self.fault)
        return place % EVERY[self.blow] == 0


def faults_of(blow: Blow) -> Iterable[str]:
    return FAULTS if blow is Blow.KILLED else HARD_FAULTS


CELLS = tuple(Cell(point, fault, blow) for blow in Blow for point in POINTS for fault in faults_of(blow))


def play(cell: Cell, theatre: Theatre) -> list[str]:
    """Set the scene, strike, let the second operator work, and judge: at rest, after the first has come back, and
    when the object is gone.
    """
    point, fault = POINTS[cell.point], FAULTS[cell.fault]
    is_elected = point.is_elected or cell.blow in {Blow.FROZEN_LEADER, Blow.ROBBED}
    arguments = ("--leader-elect",) if is_elected else ()
    settings = {**ELECTED, **point.settings}
    with world(theatre, has_own_home=is_elected, is_crowded=fault.place is failing_page) as w:
        first = w.start(*arguments, **settings)
        prepare(w, point)
        lever = reach(w, point, fault)
        leader = w.cluster.lease(w.home).get("holderIdentity")
        strike(w, first, cell.blow)
        if fault.at_blow:
            fault.place(w, point.operation)
        lever.release(drop=not point.lands)
        second = w.start(*arguments, **settings)
        lies = rest(w, point)
        if is_elected:
            eventually(
                lambda: w.cluster.lease(w.home)["holderIdentity"] not in {leader, THIEF}, "the second leads", LONG
            )
        living = (second, first) if recover(first, cell.blow, is_elected=is_elected) else (second,)
        if cell.blow is not Blow.KILLED:
            w.look_on(*living)
            lies += rest(w, point)
        release(w)
        w.look_on(*living)
        return [*lies, *w.lies(), *w.findings(), *idleness(w, cell)]


def reach(w: World, point: Point, fault: Fault) -> Lever:
    """A call that is held is hit by the fault when it is released."""
    if not isinstance(point.at, AtNovita) and not fault.at_blow:
        fault.place(w, point.operation)
    lever = point.at.hold(w, point.operation)
    if isinstance(point.at, AtNovita) and not fault.at_blow:
        fault.place(w, point.operation)
    trigger(w, point)
    lever.wait_reached()
    return lever


def strike(w: World, first: OperatorProcess, blow: Blow) -> None:
    match blow:
        case Blow.KILLED:
            first.process.kill()  # at once: `kill` has a last look at its pages
        case Blow.FROZEN_LEADER | Blow.FROZEN:
            first.process.send_signal(signal.SIGSTOP)
        case Blow.ROBBED:
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            thief = {"holderIdentity": THIEF, "acquireTime": now, "renewTime": now, "leaseDurationSeconds": 1}
            w.cluster.patch_lease(w.home, thief)


def recover(first: OperatorProcess, blow: Blow, *, is_elected: bool) -> bool:
    """Whoever has lost the lease ends; without election it works on beside the second, as the answer says."""
    if blow in {Blow.FROZEN_LEADER, Blow.FROZEN}:
        first.process.send_signal(signal.SIGCONT)
    if is_elected:
        eventually(lambda: first.process.poll() is not None, "the first has ended", LONG)
    return blow is Blow.FROZEN and not is_elected


def idleness(w: World, cell: Cell) -> Iterable[str]:
    """A cell in which the fault never came into play shows nothing; who lives on may try again, and so meet it."""
    is_met, is_idle = FAULTS[cell.fault].is_met(w), (cell.point, cell.fault) in IDLE
    if not is_met and not is_idle:
        yield f"{cell.fault}: never came into play"
    if is_met and is_idle and cell.blow is Blow.KILLED:
        yield f"{cell.fault}: came into play, and `IDLE` says that it does not"


def prepare(w: World, point: Point) -> None:
    if point.operation == "create":
        return
    apply(w)
    w.cluster.wait(NAME, "Ready", LONG)
    if point.operation == "start":
        w.cluster.patch(NAME, {"spec": {"powerState": "Stopped"}})
        w.cluster.wait(NAME, "Ready", LONG)


def apply(w: World) -> None:
    w.cluster.apply(NAME, env=[{"name": "TOKEN", "value": SECRET}])


def trigger(w: World, point: Point) -> None:
    match point.operation:
        case "create":
            apply(w)
        case "stop":
            w.cluster.patch(NAME, {"spec": {"powerState": "Stopped"}})
        case "start":
            w.cluster.patch(NAME, {"spec": {"powerState": "Running"}})
        case "delete":
            w.cluster.begin_delete(NAME)


def rest(w: World, point: Point) -> list[str]:
    """Until the object is as wanted; what status said wrongly then."""
    if point.operation == "delete":
        w.cluster.wait_gone(NAME, LONG)
        return []
    w.cluster.wait(NAME, "Ready", LONGEST)
    return [*w.lies(), *w.leaks()]


def release(w: World) -> None:
    """Until the object is gone."""
    if w.cluster.find(NAME):
        w.cluster.begin_delete(NAME)
        w.cluster.wait_gone(NAME, LONG)
