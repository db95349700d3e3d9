"""Which machines no resource accounts for. Foreign machines are never even looked at."""

from collections.abc import Collection
from typing import NamedTuple

from novita_operator.model.machine import GOING_AWAY, Fleet, Machine, MachineState


class Orphan(NamedTuple):
    """A machine of ours without a resource; `is_retained` if it was left running on purpose."""

    machine: Machine
    is_retained: bool


def judge(
    fleet: Fleet, living: Collection[str], namespaces: Collection[str], retained: Collection[str]
) -> tuple[Orphan, ...]:
    """The machines whose UID is not among the `living`, in the watched namespaces (none named: all).

    `fleet` must have been listed before the `living` were read. A machine whose resource names another launch is a
    duplicate: the reconciler deletes it, and it is no orphan.
    """
    return tuple(
        Orphan(machine, machine.id in retained)
        for uid, group in fleet.ours.items()
        for machine in group
        if uid not in living and _is_judged(machine, namespaces)
    )


def _is_judged(machine: Machine, namespaces: Collection[str]) -> bool:
    if machine.state in GOING_AWAY or machine.state is MachineState.REMOVED or machine.mark is None:
        return False
    return not namespaces or machine.mark.namespace in namespaces
