"""Objects that cannot be understood: what is kept of them, and who tells of them."""

import gc
from typing import TYPE_CHECKING, Any, cast

import pytest

from build import NOW, POLICY, poisoned, spec
from novita_operator.control.clock import Clock
from novita_operator.control.memory import Memory
from novita_operator.control.poisoned import Quarantine
from novita_operator.handlers import observe
from novita_operator.model.instance import GpuInstance, Unreadable
from novita_operator.model.notice import Notice

if TYPE_CHECKING:
    from novita_operator.cluster.recorder import Recorder
    from novita_operator.control.workqueue import WorkQueue


class Body(dict[str, Any]):
    """What the API server sent; findable among all that Python holds."""


class Told:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def emit(self, notice: Notice) -> None:
        self.notes.append(notice.note)


def memory() -> Memory:
    return Memory(POLICY, Clock(lambda: NOW, lambda: 100.0), started=100.0)


def body() -> Body:
    metadata = {"namespace": "default", "name": "trainer", "uid": "u", "resourceVersion": "1", "generation": 1}
    return Body(metadata=metadata, spec=spec(image=7, env=[{"name": "TOKEN", "value": "hunter2-hunter2"}]))


def test_nothing_is_kept_of_the_object_but_its_name_and_what_is_wrong():
    known = memory()
    quarantine = Quarantine(known, cast("Recorder", None), may_act=lambda: False)
    gc.disable()
    try:
        observe({"object": body()}, known, cast("WorkQueue", None), quarantine.set_aside)
        held = [each for each in gc.get_objects() if isinstance(each, Body)]
    finally:
        gc.enable()
    assert ([found.name for found in known.unreadable.values()], held) == (["trainer"], [])


def test_the_error_has_no_error_behind_it_that_holds_the_object():
    with pytest.raises(Unreadable) as caught:
        GpuInstance.read(body())
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)


def test_a_standby_says_nothing_until_it_leads():
    told, leads = Told(), False
    quarantine = Quarantine(memory(), cast("Recorder", told), may_act=lambda: leads)
    quarantine.set_aside(Unreadable(poisoned("1")))
    assert told.notes == []
    leads = True
    quarantine.tell_all()
    assert len(told.notes) == 1


def test_who_may_act_tells_once_for_each_kind_of_wrong():
    told = Told()
    quarantine = Quarantine(memory(), cast("Recorder", told), may_act=lambda: True)
    for version, why in (("1", "spec.image"), ("2", "spec.image"), ("3", "spec.ports")):
        quarantine.set_aside(Unreadable(poisoned(version, why)))
    assert [note.rpartition(" ")[2] for note in told.notes] == ["spec.image.", "spec.ports."]
