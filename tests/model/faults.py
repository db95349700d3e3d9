"""The faults that the state machine must find, by the names that the issue gives them: each changes a real function."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import pytest

from build import market
from model.process import Process
from model.world import Finding
from novita_operator.cloud import paging
from novita_operator.cloud.errors import CloudError, NotDone, NotSent, Unknown
from novita_operator.cloud.wire import Page
from novita_operator.cluster.errors import Conflict, Gone, Unreachable
from novita_operator.cluster.instances import Instances, Version
from novita_operator.control import orphans
from novita_operator.control.act import Hands
from novita_operator.control.launch import Launcher
from novita_operator.control.orphans import Sweep
from novita_operator.control.reconciler import Reconciler
from novita_operator.decision import absence
from novita_operator.decision.actions import Decision, Delete, Launch, ReadAlone, ReadKin, Release
from novita_operator.decision.choose import choose
from novita_operator.decision.order import order
from novita_operator.decision.orphans import Orphan
from novita_operator.decision.rules import launch as launch_rule
from novita_operator.decision.situation import CallResult, CreateCall, Kin, Reading, Situation, Trace
from novita_operator.model.claim import CLAIM_ANNOTATION, Claim
from novita_operator.model.instance import GpuInstance
from novita_operator.model.machine import Machine
from novita_operator.model.market import Order
from novita_operator.model.naming import machine_name

# ruff: noqa: SLF001  the faults sit in the midst of the parts


class Fault(NamedTuple):
    """What is planted, and what the judge may find of it: as in the table of docs/testing.md."""

    plant: Callable[[pytest.MonkeyPatch], None]
    findings: tuple[Finding, ...]


def _instead(place: object, name: str, fault: object, *findings: Finding) -> Fault:
    return Fault(lambda patch: patch.setattr(place, name, fault), findings)


def _order(launcher: Launcher, s: Situation, action: Launch) -> Order:
    mark = s.instance.mark(s.policy.cluster_id)
    assert s.market is not None, "it was chosen from"
    return order(s.instance.spec, s.market, action.offer, machine_name(mark, launcher._token()), mark)


def _launching(
    do: Callable[[Launcher, Situation, Launch, Order], Awaitable[None]],
) -> Callable[[Launcher, Situation, Launch], Awaitable[None]]:
    """A `Launcher.launch` around its faulty core."""

    async def launch(self: Launcher, s: Situation, action: Launch) -> None:
        try:
            await do(self, s, action, _order(self, s, action))
        except NotDone as error:
            self._setbacks.remember(s, error, action.offer.shelf)

    return launch


async def _claim_after_the_call(self: Launcher, s: Situation, action: Launch, wanted: Order) -> None:
    async with self._cloud.admit_create() as admission:
        entry = self._memory.entries[s.uid]
        await self._create(entry, admission, wanted, self._memory.clock.boot() + s.policy.claim_window / 3)
        called = entry.create_call
        entry = await self._write(s, self._claim(s, action, wanted.name))
        entry.create_call = called


async def _age_from_the_answer(self: Launcher, s: Situation, action: Launch, wanted: Order) -> None:
    async with self._cloud.admit_create() as admission:
        entry = await self._write(s, self._claim(s, action, wanted.name))
        await self._create(entry, admission, wanted, self._memory.clock.boot() + s.policy.claim_window / 3)


async def _limiter_behind_the_last_check(self: Launcher, s: Situation, action: Launch, wanted: Order) -> None:
    began = self._memory.clock.boot()
    entry = await self._write(s, self._claim(s, action, wanted.name))
    if self._memory.clock.boot() >= began + s.policy.claim_window / 3:
        raise NotSent("the claim grew too old")
    entry.create_call = CreateCall(wanted.name, CallResult.UNCERTAIN)
    async with self._cloud.admit_create() as admission:
        try:
            machine_id = await admission.create(wanted, lambda: None)
        except Unknown:
            return
    entry.create_call = CreateCall(wanted.name, CallResult.CREATED, machine_id)


def _old_claim_taken_for_its_own(patch: pytest.MonkeyPatch) -> None:
    """Whoever wrote a claim without an outcome, it is called for while it is young."""
    step = Reconciler.step

    async def faulty(self: Reconciler, uid: str) -> None:
        memory = self._memory
        entry = memory.entries[uid]
        claim, age = entry.instance.claim, self._memory.policy.claim_window / 3
        is_open = claim is not None and entry.create_call is None and entry.instance.recorded_id is None
        if claim is not None and is_open and (memory.clock.now() - claim.at).total_seconds() < age:
            launcher = self._hands._launcher
            s, too_late = memory.situation(uid, market()), memory.clock.boot() + age
            offer = choose(s.instance.spec, market(), "", {}, s.now).offer
            assert offer is not None, "there is stock"
            mark = s.instance.mark(s.policy.cluster_id)
            wanted = order(s.instance.spec, market(), offer, claim.machine, mark)
            async with launcher._cloud.admit_create() as admission:
                try:
                    await launcher._create(entry, admission, wanted, too_late)
                except NotDone:
                    return
        await step(self, uid)

    patch.setattr(Reconciler, "step", faulty)


async def _what_came_of_the_list(fetch: Callable[[int], Awaitable[Page]]) -> tuple[Machine, ...]:
    """A page that fails ends the list, and what came before it is believed."""
    found: dict[str, Machine] = {}
    for number in range(100):
        try:
            page = await fetch(number)
        except CloudError:
            break
        found |= {machine.id: machine for machine in page.machines}
        if len(found) >= page.total:
            break
    return tuple(found.values())


async def _no_second_reading(self: Hands, s: Situation, look: ReadAlone) -> None:
    if entry := self._memory.entries.get(s.uid):
        entry.alone = Reading(look.name, look.after_list, None)


async def _no_second_reading_of_kin(self: Hands, s: Situation, look: ReadKin) -> None:
    if entry := self._memory.entries.get(s.uid):
        entry.kin = Kin(look.after_list, is_shown=False)


async def _second_reading_is_a_list(self: Hands, s: Situation, look: ReadAlone) -> None:
    """An item can slip between its pages as in the first."""
    shown = s.owned(await self._cloud.machines())
    found = next((machine for machine in shown if machine.name == look.name), None)
    if entry := self._memory.entries.get(s.uid):
        entry.alone = Reading(look.name, look.after_list, found)


async def _second_reading_of_kin_is_a_list(self: Hands, s: Situation, look: ReadKin) -> None:
    shown = s.owned(await self._cloud.machines())
    if entry := self._memory.entries.get(s.uid):
        entry.kin = Kin(look.after_list, is_shown=bool(shown))


def _second_readings(alone: object, kin: object, *findings: Finding) -> Fault:
    """Both at once: before a launch one of them makes up for the other."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Hands, "_read_alone", alone)
        patch.setattr(Hands, "_read_kin", kin)

    return Fault(plant, findings)


