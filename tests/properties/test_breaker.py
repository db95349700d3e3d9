"""Whatever calls do and whenever they end: the breaker opens after failures in a row, rests, and lets one call try."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from novita_operator.cloud.breaker import Breaker, Leave, Position
from novita_operator.cloud.errors import NotSent

FAILURES, REST = 3, 30.0


class BreakerUnderCalls(RuleBasedStateMachine):
    """The model is the story told from outside: failures in a row, the time of opening, the probe under way."""

    calls: Bundle[Leave] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(clock=lambda: self.now, failures=FAILURES, rest_seconds=REST)
        self.in_a_row = 0
        self.opened: float | None = None
        self.probe: Leave | None = None
        self.stale: set[int] = set()
        self.live: list[Leave] = []

    @rule(seconds=st.sampled_from([0.0, 1.0, REST - 1, REST, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=calls)
    def a_call_begins(self):
        if self.opened is None:
            return self._admitted()
        if self.probe is None and self.now >= self.opened + REST:
            self.probe = self._admitted()
            return self.probe
        with pytest.raises(NotSent) as refused:
            self.breaker.enter()
        if self.probe is None:
            assert refused.value.retry_after == self.opened + REST - self.now
        return multiple()

    @rule(call=consumes(calls))
    def a_call_succeeds(self, call: Leave) -> None:
        counts = self._counts(call)
        call.succeed()
        if counts:
            self._close()

    @rule(call=consumes(calls))
    def a_call_fails(self, call: Leave) -> None:
        counts = self._counts(call)
        call.fail()
        if counts:
            self.in_a_row += 1
            if call is self.probe or self.in_a_row == FAILURES:
                self._open(self.now)

    @rule(call=consumes(calls))
    def a_call_is_cancelled(self, call: Leave) -> None:
        call.abandon()
        if call is self.probe:
            self._open(self.now - REST)

    @rule(call=calls)
    def a_waiting_call_asks_whether_it_may_still_go(self, call: Leave) -> None:
        if self._counts(call):
            call.check()
        else:
            with pytest.raises(NotSent):
                call.check()

    @invariant()
    def it_stands_as_the_story_says(self) -> None:
        expected = Position.PROBING if self.probe else Position.CLOSED if self.opened is None else Position.OPEN
        assert self.breaker.position is expected
        is_rested = self.opened is not None and self.now >= self.opened + REST
        assert self.breaker.shown() is (Position.PROBING if is_rested else expected)

    def _admitted(self) -> Leave:
        leave = self.breaker.enter()
        self.live.append(leave)
        return leave

    def _counts(self, call: Leave) -> bool:
        return id(call) not in self.stale and (self.probe is None or call is self.probe)

    def _open(self, opened: float) -> None:
        self._forget_calls()
        self.opened, self.probe, self.in_a_row = opened, None, 0

    def _close(self) -> None:
        if self.probe:
            self._forget_calls()
        self.opened, self.probe, self.in_a_row = None, None, 0

    def _forget_calls(self) -> None:
        """Calls that began before the breaker turned say nothing about what it knows now."""
        self.stale.update(id(leave) for leave in self.live)


TestBreaker = BreakerUnderCalls.TestCase


def test_the_end_of_a_call_counts_once():
    breaker = Breaker(clock=lambda: 0.0, failures=2)
    leave = breaker.enter()
    leave.fail()
    leave.fail()
    leave.abandon()
    assert breaker.position is Position.CLOSED


def test_a_success_between_failures_keeps_it_closed():
    breaker = Breaker(clock=lambda: 0.0, failures=2)
    for end in ("fail", "succeed", "fail"):
        getattr(breaker.enter(), end)()
    assert breaker.position is Position.CLOSED
