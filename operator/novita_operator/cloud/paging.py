"""One complete list out of pages, or an error: a list that does not add up would say "absent" of what is there."""

from collections.abc import Awaitable, Callable

from novita_operator.cloud.errors import IncompleteList
from novita_operator.cloud.wire import Page
from novita_operator.model.machine import Machine

PAGE_SIZE = 100
_MOST_PAGES = 1000


async def whole_list(fetch: Callable[[int], Awaitable[Page]]) -> tuple[Machine, ...]:
    """Every machine, by asking for page 0, 1, 2 … until `total` distinct ids have come.

    It is right whether Novita counts pages from 0 or from 1: then page 1 is page 0 again, and page 2 goes on. No other
    page may bring a machine again, so a server that ignores page numbers ends in an error after three calls (API
    reference 3.4; docs/architecture.md, step 7).

    Raises:
        IncompleteList: the pages do not agree, or end too early.
        CloudError: what `fetch` raises; a part of a list is never given back.
    """
    found: dict[str, Machine] = {}
    total = 0
    for number in range(_MOST_PAGES):
        page = await fetch(number)
        fresh = {machine.id: machine for machine in page.machines if machine.id not in found}
        if number and len(fresh) < len(page.machines) and (number > 1 or fresh or len(page.machines) < len(found)):
            raise IncompleteList(f"Novita's list shows machines again on its page {number}")
        found |= fresh
        total = total if number else page.total
        if page.total != total or len(found) > total:
            raise IncompleteList(f"Novita's list does not add up: {total} machines, then {page.total}")
        if len(found) == total:
            return tuple(found.values())
        if not fresh and number != 1:
            break
    raise IncompleteList(f"Novita counts {total} machines and showed {len(found)}")
