from collections.abc import Sequence
from datetime import timedelta

import pytest

from build import NOW, instance
from novita_operator.decision.actions import Decision, Release, Rest
from novita_operator.decision.notices import notice, notices
from novita_operator.model.notice import Notice, NoticeType, Subject
from novita_operator.model.reasons import Reason
from novita_operator.model.status import Condition, Status

RESTS = Decision(Rest(), Reason.RUNNING, "")
GOOD = {Reason.RUNNING, Reason.STOPPED, Reason.STOPPING, Reason.LAUNCHED, Reason.PAUSED}
SUBJECT = Subject("default", "trainer", instance().uid)


def condition(kind: str, status: str, reason: Reason, message: str = "A sentence.") -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message, last_transition_time=NOW)


def told(before: Sequence[Condition], after: Sequence[Condition]) -> list[Notice]:
    subject = instance(status={"conditions": [old.model_dump(by_alias=True) for old in before]})
    return list(notices(subject, Status(conditions=tuple(after)), RESTS))


def ready(status: str, reason: Reason, message: str = "A sentence.") -> Condition:
    return condition("Ready", status, reason, message)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([], [], id="nothing is said at all"),
        pytest.param([ready("True", Reason.RUNNING)], [ready("True", Reason.RUNNING)], id="nothing changed"),
        pytest.param(
            [ready("False", Reason.NO_STOCK, "Old.")],
            [ready("False", Reason.NO_STOCK, "New.")],
            id="only the words changed",
        ),
        pytest.param([ready("True", Reason.RUNNING)], [], id="a condition went away"),
        pytest.param([], [ready("False", Reason.LAUNCHING)], id="on its way: launching"),
        pytest.param([], [ready("False", Reason.STARTING)], id="on its way: starting"),
        pytest.param([], [ready("False", Reason.DELETING)], id="on its way: deleting"),
        pytest.param([], [condition("Launched", "False", Reason.NOT_LAUNCHED)], id="nothing was launched yet"),
        pytest.param([], [condition("Running", "True", Reason.RUNNING)], id="a condition that Ready speaks for"),
        pytest.param([], [condition("Stalled", "True", Reason.FROZEN)], id="Stalled says what Ready says"),
    ],
)
def test_what_stands_still_or_is_on_its_way_is_silent(before: list[Condition], after: list[Condition]) -> None:
    assert told(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "reason", "kind"),
    [
        pytest.param([], ready("True", Reason.RUNNING), Reason.RUNNING, NoticeType.NORMAL, id="it became ready"),
        pytest.param(
            [ready("True", Reason.RUNNING)],
            ready("True", Reason.STOPPED),
            Reason.STOPPED,
            NoticeType.NORMAL,
            id="another reason of the same status",
        ),
        pytest.param(
            [ready("False", Reason.BRAKED)],
            ready("Unknown", Reason.BRAKED),
            Reason.BRAKED,
            NoticeType.WARNING,
            id="another status of the same reason",
        ),
        pytest.param(
            [condition("Launched", "False", Reason.NOT_LAUNCHED)],
            condition("Launched", "True", Reason.LAUNCHED),
            Reason.LAUNCHED,
            NoticeType.NORMAL,
            id="it was launched",
        ),
        pytest.param(
            [],
            condition("SpotReclaim", "True", Reason.SPOT_RECLAIM_ANNOUNCED),
            Reason.SPOT_RECLAIM_ANNOUNCED,
            NoticeType.WARNING,
            id="it will be taken back",
        ),
    ],
)
def test_a_change_is_told(before: list[Condition], after: Condition, reason: Reason, kind: NoticeType) -> None:
    assert told(before, [after]) == [Notice(SUBJECT, kind, reason, "Rest", "A sentence.")]


def test_several_changes_are_told_in_the_order_in_which_they_happen() -> None:
    after = [
        ready("False", Reason.SPOT_RECLAIMED),
        condition("SpotReclaim", "True", Reason.SPOT_RECLAIMED),
        condition("Launched", "True", Reason.LAUNCHED),
    ]
    assert [notice.reason for notice in told([], after)] == ["Launched", "SpotReclaimed", "SpotReclaimed"]


@pytest.mark.parametrize("reason", Reason)
def test_what_is_not_good_news_is_a_warning(reason: Reason) -> None:
    kind = NoticeType.NORMAL if reason in GOOD else NoticeType.WARNING
    assert notice(instance(), RESTS, reason, "So.").type is kind


def test_a_notice_says_what_was_done() -> None:
    released = Decision(Release(), Reason.DELETING, "")
    assert notice(instance(), released, Reason.RETAINED, "Left running.") == Notice(
        SUBJECT, NoticeType.WARNING, "Retained", "Release", "Left running."
    )


def test_a_condition_s_date_is_no_news() -> None:
    later = ready("True", Reason.RUNNING).model_copy(update={"last_transition_time": NOW + timedelta(hours=1)})
    assert told([ready("True", Reason.RUNNING)], [later]) == []
