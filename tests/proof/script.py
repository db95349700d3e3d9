"""What happens in a soak, from the seed alone: which deed on which name at which second of a cycle.

When a deed lands in what the operators are doing is the machine's business, so a seed repeats the play, not the timing.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

CLAIM_WINDOW = 6.0
LIST_LAG = 1.0
LONGEST_FREEZE = 0.8 * CLAIM_WINDOW / 3
"""Shorter than what a claim may be old: a longer one between check and send is a case that no client can close."""
LONGEST_HOLD = CLAIM_WINDOW / 4
LONGEST_LAG = 0.7 * LIST_LAG
DISASTERS = 0.3
"""Of all cycles."""
MOST_RESTORED = 4

Word = TypeVar("Word", bound=str)
Cast = Literal["one", "elected", "unelected"]
CASTS: Mapping[Cast, int] = {"one": 2, "elected": 5, "unelected": 3}


class Deed(NamedTuple):
    """`at` seconds from the beginning of the cycle; `dice` seeds whatever else the deed must choose."""

    at: float
    what: str
    name: str
    dice: int


class Act(NamedTuple):
    """One cycle: who plays, for how long, what is done to them, and whether a disaster and a restore follow."""

    cast: Cast
    seconds: float
    deeds: tuple[Deed, ...]
    has_disaster: bool


USERS: Mapping[str, int] = {
    "create": 30,
    "stop": 7,
    "start": 9,
    "delete": 9,
    "recreate": 5,
    "wipe": 10,
    "copy": 3,
    "pause": 2,
    "unpause": 5,
    "edit": 8,
    "nudge": 5,
    "retain": 2,
}
NOVITA: Mapping[str, int] = {
    "call goes wrong": 22,
    "list lies": 8,
    "quirk": 3,
    "no stock": 2,
    "price": 1,
    "crash": 5,
    "vanish": 3,
    "many vanish": 1,
    "reclaim": 4,
    "freeze": 2,
    "fate": 4,
    "odd word": 2,
    "foreigner comes": 3,
    "foreigner goes": 2,
}
CLUSTER: Mapping[str, int] = {"wire cut": 3, "request held": 6, "lease held": 2, "outage": 1}
OPERATORS: Mapping[str, int] = {"kill": 5, "term": 3, "freeze operator": 5}

_OFTEN = {"users": 58, "novita": 34, "cluster": 5, "operators": 5}
_WEIGHTS = {"users": USERS, "novita": NOVITA, "cluster": CLUSTER, "operators": OPERATORS}

IMPOSSIBLE: Mapping[str, Mapping[str, Any]] = {
    "NoStock": {"productId": "H100-80GB.20c200g", "billing": {"mode": "OnDemand"}},
    "TooExpensive": {"billing": {"mode": "Spot", "maxPricePerHour": "10m"}},
    "RegionNotFound": {"regions": ["atlantis-1"]},
    "ProductNotFound": {"productId": "4090.16c96g.v2", "billing": {"mode": "Spot"}},
}
"""Specs that Novita can never meet, by the reason that status must give."""

POSSIBLE: Sequence[Mapping[str, Any]] = (
    {},
    {"billing": {"mode": "OnDemand"}},
    {"billing": {"mode": "Spot", "spotFallback": "OnDemand"}},
    {"regions": ["us-ca-6"]},
    {"regions": ["cn-hongkong-1", "us-ca-6"], "regionPolicy": "Cheapest"},
    {"regions": ["CN-HK-01", "US-CA-06"]},
    {"productId": "26", "regions": ["CN-HK-01"]},
    {"productId": "A100-80GB.14c240g"},
    {"productId": "4090.16c96g.v2", "billing": {"mode": "OnDemand"}},
    {"templateId": "901"},
    {"templateId": "101", "productId": "A100-80GB.14c240g"},
    {"rootDiskSizeGB": 80, "billing": {"mode": "OnDemand", "maxPricePerHour": "20"}},
)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"trainer-{number}" for number in range(count))


def act(seed: str, cycle: int, on: Sequence[str], *, has_outages: bool = True) -> Act:
    """The cycle's deeds, in the order of time."""
    dice = random.Random(f"{seed}/{cycle}")
    seconds = dice.uniform(6, 18)
    pace = dice.choice((3.0, 6.0, 10.0))
    calm = frozenset(dice.sample(sorted(_OFTEN), dice.choice((0, 0, 0, 1)))) - {"users"}
    often = {who: times for who, times in _OFTEN.items() if who not in calm}
    deeds = [_deed(dice, seconds, often, on) for _ in range(round(seconds * pace))]
    kept = [deed for deed in deeds if has_outages or deed.what != "outage"]
    return Act(pick(dice, CASTS), seconds, tuple(sorted(kept)), has_disaster=dice.random() < DISASTERS)


def spec(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """A valid spec, and the reason for which it can never be met, mostly none."""
    if dice.random() < 0.08:
        never = dice.choice(sorted(IMPOSSIBLE))
        return never, dict(IMPOSSIBLE[never])
    chosen = dict(dice.choice(POSSIBLE))
    if dice.random() < 0.15:
        chosen["gpuCount"] = 2
    if dice.random() < 0.15:
        chosen["powerState"] = "Stopped"
    if dice.random() < 0.12:
        chosen["deletionPolicy"] = "Retain"
    if dice.random() < 0.5:
        chosen["ports"] = [{"port": 8080, "protocol": "HTTP"}, {"port": 22, "protocol": "TCP"}]
    return "", chosen


def _deed(dice: random.Random, seconds: float, often: Mapping[str, int], on: Sequence[str]) -> Deed:
    what = pick(dice, _WEIGHTS[pick(dice, often)])
    return Deed(dice.uniform(0, seconds), what, dice.choice(on), dice.getrandbits(32))


def pick(dice: random.Random, weights: Mapping[Word, int]) -> Word:
    return dice.choices(list(weights), list(weights.values()))[0]
