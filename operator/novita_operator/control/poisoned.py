"""Objects that the API server accepts and nobody here understands: each hurts only itself, and is told of.

An object that was understood before is set aside all the same: to act on what it said then would be to guess. It is
not forgotten: when it is mended it is looked at as after a restart, and until then its machine counts as its own.
"""

import logging
from collections.abc import Callable

from novita_operator.cluster.recorder import Recorder
from novita_operator.control.memory import Memory
from novita_operator.model.instance import GpuInstance, Poisoned, Unreadable
from novita_operator.model.notice import Notice, NoticeType, Subject
from novita_operator.model.reasons import Incident

_NOTE = "The operator does not understand this resource, so nothing is done for it, not even a deletion. Correct {}."

logger = logging.getLogger(__name__)


class Quarantine:
    """Has memory know of them, and tells people once for each kind of wrong; only who may act tells, a standby logs."""

    def __init__(self, memory: Memory, recorder: Recorder, *, may_act: Callable[[], bool]) -> None:
        self._memory = memory
        self._recorder = recorder
        self._may_act = may_act

    def set_aside(self, error: Unreadable, before: GpuInstance | Poisoned | None = None) -> None:
        """`before` is what was known when a read past every cache began."""
        if self._memory.set_aside(error.found, before):
            logger.error("%s, so it is left alone", error.found)
            if self._may_act():
                self._tell(error.found)

    def tell_all(self) -> None:
        """The lead was taken: tell what was set aside while standing by."""
        for found in self._memory.unreadable.values():
            self._tell(found)

    def _tell(self, found: Poisoned) -> None:
        subject = Subject(found.namespace, found.name, found.uid)
        self._recorder.emit(Notice(subject, NoticeType.WARNING, Incident.UNREADABLE, "Read", _NOTE.format(found.why)))