def _counts_from(*, window: bool, lag: bool) -> Callable[[Situation, Trace], float]:
    def counts_from(s: Situation, trace: Trace) -> float:
        acknowledged = s.deleted.get(trace.machine_id or "")
        if acknowledged is not None:
            return acknowledged
        return s.trace_seen + s.policy.claim_window * window + s.policy.list_lag * lag

    return counts_from


def _first_claim_without_a_look(s: Situation) -> Decision | None:
    return _not_safe(s) if s.claim is not None or s.fleet is None or s.ours else None


_not_safe = launch_rule._not_safe


def _record_repeated(patch: pytest.MonkeyPatch) -> None:
    """After a conflict the same patch is sent again, with the newer version."""
    write = Instances.write_status

    async def again(self: Instances, instance: GpuInstance, status: Mapping[str, Any]) -> GpuInstance:
        try:
            return await write(self, instance, status)
        except Conflict:
            fresh = await self.read(instance.metadata.namespace, instance.metadata.name)
            return await write(self, fresh, status)

    patch.setattr(Instances, "write_status", again)


def _finalizer_removal_repeated(patch: pytest.MonkeyPatch) -> None:
    release = Instances.release

    async def again(self: Instances, instance: GpuInstance) -> None:
        try:
            await release(self, instance)
        except (Conflict, Unreachable):
            await release(self, await self.read(instance.metadata.namespace, instance.metadata.name))

    patch.setattr(Instances, "release", again)


def _finalizer_dropped_unacknowledged(patch: pytest.MonkeyPatch) -> None:
    """The delete call went out; that it was not answered does not hold up the release."""
    delete = Hands._delete

    async def faulty(self: Hands, s: Situation, d: Decision, action: Delete) -> None:
        try:
            await delete(self, s, d, action)
        except Unknown:
            if s.instance.is_deleting:
                await self._release(s, d, Release())
            raise

    patch.setattr(Hands, "_delete", faulty)


def _tokens_that_come_back(patch: pytest.MonkeyPatch) -> None:
    """Every run draws the same."""
    born = Process.__init__

    def faulty(self: Process, *args: Any) -> None:
        born(self, *args)
        tokens = iter(range(10**6))
        self.launcher._token = lambda: f"{next(tokens):08d}"

    patch.setattr(Process, "__init__", faulty)


