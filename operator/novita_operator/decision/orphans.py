"""Which machines no resource accounts for. Foreign machines are never even looked at."""

from collections.abc import Collection
from typing import NamedTuple

from novita_operator.model.machine import GOING_AWAY, Fleet, Machine, MachineState
from novita_operator.model.naming import Mark


class Orphan(NamedTuple):
    """A machine of ours without a resource; `is_retained` if it was left running on purpose."""

    machine: Machine
    is_retained: bool

    @property
    def mark(self) -> Mark:
        assert self.machine.mark is not None, "only what bears our mark is judged"
        return self.machine.mark


def judge(
    fleet: Fleet, living: Collection[str], namespaces: Collection[str], retained: Collection[str]
) -> tuple[Orphan, ...]:
    """The machines whose UID is not among the `living`, in the watched namespaces (none named: all).

    `fleet` must have been listed before the `living` were read. A machine whose resource names another launch is a
    duplicate: the reconciler deletes it, and it is no orphan.
    """
    return tuple(
        Orphan(machine, machine.id in retained)
        for group in fleet.ours.values()
        for machine in group
        if _is_judged(machine, living, namespaces)
    )


def _is_judged(machine: Machine, living: Collection[str], namespaces: Collection[str]) -> bool:
    if machine.state in GOING_AWAY or machine.state is MachineState.REMOVED:
        return False
    if machine.mark is None or machine.mark.uid in living:
        return False
    return not namespaces or machine.mark.namespace in namespaces
