"""The hands: each does one thing, and leaves in memory what came of it, so that the next decision can know.

An unknown outcome stays unknown here; looking is the decision's business.
"""

import logging
from collections.abc import Callable
from typing import assert_never

from novita_operator import metrics
from novita_operator.cloud.errors import BadState, NotDone, NotFound, NotSent, Unknown
from novita_operator.cloud.port import Cloud
from novita_operator.cluster.errors import Gone
from novita_operator.cluster.instances import Instances
from novita_operator.cluster.recorder import Recorder
from novita_operator.cluster.retained import Retained
from novita_operator.control.launch import Launcher
from novita_operator.control.memory import Memory, Sight
from novita_operator.control.setbacks import Setbacks
from novita_operator.decision.actions import (
    Decision,
    Deed,
    Delete,
    DeleteCause,
    Launch,
    PutBack,
    ReadAlone,
    ReadKin,
    Release,
    Start,
    Stop,
)
from novita_operator.decision.notices import notice
from novita_operator.decision.situation import Kin, PowerCall, Reading, Situation, Verb
from novita_operator.model.machine import COMING_UP, Machine
from novita_operator.model.reasons import Reason

logger = logging.getLogger(__name__)


class Hands:
    """Does what was decided. `may_act` is false from the moment that the lease is lost."""

    def __init__(
        self,
        cloud: Cloud,
        instances: Instances,
        retained: Retained,
        recorder: Recorder,
        memory: Memory,
        launcher: Launcher,
        setbacks: Setbacks,
        *,
        may_act: Callable[[], bool],
    ) -> None:
        self._cloud = cloud
        self._instances = instances
        self._retained = retained
        self._recorder = recorder
        self._memory = memory
        self._launcher = launcher
        self._may_act = may_act
        self._setbacks = setbacks

    async def act(self, s: Situation, d: Decision, deed: Deed | ReadAlone | ReadKin) -> None:
        """Do it; returns when memory knows the outcome.

        Raises:
            CloudError: it could not be done, and nothing was learned: the step is repeated later.
            ClusterError: the object has changed or the API server is away: read again, decide again.
        """
        match deed:
            case ReadAlone():
                await self._read_alone(s, deed)
            case ReadKin():
                await self._read_kin(s, deed)
            case PutBack():
                await self._put_back(s, deed)
            case Launch():
                await self._launcher.launch(s, deed)
            case Start() | Stop() | Delete():
                if isinstance(deed, Delete) and deed.cause is not DeleteCause.RESOURCE_DELETED:
                    await self._see_again(s, deed)
                if await self._still_stands(s):
                    await self._lay_hand_on(s, d, deed)
            case Release():
                await self._release(s, d, deed)
            case _:
                assert_never(deed)

    async def _put_back(self, s: Situation, action: PutBack) -> None:
        """A machine of an earlier life may have been left running on purpose; from now on its object answers for it."""
        self._memory.keep_up(await self._instances.write_claim(s.instance, action.claim))
        for machine in s.ours:
            if machine.name == action.claim.machine and not s.is_of_this_life(machine.name):
                await self._retained.forget(machine.id)

    async def _lay_hand_on(self, s: Situation, d: Decision, deed: Start | Stop | Delete) -> None:
        match deed:
            case Start():
                await self._start(s, deed)
            case Stop():
                await self._stop(s, deed)
            case Delete():
                await self._delete(s, d, deed)
            case _:
                assert_never(deed)

    async def _still_stands(self, s: Situation) -> bool:
        """Whether the object is as it was decided on: *after* the list, and not by memory.

        While the API server is away nobody knows what is wanted, so no machine is touched.
        """
        fresh = await self._instances.read(s.instance.metadata.namespace, s.instance.metadata.name)
        if fresh.uid != s.uid:
            raise Gone("another object bears the name now")
        self._memory.reread(s.instance, fresh)
        return fresh.metadata.resource_version == s.instance.metadata.resource_version

    async def _read_alone(self, s: Situation, look: ReadAlone) -> None:
        """By id where it is known: then whatever bears that id counts as shown; else by exact name and our mark.

        Also by name if the id is not known there and no delete of it was acknowledged: the answer that named it may
        have been wrong.
        """
        found = await self._machine(look.machine_id) if look.machine_id is not None else None
        if found is None and look.machine_id not in self._memory.deleted:
            found = next(iter(s.owned(await self._cloud.machines_named(look.name))), None)
        if entry := self._memory.entries.get(s.uid):
            entry.alone = Reading(look.name, look.after_list, found)

    async def _read_kin(self, s: Situation, look: ReadKin) -> None:
        """In one life after the other; most objects have but one."""
        named = [await self._cloud.machines_named(part, exactly=False) for part in sorted(s.lives)]
        if entry := self._memory.entries.get(s.uid):
            entry.kin = Kin(look.after_list, any(map(s.owned, named)))

    async def _machine(self, machine_id: str) -> Machine | None:
        try:
            return await self._cloud.machine(machine_id)
        except NotFound:
            return None

    async def _start(self, s: Situation, action: Start) -> None:
        try:
            await self._cloud.start(action.machine_id, self._fence)
        except (Unknown, BadState) as error:
            logger.warning("start of %s is uncertain: %s", action.machine_id, error)
        except NotDone as error:
            self._setbacks.remember(s, error)
            return
        self._asked(s, action.machine_id, Verb.START, action.retry)

    async def _stop(self, s: Situation, action: Stop) -> None:
        try:
            await self._cloud.stop(action.machine_id, self._fence)
        except (Unknown, BadState) as error:
            logger.warning("stop of %s is uncertain: %s", action.machine_id, error)
        self._asked(s, action.machine_id, Verb.STOP, 0)

    def _asked(self, s: Situation, machine_id: str, verb: Verb, retry: int) -> None:
        """Done, or perhaps done: the next lists tell."""
        logger.info("asked Novita to %s %s", verb, machine_id)
        if entry := self._memory.entries.get(s.uid):
            entry.power_call = PowerCall(
                machine_id, verb, self._memory.clock.boot(), self._memory.clock.now(), s.instance.generation, retry
            )

    async def _delete(self, s: Situation, d: Decision, action: Delete) -> None:
        try:
            await self._cloud.delete(action.machine_id, self._fence)
        except NotFound:
            logger.info("machine %s is gone already", action.machine_id)
        self._memory.deleted[action.machine_id] = self._memory.clock.boot()
        logger.info("deleted machine %s: %s", action.machine_id, action.cause)
        if action.cause is DeleteCause.DUPLICATE:
            metrics.DUPLICATES_DELETED.inc()
        if action.cause is not DeleteCause.RESOURCE_DELETED:
            self._recorder.emit(notice(s.instance, d, d.reason, d.message))

    async def _see_again(self, s: Situation, action: Delete) -> None:
        """Raise `BadState` unless Novita, asked for the machine alone, shows it as the list did."""
        machine = await self._machine(action.machine_id)
        is_ours = machine is not None and bool(s.owned((machine,)))
        is_late = action.cause is not DeleteCause.STARTUP_TIMEOUT or (
            machine is not None and machine.state in COMING_UP
        )
        if not (is_ours and is_late):
            raise BadState(f"machine {action.machine_id} is not what the list showed, so it is not deleted")

    async def _release(self, s: Situation, d: Decision, action: Release) -> None:
        """What is retained is written down first: a machine that nobody knows of is a leak."""
        if action.retained and not await self._still_stands(s):
            return
        subject = f"{s.instance.metadata.namespace}/{s.instance.metadata.name}"
        for machine_id in action.retained:
            await self._retained.note(machine_id, subject)
            text = f"Machine {machine_id} is left running and billed, as deletionPolicy Retain says."
            self._recorder.emit(notice(s.instance, d, Reason.RETAINED, text))
        await self._instances.release(s.instance)
        self._memory.forget(s.uid)
        logger.info("released %s", subject)

    def _fence(self) -> None:
        """Checked last, as the call is written: it may have waited long for its place in the budget."""
        if not self._may_act():
            raise NotSent("the lease was lost before the call could be sent")
        if self._memory.sight() is not Sight.SEEING:
            raise NotSent("the list of the machines grew old before the call could be sent")
