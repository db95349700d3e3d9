"""Killed, frozen or robbed of its lease, with whatever else: one machine, the true status, nothing left behind."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from proof.matrix import CELLS, Cell, play
from proof.world import Theatre

pytestmark = pytest.mark.server

SIDE_BY_SIDE = 6

Played = Mapping[Cell, "Future[list[str]]"]


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, scenery: Theatre) -> Iterator[Played]:
    """The chosen cells, some at a time: most of each is waiting."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    mine = [item.callspec.params["cell"] for item in items if item.originalname == test_cell.__name__]
    chosen = [cell for cell in mine if isinstance(cell, Cell)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {cell: pool.submit(play, cell, scenery) for cell in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    "cell", [pytest.param(cell, id=str(cell), marks=() if cell.is_in_test else pytest.mark.proof) for cell in CELLS]
)
def test_cell(cell: Cell, played: Played) -> None:
    assert played[cell].result() == []
