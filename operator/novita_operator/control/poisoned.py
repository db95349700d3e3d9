"""Objects that the API server accepts and nobody here understands: each hurts only itself, and is told of.

An object that was understood before is set aside all the same: to act on what it said then would be to guess. It is
not forgotten: when it is mended it is looked at as after a restart, and until then its machine counts as its own.
"""

import logging

from novita_operator.cluster.recorder import Recorder
from novita_operator.control.memory import Memory
from novita_operator.model.instance import Unreadable
from novita_operator.model.notice import Notice, NoticeType, Subject

_NOTE = "The operator does not understand this resource, so nothing is done for it, not even a deletion. Correct {}."

logger = logging.getLogger(__name__)


def set_aside(found: Unreadable, memory: Memory, recorder: Recorder) -> None:
    """Have memory know, and tell people once for each kind of wrong."""
    if memory.set_aside(found):
        logger.error("%s, so it is left alone", found)
        subject = Subject(found.namespace, found.name, found.uid)
        recorder.emit(Notice(subject, NoticeType.WARNING, "Unreadable", "Read", _NOTE.format(found.why)))