def _any_claim(self: GpuInstance) -> Claim | None:
    """A claim counts for the object that bears it, whichever UID and name stand in it."""
    text = self.metadata.annotations.get(CLAIM_ANNOTATION)
    return None if text is None else Claim.model_validate_json(text).model_copy(update={"uid": self.uid})


def second_look_for_heirs_only(patch: pytest.MonkeyPatch) -> None:
    """No fault by itself: the second look before a delete spares no object that the first should have seen."""
    has_heir = Sweep._has_heir

    async def weak(self: Sweep, orphan: Orphan) -> bool:
        with suppress(Gone):
            if (await self._instances.read(*orphan.mark.owner)).uid == orphan.mark.uid:
                return False
        return await has_heir(self, orphan)

    patch.setattr(Sweep, "_has_heir", weak)


def _objects_before_machines(patch: pytest.MonkeyPatch) -> None:
    second_look_for_heirs_only(patch)
    look = Sweep.look

    async def faulty(self: Sweep) -> tuple[Orphan, ...]:
        before = await Instances.versions(self._instances, None)

        async def known(_: str | None) -> dict[str, Version]:
            return before

        patch.setattr(self._instances, "versions", known)
        return await look(self)

    patch.setattr(Sweep, "look", faulty)


def _sweep_from_memory(patch: pytest.MonkeyPatch) -> None:
    second_look_for_heirs_only(patch)
    born = Process.__init__

    def faulty(self: Process, *args: Any) -> None:
        born(self, *args)

        async def known(_: str | None) -> dict[str, Version]:
            return {i.uid: Version(*i.owner, i.metadata.resource_version) for i in self.memory.instances()}

        patch.setattr(self.sweep._instances, "versions", known)

    patch.setattr(Process, "__init__", faulty)


_DOUBLE, _LEFT = Finding.DOUBLE, Finding.LEFT_BEHIND
_UNTRUE, _WRONGED = Finding.UNTRUE, Finding.WRONGED

FAULTS: Mapping[str, Fault] = {
    "claim written after the call": _instead(Launcher, "launch", _launching(_claim_after_the_call), _DOUBLE, _LEFT),
    "list lag ignored": _instead(absence, "counts_from", _counts_from(window=True, lag=False), _DOUBLE, _LEFT, _UNTRUE),
    "W not waited": _instead(absence, "counts_from", _counts_from(window=False, lag=True), _DOUBLE),
    "absence concluded from a partial list": _instead(paging, "whole_list", _what_came_of_the_list, _DOUBLE, _LEFT),
    "absence concluded from one list": _second_readings(
        _no_second_reading, _no_second_reading_of_kin, _DOUBLE, _UNTRUE
    ),
    "the claim's age counted from its answer": _instead(
        Launcher, "launch", _launching(_age_from_the_answer), _DOUBLE, _LEFT
    ),
    "the limiter behind the last check": _instead(
        Launcher, "launch", _launching(_limiter_behind_the_last_check), _DOUBLE, _LEFT
    ),
    "a restarted process that takes an old claim for its own": Fault(_old_claim_taken_for_its_own, (_DOUBLE,)),
    "the record trusted over the claim": _instead(
        GpuInstance, "recorded_id", property(lambda self: self.status.instance_id if self.claim else None), _DOUBLE
    ),
    "a record repeated on a newer version": Fault(_record_repeated, (_UNTRUE,)),
    "a finalizer removal repeated on a newer version": Fault(_finalizer_removal_repeated, (_LEFT,)),
    "a first claim without a look at the fleet": _instead(
        launch_rule, "_not_safe", _first_claim_without_a_look, _DOUBLE
    ),
    "finalizer dropped after a delete that was not acknowledged": Fault(_finalizer_dropped_unacknowledged, (_LEFT,)),
    "launch tokens that come back": Fault(_tokens_that_come_back, (_DOUBLE, _UNTRUE)),
    "an item that slipped between pages": _second_readings(
        _second_reading_is_a_list, _second_reading_of_kin_is_a_list, _DOUBLE
    ),
    "a claim copied from another object": _instead(GpuInstance, "claim", property(_any_claim), _UNTRUE),
    "an old claim put back that counts over a later launch": _instead(Situation, "overtaking", None, _WRONGED),
    "a restored object's claim counts for nothing": _instead(GpuInstance, "restored_claim", None, _DOUBLE, _WRONGED),
    "a sweep that does not ask for the heir": _instead(orphans, "_is_inherited", lambda *_: False, _WRONGED),
    "a sweep that reads objects before machines": Fault(_objects_before_machines, (_WRONGED,)),
    "a sweep that reads from memory": Fault(_sweep_from_memory, (_WRONGED,)),
}
