"""The gate in virtual time: the most urgent first, silence when Novita asks for it, and nobody who leaves is missed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from novita_operator import metrics
from novita_operator.cloud.errors import (
    CloudError,
    IncompleteList,
    NotFound,
    NotSent,
    OutOfStock,
    Throttled,
    Unauthorized,
    Unknown,
)
from novita_operator.cloud.operations import Operation
from novita_operator.cloud.pacing import Gate
from virtual_time import virtual_time

REST = 30.0


def gate(*, calls_per_minute: int = 100) -> Gate:
    return Gate(calls_per_minute=calls_per_minute, clock=asyncio.get_running_loop().time, random=lambda: 1.0)


def now() -> float:
    return asyncio.get_running_loop().time()


class Novita:
    """Answers as told, the last answer for ever, and remembers when it was called."""

    def __init__(self, *answers: CloudError | None) -> None:
        self.answers = list(answers) or [None]
        self.called: list[float] = []

    async def __call__(self) -> str:
        self.called.append(now())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise answer
        return "answer"


async def settled() -> None:
    """Let everybody run who can without the clock."""
    for _ in range(20):
        await asyncio.sleep(0)


async def fails(call: Awaitable[object], error: type[CloudError]) -> CloudError:
    with pytest.raises(error) as caught:
        await call
    assert type(caught.value) is error
    return caught.value


async def never() -> str:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


@virtual_time
async def test_three_tenths_of_the_budget_go_out_at_once_and_the_rest_evenly():
    paced, novita = gate(calls_per_minute=60), Novita()
    await asyncio.gather(*(paced.once(Operation.LIST, novita) for _ in range(33)))
    assert novita.called == pytest.approx([0.0] * 18 + [60 / 42 * late for late in range(1, 16)])


@virtual_time
async def test_a_budget_of_one_call_is_one_call_in_a_minute():
    paced, novita = gate(calls_per_minute=1), Novita()
    await asyncio.gather(*(paced.once(Operation.LIST, novita) for _ in range(3)))
    assert novita.called == pytest.approx([0.0, 60.0, 120.0])


@virtual_time
async def test_places_go_to_the_most_urgent_first_and_then_in_the_order_of_asking():
    paced = gate(calls_per_minute=1)
    await paced.once(Operation.LIST, Novita())
    order: list[str] = []

    def note(name: str) -> Callable[[], Awaitable[None]]:
        async def call() -> None:
            order.append(name)

        return call

    asked = ["products", "start", "restart", "create", "list", "get", "stop", "delete", "template"]
    await asyncio.gather(*(paced.once(next(o for o in Operation if o.label == name), note(name)) for name in asked))
    assert order == ["delete", "stop", "list", "get", "create", "start", "restart", "products", "template"]


@virtual_time
async def test_whoever_asks_late_but_urgently_goes_first():
    paced, price, delete = gate(calls_per_minute=1), Novita(), Novita()
    await paced.once(Operation.LIST, Novita())
    async with asyncio.TaskGroup() as group:
        group.create_task(paced.once(Operation.PRODUCTS, price))
        await asyncio.sleep(59)
        group.create_task(paced.once(Operation.DELETE, delete))
    assert delete.called < price.called


@virtual_time
async def test_a_cancelled_waiter_leaves_its_place_to_the_next():
    paced, novita = gate(calls_per_minute=1), Novita()
    await paced.once(Operation.LIST, Novita())
    first = asyncio.create_task(paced.once(Operation.DELETE, novita))
    second = asyncio.create_task(paced.once(Operation.PRODUCTS, novita))
    await settled()
    first.cancel()
    await second
    assert novita.called == pytest.approx([60.0])
    assert first.cancelled()


@pytest.mark.parametrize("moment", range(12))
def test_a_place_is_never_lost_at_whatever_moment_its_waiter_is_cancelled(moment: int):
    @virtual_time
    async def scenario() -> None:
        paced, novita = gate(calls_per_minute=1), Novita()
        first = asyncio.create_task(paced.once(Operation.DELETE, novita))
        second = asyncio.create_task(paced.once(Operation.PRODUCTS, novita))
        for _ in range(moment):
            await asyncio.sleep(0)
        first.cancel()
        await second
        assert novita.called[0] == 0.0
        assert first.cancelled() == (len(novita.called) == 1)

    scenario()


@pytest.mark.parametrize("error", [Throttled, Unknown], ids=["too many calls", "an answer without a reason"])
@virtual_time
async def test_the_whole_account_waits_as_long_as_novita_says(error: type[CloudError]):
    paced, novita = gate(), Novita()
    await fails(paced.once(Operation.CREATE, Novita(error("slow", retry_after=7))), error)
    await asyncio.gather(paced.once(Operation.DELETE, novita), paced.once(Operation.PRODUCTS, novita))
    assert novita.called == pytest.approx([7.0, 7.0])


@virtual_time
async def test_without_a_time_the_silence_doubles_up_to_a_minute():
    paced, novita = gate(calls_per_minute=1000), Novita(Throttled("slow"))
    for _ in range(9):
        await fails(paced.once(Operation.DELETE, novita), Throttled)
    pauses = [later - earlier for earlier, later in zip(novita.called, novita.called[1:], strict=False)]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


@virtual_time
async def test_a_success_ends_the_doubling():
    paced, novita = gate(), Novita(Throttled("slow"), Throttled("slow"), None, Throttled("slow"), None)
    await fails(paced.once(Operation.DELETE, novita), Throttled)
    await fails(paced.once(Operation.DELETE, novita), Throttled)
    await paced.once(Operation.DELETE, novita)
    await fails(paced.once(Operation.DELETE, novita), Throttled)
    await paced.once(Operation.DELETE, novita)
    assert novita.called == pytest.approx([0, 1, 3, 3, 4])


@virtual_time
async def test_calls_that_complain_together_lengthen_the_silence_once():
    paced, complaining, novita = gate(), Novita(Throttled("slow")), Novita()
    await asyncio.gather(*(paced.once(Operation.DELETE, complaining) for _ in range(5)), return_exceptions=True)
    await paced.once(Operation.DELETE, novita)
    assert novita.called == pytest.approx([1.0])


@virtual_time
async def test_a_longer_silence_that_is_asked_for_during_a_silence_counts():
    paced, novita, held = gate(), Novita(), asyncio.Event()

    async def late() -> None:
        await held.wait()
        raise Throttled("slower", retry_after=10)

    async with asyncio.TaskGroup() as group:
        slow = group.create_task(fails(paced.once(Operation.DELETE, late), Throttled))
        await settled()
        await fails(paced.once(Operation.DELETE, Novita(Throttled("slow", retry_after=5))), Throttled)
        group.create_task(paced.once(Operation.DELETE, novita))
        await asyncio.sleep(4)
        held.set()
        await slow
    assert novita.called == pytest.approx([14.0])


@virtual_time
async def test_a_class_that_fails_five_times_rests_and_the_others_go_on():
    paced, broken, novita = gate(), Novita(Unknown("broken", outage=True)), Novita()
    for _ in range(5):
        await fails(paced.once(Operation.LIST, broken), Unknown)
    refused = await fails(paced.once(Operation.GET, novita), NotSent)
    assert refused.retry_after == REST
    await paced.once(Operation.DELETE, novita)
    assert (len(broken.called), len(novita.called)) == (5, 1)


@virtual_time
async def test_a_refused_call_costs_no_place():
    paced, broken = gate(calls_per_minute=20), Novita(NotSent("no route", outage=True))
    for _ in range(5):
        await fails(paced.once(Operation.LIST, broken), NotSent)
    for _ in range(50):
        await fails(paced.once(Operation.LIST, broken), NotSent)
    await paced.once(Operation.DELETE, novita := Novita())
    assert novita.called == [0.0]


@virtual_time
async def test_refusals_and_lists_that_do_not_add_up_never_open_the_breaker():
    paced = gate()
    for error in (OutOfStock, NotFound, Unauthorized, IncompleteList, NotSent):
        for _ in range(6):
            await fails(paced.once(Operation.LIST, Novita(error("no"))), error)
    for _ in range(6):
        await fails(paced.once(Operation.LIST, Novita(Unknown("odd"))), Unknown)
    await paced.once(Operation.LIST, Novita())


@virtual_time
async def test_calls_that_wait_while_the_breaker_opens_are_not_sent():
    paced, broken = gate(calls_per_minute=5), Novita(Unknown("broken", outage=True))
    await asyncio.gather(*(paced.once(Operation.LIST, broken) for _ in range(9)), return_exceptions=True)
    assert len(broken.called) == 5


@virtual_time
async def test_after_the_rest_one_call_finds_out():
    paced = gate()
    for _ in range(5):
        await fails(paced.once(Operation.LIST, Novita(Unknown("broken", outage=True))), Unknown)
    await asyncio.sleep(REST)
    probe = asyncio.create_task(paced.once(Operation.LIST, never))
    await settled()
    await fails(paced.once(Operation.LIST, Novita()), NotSent)
    probe.cancel()
    await settled()
    await paced.once(Operation.LIST, Novita())
    await asyncio.gather(*(paced.once(Operation.LIST, Novita()) for _ in range(3)))


@virtual_time
async def test_a_probe_that_is_cancelled_in_the_queue_does_not_block_the_breaker():
    paced, novita = gate(calls_per_minute=5), Novita()
    for _ in range(5):
        await fails(paced.once(Operation.LIST, Novita(Unknown("broken", outage=True))), Unknown)
    await fails(paced.once(Operation.DELETE, Novita(Throttled("slow", retry_after=100))), Throttled)
    await asyncio.sleep(REST)
    probe = asyncio.create_task(paced.once(Operation.LIST, novita))
    await settled()
    probe.cancel()
    await settled()
    await paced.once(Operation.LIST, novita)
    assert len(novita.called) == 1


@virtual_time
async def test_a_passage_that_was_not_used_does_not_block_the_breaker():
    paced = gate()
    for _ in range(5):
        await fails(paced.once(Operation.CREATE, Novita(Unknown("broken", outage=True))), Unknown)
    await asyncio.sleep(REST)
    async with paced.passage(Operation.CREATE):
        await fails(paced.once(Operation.CREATE, Novita()), NotSent)
    await paced.once(Operation.CREATE, Novita())


@virtual_time
async def test_a_passage_s_failure_counts_even_where_the_holder_catches_it():
    paced = gate()
    for _ in range(5):
        async with paced.passage(Operation.CREATE) as passage:
            await fails(passage.attempt(Novita(Unknown("broken", outage=True))), Unknown)
    await fails(paced.once(Operation.CREATE, Novita()), NotSent)


@virtual_time
async def test_a_read_is_repeated_until_it_is_answered():
    novita = Novita(Unknown("broken", outage=True), NotSent("no route", outage=True), None)
    assert await gate().repeatedly(Operation.LIST, novita) == "answer"
    assert len(novita.called) == 3


@virtual_time
async def test_a_read_is_given_up_after_three_attempts():
    novita = Novita(Unknown("broken", outage=True))
    await fails(gate().repeatedly(Operation.LIST, novita), Unknown)
    assert len(novita.called) == 3


@virtual_time
async def test_a_throttled_read_is_repeated_when_novita_says():
    novita = Novita(Throttled("slow", retry_after=4), None)
    await gate().repeatedly(Operation.LIST, novita)
    assert novita.called == pytest.approx([0.0, 4.0])


@virtual_time
async def test_a_read_does_not_wait_longer_than_it_may_be_repeated():
    novita = Novita(Throttled("slow", retry_after=21))
    await fails(gate().repeatedly(Operation.LIST, novita), Throttled)
    assert len(novita.called) == 1


@pytest.mark.parametrize("error", [NotFound, Unauthorized, IncompleteList, NotSent, OutOfStock])
def test_what_a_repetition_cannot_mend_is_not_repeated(error: type[CloudError]):
    @virtual_time
    async def scenario() -> None:
        novita = Novita(error("no"))
        await fails(gate().repeatedly(Operation.LIST, novita), error)
        assert len(novita.called) == 1

    scenario()


@virtual_time
async def test_a_read_is_not_repeated_once_the_breaker_opens():
    paced, novita = gate(), Novita(Unknown("broken", outage=True))
    await fails(paced.repeatedly(Operation.LIST, novita), Unknown)
    await fails(paced.repeatedly(Operation.LIST, novita), NotSent)
    assert len(novita.called) == 5


@virtual_time
async def test_whoever_waits_when_the_gate_closes_is_let_go():
    paced = gate(calls_per_minute=1)
    await paced.once(Operation.LIST, Novita())
    waiting = asyncio.create_task(paced.once(Operation.LIST, Novita()))
    await settled()
    await paced.aclose()
    await asyncio.wait([waiting])
    assert waiting.cancelled()


def counted(operation: str, outcome: str) -> float:
    return (
        metrics.REGISTRY.get_sample_value("novita_api_requests_total", {"operation": operation, "outcome": outcome})
        or 0.0
    )


@virtual_time
async def test_every_attempt_is_counted_by_how_it_ended():
    before = {outcome: counted("get", outcome) for outcome in ("ok", "Unknown", "cancelled")}
    paced = gate()
    await paced.repeatedly(Operation.GET, Novita(Unknown("broken", outage=True), None))
    hanging = asyncio.create_task(paced.once(Operation.GET, never))
    await settled()
    hanging.cancel()
    await settled()
    assert {outcome: counted("get", outcome) - before[outcome] for outcome in before} == dict.fromkeys(before, 1.0)
