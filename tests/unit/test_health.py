from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from novita_operator.health import Dependency, Health
from novita_operator.model.spelling import Address

NEVER = 3600.0


class HandClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A health site on a free port, whose heart beats no second time during a test."""

    def __init__(self) -> None:
        self.address = Address("", 0)
        self.clock = HandClock()
        self.registry = CollectorRegistry()
        self.novita = Dependency(ok=True, detail="seeing")
        self.health = Health(
            ("127.0.0.1", 0),
            {"novita": lambda: self.novita},
            registry=self.registry,
            clock=self.clock,
            beat=NEVER,
        )

    async def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        async with (
            aiohttp.ClientSession(f"http://{self.address}") as session,
            session.get(path, headers=headers) as response,
        ):
            return response.status, await response.text(), response.content_type


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    made.address = await made.health.start()
    yield made
    await made.health.stop()


async def test_the_process_lives_while_its_loop_turns_even_if_nothing_else_works(site: Site):
    site.novita = Dependency(ok=False, detail="blind")
    assert (await site.get("/livez"))[0] == 200


async def test_the_process_counts_as_dead_while_its_loop_is_blocked_for_over_ten_seconds(site: Site):
    site.clock.now += NEVER + 10
    assert (await site.get("/livez"))[0] == 200
    site.clock.now += 1
    status, text, _ = await site.get("/livez")
    assert status == 503
    assert "blocked" in text


async def test_it_is_ready_from_the_first_sync_until_the_shutdown(site: Site):
    states = [(await site.get("/readyz"))[0]]
    site.health.synced = True
    states.append((await site.get("/readyz"))[0])
    site.health.closing = True
    states.append((await site.get("/readyz"))[0])
    assert states == [503, 200, 503]


async def test_a_lost_dependency_is_shown_and_changes_nothing_else(site: Site):
    site.health.synced = True
    site.novita = Dependency(ok=False, detail="blind: 502")
    status, text, content_type = await site.get("/readyz")
    assert status == 200
    assert content_type == "application/json"
    assert text == '{"state": "ready", "dependencies": {"novita": {"ok": false, "detail": "blind: 502"}}}'


async def test_metrics_come_in_the_format_that_is_asked_for(site: Site):
    Counter("launches_total", "Launches.", registry=site.registry).inc()
    status, text, content_type = await site.get("/metrics")
    assert (status, content_type) == (200, "text/plain")
    assert "launches_total 1.0" in text
    _, text, content_type = await site.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert content_type == "application/openmetrics-text"
    assert text.endswith("# EOF\n")


async def test_whoever_names_metrics_gets_no_others(site: Site):
    for name in ("launches", "stops", "starts"):
        Counter(f"{name}_total", "Calls.", registry=site.registry).inc()
    _, text, _ = await site.get("/metrics?name[]=launches_total&name[]=stops_total")
    assert [name in text for name in ("launches_total 1.0", "stops_total 1.0", "starts_total")] == [True, True, False]


async def test_a_second_stop_does_nothing(site: Site):
    await site.health.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await site.get("/livez")


async def test_port_zero_is_a_free_port(site: Site):
    assert site.address.port > 0
    assert str(site.address) == f"127.0.0.1:{site.address.port}"
