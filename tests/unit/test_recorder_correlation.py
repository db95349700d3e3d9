"""Which notices become Events, with time turned by hand."""

from dataclasses import replace

from novita_operator.cluster.correlation import BURST, REFILL_SECONDS, REMEMBERED, SERIES_SECONDS, Correlator, Series
from novita_operator.model.notice import Notice, NoticeType, Subject

NOW = 1_795_000_000.0
NOTICE = Notice(Subject("default", "a", "uid-a"), NoticeType.WARNING, "NoStock", "Launch", "no stock in US-CA-06")


def test_a_repeat_within_the_window_counts_on_the_same_series():
    correlator = Correlator()
    first = take(correlator, NOTICE, NOW)
    again = take(correlator, NOTICE, NOW + SERIES_SECONDS)
    assert again is first
    assert (again.count, again.first, again.last) == (2, NOW, NOW + SERIES_SECONDS)


def test_each_repeat_keeps_the_window_open():
    correlator = Correlator()
    counts = [take(correlator, NOTICE, NOW + step * SERIES_SECONDS).count for step in range(5)]
    assert counts == [1, 2, 3, 4, 5]


def test_a_repeat_after_the_window_begins_anew():
    correlator = Correlator()
    first = take(correlator, NOTICE, NOW)
    later = take(correlator, NOTICE, NOW + SERIES_SECONDS + 1)
    assert later is not first
    assert (later.count, later.first) == (1, NOW + SERIES_SECONDS + 1)


def test_another_reason_note_or_object_is_another_series():
    correlator = Correlator()
    others = [replace(NOTICE, reason="NoMoney"), replace(NOTICE, note="no stock"), about("uid-b")]
    assert {take(correlator, notice, NOW).count for notice in [NOTICE, *others]} == {1}


def test_one_object_may_say_so_much_at_once_and_then_a_little():
    correlator = Correlator()
    said = [correlator.take(replace(NOTICE, note=str(number)), NOW) for number in range(30)]
    assert sum(series is not None for series in said) == BURST
    assert correlator.take(replace(NOTICE, note="late"), NOW + REFILL_SECONDS - 1) is None
    assert correlator.take(replace(NOTICE, note="late"), NOW + REFILL_SECONDS) is not None


def test_one_object_that_says_too_much_silences_no_other():
    correlator = Correlator()
    for number in range(30):
        correlator.take(replace(NOTICE, note=str(number)), NOW)
    assert correlator.take(about("uid-b"), NOW) is not None


def test_repeats_that_were_not_posted_are_in_the_next_count():
    correlator = Correlator()
    posted = [correlator.take(NOTICE, NOW) for _ in range(30)]
    assert posted[-1] is None
    assert take(correlator, NOTICE, NOW + REFILL_SECONDS).count == 31


def test_a_clock_that_is_set_back_gives_no_tokens_and_breaks_nothing():
    correlator = Correlator()
    for number in range(30):
        correlator.take(replace(NOTICE, note=str(number)), NOW)
    assert correlator.take(replace(NOTICE, note="back"), NOW - 1_000_000) is None


def test_memory_is_bounded_and_the_longest_silent_are_forgotten():
    correlator = Correlator()
    for number in range(REMEMBERED + 1):
        correlator.take(about(f"uid-{number}"), NOW)
    assert take(correlator, about(f"uid-{REMEMBERED}"), NOW).count == 2
    assert take(correlator, about("uid-0"), NOW).count == 1


def about(uid: str) -> Notice:
    return replace(NOTICE, subject=Subject("default", uid, uid))


def take(correlator: Correlator, notice: Notice, now: float) -> Series:
    series = correlator.take(notice, now)
    assert series is not None
    return series
