"""The kill matrix as data: where the operator is killed, and what else goes wrong with the call in flight.

A cell is one point and one fault. The first operator is brought to the point, held there by a lever at one of its two
sides, and killed with SIGKILL; what was on its way then lands or is lost, as the point says; a second operator finds
the world as it is. `play` gives back the findings of one cell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER
from novita_simulator.faults import Operation
from proof.wire import Held, Sent
from proof.world import Theatre, World, world
from stage import PATIENCE, eventually

NAME = "trainer"
LONG = 2 * PATIENCE
LAG = 0.4
"""Seconds that a lagging list is behind; the operator allows for 0.5."""


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
    """The call is in flight, and the lease was not renewed for most of its renew deadline (2 s of 3 s)."""

    def hold(self, w: World, operation: Operation) -> Lever:
        return _OfLease(w, AtNovita("before").hold(w, operation))


class _OfLease(NamedTuple):
    w: World
    call: Lever

    def wait_reached(self) -> None:
        self.call.wait_reached()
        renewal = self.w.wire.hold(is_lease, "before", is_lasting=True)
        renewal.wait_reached()
        eventually(lambda: self._age() > 1.7, "the lease is old")

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
    """`at` holds the operator while it does `operation`; `lands`: what is held happens all the same after the kill."""

    operation: Literal["create", "stop", "start", "delete"]
    at: AtNovita | AtKubernetes | AtTheLease
    lands: bool
    arguments: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)


ELECTED = ("--leader-elect",)
PATIENT = {"NOVITA_OPERATOR_CLAIM_WINDOW": "12s"}

POINTS: dict[str, Point] = {
    "before the claim": Point("create", AtKubernetes(is_claim, "before"), lands=False),
    "claim on its way": Point("create", AtKubernetes(is_claim, "before"), lands=True),
    "claim written": Point("create", AtKubernetes(is_claim, "after"), lands=False),
    "create received, never applied": Point("create", AtNovita("before"), lands=False),
    "create received, applied after the kill": Point("create", AtNovita("before"), lands=True),
    "create applied, not answered": Point("create", AtNovita("after"), lands=False),
    "create answered, id not recorded": Point("create", AtKubernetes(is_record, "before"), lands=False),
    "id recorded, not acknowledged": Point("create", AtKubernetes(is_record, "after"), lands=False),
    "lease about to expire, create in flight": Point(
        "create", AtTheLease(), lands=True, arguments=ELECTED, settings=PATIENT
    ),
    "stop received, never applied": Point("stop", AtNovita("before"), lands=False),
    "stop applied, not answered": Point("stop", AtNovita("after"), lands=False),
    "start received, never applied": Point("start", AtNovita("before"), lands=False),
    "start applied, not answered": Point("start", AtNovita("after"), lands=False),
    "delete received, never applied": Point("delete", AtNovita("before"), lands=False),
    "delete received, applied after the kill": Point("delete", AtNovita("before"), lands=True),
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
    w.novita.quirks(not_found="empty_200")


def missing_not_found(w: World, _: Operation) -> None:
    w.novita.quirks(not_found="404")


def nothing(_: World, __: Operation) -> None:
    pass


class Fault(NamedTuple):
    """Placed when the scene is set, or at the kill, for the second operator's first look."""

    place: Callable[[World, Operation], None]
    at_kill: bool = False


FAULTS: dict[str, Fault] = {
    "nothing else": Fault(nothing),
    "lost answer": Fault(lost_answer),
    "5xx before": Fault(error_before),
    "5xx after": Fault(error_after),
    "hang": Fault(hang),
    "429": Fault(throttled),
    "list lag": Fault(lagging_list),
    "failing page": Fault(failing_page, at_kill=True),
    "not found as 404": Fault(missing_not_found),
    "not found as an empty 200": Fault(empty_not_found),
}


class Cell(NamedTuple):
    """One kill."""

    point: str
    fault: str


CELLS = tuple(Cell(point, fault) for point in POINTS for fault in FAULTS)


def sample() -> list[Cell]:
    """The part that runs in `make test`: each point with two or three faults, each fault at several points."""
    every = 4
    names = list(POINTS), list(FAULTS)
    return [cell for cell in CELLS if (names[0].index(cell.point) + names[1].index(cell.fault)) % every == 0]


def play(cell: Cell, theatre: Theatre) -> list[str]:
    """Set the scene, kill, let the second operator work, and judge: at rest, and when the object is gone."""
    point, fault = POINTS[cell.point], FAULTS[cell.fault]
    with world(theatre, has_own_home=bool(point.arguments), is_crowded=fault.place is failing_page) as w:
        first = w.start(*point.arguments, **point.settings)
        prepare(w, point)
        if not isinstance(point.at, AtNovita) and not fault.at_kill:
            fault.place(w, point.operation)
        lever = point.at.hold(w, point.operation)
        if isinstance(point.at, AtNovita) and not fault.at_kill:
            fault.place(w, point.operation)
        trigger(w, point)
        lever.wait_reached()
        first.kill()
        if fault.at_kill:
            fault.place(w, point.operation)
        lever.release(drop=not point.lands)
        w.start(*point.arguments, **point.settings)
        return [*rest(w, point), *w.findings(), *w.leftovers()]


def prepare(w: World, point: Point) -> None:
    if point.operation == "create":
        return
    w.cluster.apply(NAME)
    w.cluster.wait(NAME, "Ready", LONG)
    if point.operation == "start":
        w.cluster.patch(NAME, {"spec": {"powerState": "Stopped"}})
        w.cluster.wait(NAME, "Ready", LONG)


def trigger(w: World, point: Point) -> None:
    match point.operation:
        case "create":
            w.cluster.apply(NAME)
        case "stop":
            w.cluster.patch(NAME, {"spec": {"powerState": "Stopped"}})
        case "start":
            w.cluster.patch(NAME, {"spec": {"powerState": "Running"}})
        case "delete":
            w.cluster.begin_delete(NAME)


def rest(w: World, point: Point) -> list[str]:
    """Until the object is as wanted, and then gone; what status said wrongly when it was."""
    lies: list[str] = []
    if point.operation != "delete":
        w.cluster.wait(NAME, "Ready", LONG)
        lies = w.lies(NAME)
        w.cluster.begin_delete(NAME)
    w.cluster.wait_gone(NAME, LONG)
    return lies
