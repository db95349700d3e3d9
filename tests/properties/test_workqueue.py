"""Whatever is added, delayed, taken and finished in whatever order: the queue behaves like a few dictionaries."""

import asyncio
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from novita_operator.control.workqueue import Urgency, WorkQueue
from virtual_time import VirtualTimeLoop

FIRST_RETRY = 2
LONGEST_RETRY = 16

keys = st.sampled_from("abc")
urgencies = st.sampled_from(Urgency)
seconds = st.integers(min_value=1, max_value=12)


class WorkQueueMachine(RuleBasedStateMachine):
    """`owed` is due now, `later` is due at a time, `busy` is in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.queue = WorkQueue(self.loop.time, first_retry=FIRST_RETRY, longest_retry=LONGEST_RETRY)
        self.owed: dict[str, Urgency] = {}
        self.later: dict[str, tuple[float, Urgency]] = {}
        self.busy: set[str] = set()
        self.failures: dict[str, int] = {}

    @rule(key=keys, urgency=urgencies)
    def add(self, key: str, urgency: Urgency) -> None:
        self.queue.add(key, urgency)
        self.owe(key, urgency)

    @rule(key=keys, wait=seconds, urgency=urgencies)
    def add_after(self, key: str, wait: int, urgency: Urgency) -> None:
        self.on_the_loop(lambda: self.queue.add_after(key, wait, urgency))
        self.delay(key, wait, urgency)

    @rule(key=keys)
    def add_rate_limited(self, key: str) -> None:
        self.on_the_loop(lambda: self.queue.add_rate_limited(key))
        failures = self.failures.get(key, 0)
        self.failures[key] = failures + 1
        self.delay(key, min(FIRST_RETRY * 2**failures, LONGEST_RETRY), Urgency.REST)

    @rule(key=keys)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.failures.pop(key, None)

    @rule()
    def take(self) -> None:
        key = self.loop.run_until_complete(self.get_now())
        waiting = {key: urgency for key, urgency in self.owed.items() if key not in self.busy}
        if key is None:
            assert not waiting, f"lost: {waiting}"
            return
        assert key in waiting, f"{key} is in flight, or nobody owes it"
        assert waiting[key] == min(waiting.values()), f"{key} is less urgent than others in {waiting}"
        del self.owed[key]
        self.busy.add(key)

    @rule()
    def take_all(self) -> None:
        while self.owed.keys() - self.busy:
            self.take()
        self.take()

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.busy)))
        self.queue.done(key)
        self.busy.remove(key)

    @rule(wait=seconds)
    def let_time_pass(self, wait: int) -> None:
        self.loop.run_until_complete(asyncio.sleep(wait + 0.5))
        for key, (when, urgency) in list(self.later.items()):
            if when <= self.loop.time():
                del self.later[key]
                self.owe(key, urgency)

    def teardown(self) -> None:
        self.let_time_pass(10_000)
        for key in sorted(self.busy):
            self.queue.done(key)
            self.busy.remove(key)
        self.take_all()
        self.loop.close()

    def owe(self, key: str, urgency: Urgency) -> None:
        self.owed[key] = min(urgency, self.owed.get(key, urgency))

    def delay(self, key: str, wait: float, urgency: Urgency) -> None:
        when, rank = self.later.get(key, (float("inf"), urgency))
        self.later[key] = (min(when, self.loop.time() + wait), min(rank, urgency))

    def on_the_loop(self, call: Callable[[], None]) -> None:
        async def run() -> None:
            call()

        self.loop.run_until_complete(run())

    async def get_now(self) -> str | None:
        getting = asyncio.create_task(self.queue.get())
        await asyncio.sleep(0)
        if getting.done():
            return getting.result()
        getting.cancel()
        return None


TestWorkQueue = WorkQueueMachine.TestCase
