import pytest

from novita_operator.decision.brake import Brake

NOBODY: frozenset[str] = frozenset()


def machines(count: int, first: int = 0) -> frozenset[str]:
    return frozenset(f"m-{number}" for number in range(first, first + count))


def seen(*lists: frozenset[str], expected: frozenset[str] = NOBODY) -> Brake:
    brake = Brake()
    for shown in lists:
        brake = brake.see(shown, expected)
    return brake


@pytest.mark.parametrize(
    ("known", "left", "is_on"),
    [
        pytest.param(0, 0, False, id="nothing was known"),
        pytest.param(5, 0, False, id="five of five are few"),
        pytest.param(6, 0, True, id="six of six are many"),
        pytest.param(29, 23, True, id="six of twenty-nine are more than a fifth"),
        pytest.param(30, 24, False, id="six of thirty are a fifth and no more"),
        pytest.param(100, 80, False, id="twenty of a hundred are a fifth and no more"),
        pytest.param(100, 79, True, id="twenty-one of a hundred are more than a fifth"),
        pytest.param(10, 10, False, id="all are there"),
        pytest.param(10, 20, False, id="more came"),
    ],
)
def test_it_brakes_when_more_than_five_and_more_than_a_fifth_vanish(known: int, left: int, *, is_on: bool) -> None:
    assert seen(machines(known), machines(left)).is_on is is_on


def test_machines_deleted_knowingly_have_not_vanished() -> None:
    assert not seen(machines(10), machines(2), expected=machines(8, first=2)).is_on
    assert seen(machines(10), machines(2), expected=machines(2, first=2)).is_on


def test_new_machines_do_not_make_up_for_vanished_ones() -> None:
    assert seen(machines(10), machines(10, first=50)).is_on


def test_the_first_list_is_believed() -> None:
    assert seen(machines(3)) == Brake(machines(3))


def test_it_goes_off_when_the_machines_are_back() -> None:
    assert seen(machines(10), machines(1), machines(10)) == Brake(machines(10))


def test_the_second_doubtful_list_is_still_doubted() -> None:
    assert seen(machines(10), machines(1), machines(1)) == Brake(machines(10), 2, machines(1))


def test_the_third_is_believed() -> None:
    assert seen(machines(10), machines(1), machines(1), machines(1)) == Brake(machines(1))


def test_lists_that_lack_other_machines_each_time_do_not_agree() -> None:
    lists = [machines(10), machines(10, first=10), machines(10, first=20)]
    assert seen(machines(30), *lists).is_on
    assert seen(machines(30), *lists, lists[-1]).is_on
    assert not seen(machines(30), *lists, lists[-1], lists[-1]).is_on


def test_what_is_missed_is_missed_from_the_last_list_that_was_believed() -> None:
    assert seen(machines(10), machines(4), machines(3)).is_on
    assert not seen(machines(10), machines(5), machines(0)).is_on
