"""One list of all pages or an error, whatever the page base, the page size and the server's honesty."""

import asyncio
from collections.abc import Awaitable, Callable
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novita_operator.cloud.errors import IncompleteList
from novita_operator.cloud.paging import PAGE_SIZE, whole_list
from novita_operator.cloud.wire import Page
from novita_operator.model.machine import Machine, MachineState

Fetch = Callable[[int], Awaitable[Page]]


def fleet(count: int) -> tuple[Machine, ...]:
    return tuple(Machine(f"m-{number}", f"name-{number}", MachineState.RUNNING) for number in range(count))


class Server:
    """Cuts its machines into pages, and counts how often it was asked."""

    def __init__(self, machines: tuple[Machine, ...], *, base: int = 0, size: int = PAGE_SIZE) -> None:
        self.machines = machines
        self.base = base
        self.size = size
        self.asked = 0

    async def __call__(self, number: int) -> Page:
        self.asked += 1
        start = max(0, number - self.base) * self.size
        return Page(self.machines[start : start + self.size], len(self.machines))


def listed(fetch: Fetch) -> tuple[Machine, ...]:
    return asyncio.run(_whole(fetch))


async def _whole(fetch: Fetch) -> tuple[Machine, ...]:
    return await whole_list(fetch)


@given(count=st.integers(0, 450), base=st.integers(0, 1), size=st.integers(1, PAGE_SIZE))
def test_an_honest_list_is_complete_whatever_base_and_page_size(count: int, base: int, size: int):
    server = Server(fleet(count), base=base, size=size)
    assert listed(server) == server.machines
    assert server.asked <= ceil(count / size) + base + 1


@given(count=st.integers(0, PAGE_SIZE), base=st.integers(0, 1))
def test_what_fits_on_one_page_is_one_call(count: int, base: int):
    server = Server(fleet(count), base=base)
    assert listed(server) == server.machines
    assert server.asked == 1


pages = st.lists(
    st.builds(
        lambda ids, total: Page(tuple(Machine(f"m-{each}", "", MachineState.RUNNING) for each in ids), total),
        st.lists(st.integers(0, 6), max_size=4),
        st.integers(0, 7),
    ),
    min_size=1,
    max_size=8,
)


@given(pages)
def test_any_answers_give_a_list_that_adds_up_or_an_error_and_always_an_end(answers: list[Page]):
    used: list[Page] = []

    async def fetch(number: int) -> Page:
        used.append(answers[min(number, len(answers) - 1)])
        return used[-1]

    try:
        found = listed(fetch)
    except IncompleteList:
        pass
    else:
        assert {page.total for page in used} == {len({machine.id for machine in found})} == {len(found)}
        assert {machine.id for machine in found} == {machine.id for page in used for machine in page.machines}
    assert len(used) <= answers[0].total + 2


def test_a_server_that_ignores_page_numbers_ends_in_an_error_after_three_calls():
    asked: list[int] = []

    async def fetch(number: int) -> Page:
        asked.append(number)
        return Page(fleet(PAGE_SIZE), 250)

    with pytest.raises(IncompleteList):
        listed(fetch)
    assert asked == [0, 1, 2]


def test_a_total_without_machines_ends_in_an_error_after_one_call():
    server = Server((), size=1)

    async def fetch(number: int) -> Page:
        return Page((await server(number)).machines, 5)

    with pytest.raises(IncompleteList):
        listed(fetch)
    assert server.asked == 1


def test_a_server_whose_list_never_ends_ends_in_an_error():
    async def fetch(number: int) -> Page:
        return Page((Machine(f"m-{number}", "", MachineState.RUNNING),), 10**9)

    with pytest.raises(IncompleteList):
        listed(fetch)


@given(st.integers(101, 400), st.data())
def test_a_machine_that_comes_or_goes_between_pages_is_an_error(count: int, data: st.DataObject):
    change = data.draw(st.integers(1, ceil(count / PAGE_SIZE) - 1))
    more = data.draw(st.sampled_from([-1, 1]))
    before, after = Server(fleet(count)), Server(fleet(count + more))

    async def fetch(number: int) -> Page:
        return await (after if number >= change else before)(number)

    with pytest.raises(IncompleteList):
        listed(fetch)


def test_a_page_that_fails_is_no_list():
    async def fetch(number: int) -> Page:
        if number == 1:
            raise TimeoutError
        return Page(fleet(PAGE_SIZE), 250)

    with pytest.raises(TimeoutError):
        listed(fetch)


def test_a_page_that_shows_a_machine_again_beside_new_ones_is_no_list():
    answers = (Page(fleet(2), 3), Page(fleet(3)[1:], 3))

    async def fetch(number: int) -> Page:
        return answers[number]

    with pytest.raises(IncompleteList, match="again"):
        listed(fetch)
