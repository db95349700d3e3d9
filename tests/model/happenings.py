"""What can come after something was done, drawn so that the dangerous orders are likely."""

from typing import NamedTuple

from hypothesis import strategies as st

from model.cloud import Landing, Removal, Trouble
from model.line import Kind, Mishap


class Then(NamedTuple):
    """What comes after something was done: mishaps await, time passes for some, and what hangs may go on.

    `wiped`: in the last moment before that, somebody replaces all objects, with their status if it is `both`.
    """

    mishaps: tuple[tuple[Kind, Mishap], ...]
    seconds: float
    who: slice
    wiped: str
    hangs_end: bool


BOTH, FIRST, SECOND = slice(None), slice(1), slice(1, None)
_SPANS = (0, 0, 2, 11, 22, 42, 75, 75, 75, 150)
"""Seconds: nothing; the list lag; W/3; a late landing; W + list lag, and more; the longest pause between launches."""
_HANGS = (Mishap.HANGS_BEFORE, Mishap.HANGS_AFTER)
_ENDS = tuple(mishap for mishap in Mishap if mishap not in _HANGS)
SLOW_LINE = (
    (Kind.ADMIT, Mishap.SLOW_TO_GO),
    (Kind.CLAIM, Mishap.SLOW_ANSWER),
    (Kind.CREATE, Mishap.SLOW_TO_GO),
    (Kind.RECORD, Mishap.CRASH_BEFORE),
)
"""A launch that takes as long as it may, and of which nobody hears."""
_OUTLIVED = tuple(((kind, Mishap.HANGS_BEFORE),) for kind in (Kind.RECORD, Kind.RECORD, Kind.RELEASE, Kind.CLAIM))
"""Writes that go out when another process has long gone on."""
_BIRTH = (Kind.CLAIM, Kind.CREATE, Kind.RECORD)
_DEATH = (Kind.DELETE, Kind.RELEASE)


def either(*equals: st.SearchStrategy[Then]) -> st.SearchStrategy[Then]:
    """As often the one as the other, however many branches each has; `|` counts branches."""
    return st.sampled_from(equals).flatmap(lambda chosen: chosen)


def _then(*kinds: Kind) -> st.SearchStrategy[Then]:
    """Mishaps mostly of these kinds."""
    kind = st.sampled_from([*kinds * (30 // len(kinds)), *Kind])
    who = st.sampled_from([BOTH, BOTH, BOTH, FIRST, SECOND])
    seconds, long = st.sampled_from(_SPANS), st.sampled_from(_SPANS[3:])
    hanging, ending = st.tuples(kind, st.sampled_from(_HANGS)), st.tuples(kind, st.sampled_from(_ENDS))
    wiped, mostly, no = (
        st.sampled_from(["", "", "", "metadata", "both"]),
        st.sampled_from([True, True, False]),
        st.just(""),
    )
    return either(
        st.builds(Then, st.just(()), seconds, who, wiped, st.booleans()),
        st.builds(Then, st.tuples(ending), seconds, who, no, st.booleans()),
        st.builds(Then, st.tuples(hanging), long, who, wiped, mostly),
        st.builds(Then, st.just(SLOW_LINE), long, who, no, mostly),
        st.builds(Then, st.sampled_from(_OUTLIVED), st.sampled_from(_SPANS[6:]), who, wiped, st.just(value=True)),
    )


one = st.sampled_from([0, -1])
anything, birth, death = _then(*_BIRTH, *_DEATH), _then(*_BIRTH), _then(*_DEATH)
unseen = st.builds(
    Then,
    st.just(()),
    st.sampled_from([22, 22, 42, 75]),
    st.sampled_from([FIRST, SECOND]),
    st.sampled_from(["metadata", "both", "both"]),
    st.booleans(),
)
"""One process freezes, and does not see what the other does, nor that it is wiped."""
losses = st.sampled_from([Mishap.LOST_BEFORE, Mishap.LATE, Mishap.LOST_AFTER])
unanswered = st.builds(
    Then,
    losses.map(lambda lost: ((Kind.DELETE, lost),)),
    st.sampled_from([22, 42]),
    st.just(BOTH),
    st.just(""),
    st.booleans(),
)
quiet = st.builds(Then, st.just(()), st.sampled_from([42, 75]), st.just(BOTH), st.just(""), st.booleans())
landings = st.sampled_from([Landing.AT_ONCE, *Landing, Landing.AT_THE_LAST_MOMENT])
births = st.sampled_from([*(("landing", landing) for landing in Landing), ("slow_start", True), ("slow_start", False)])
troubles = st.sampled_from([*Trouble, Trouble.BAD_PAGE, Trouble.SLIP, Trouble.SLIP])
delays = st.sampled_from([*(("removal", each) for each in Removal), *(("lags", lags) for lags in (True, True, False))])
restores = st.sampled_from(
    [
        "over it",
        *["over it with status"] * 2,
        "anew",
        "anew, unseen",
        "anew with finalizers",
        "anew with finalizers and status",
        "anew with finalizers and status, unseen",
    ]
)
wishes = st.sampled_from(
    [
        ("powerState", "Running"),
        ("powerState", "Running"),
        ("powerState", "Stopped"),
        ("deletionPolicy", "Retain"),
        ("deletionPolicy", "Delete"),
        ("paused", "true"),
        ("paused", "false"),
        ("paused", "false"),
    ]
)
