"""The soak's judge: what must hold of a whole account and all its objects once everything has come to rest.

Pure: it looks at values, not at time or wires, and answers in sentences; an empty list is the good news.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from novita_simulator.ledger import Entry
from novita_simulator.views import MachineView
from proof.told import Scene, Told, last_life, owner_of
from proof.truths import lies


def doubles(entries: Iterable[Entry], cluster_id: str, heirs: Mapping[str, str]) -> list[str]:
    """Objects that ever had more than one machine at one moment, in all their lives."""
    moments: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for entry in entries:
        if uid := last_life(owner_of(entry.name, entry.mark, cluster_id), heirs):
            moments[uid].append((entry.created, 1))
            if entry.ended is not None:
                moments[uid].append((entry.ended, -1))
    return [f"{peak} machines at once for {uid}" for uid, at in moments.items() if (peak := _peak(at)) > 1]


def _peak(moments: list[tuple[float, int]]) -> int:
    alive, peak = 0, 0
    for _, change in sorted(moments):
        alive += change
        peak = max(peak, alive)
    return peak


def findings(scene: Scene) -> list[str]:
    """What is not true, not said, or not yet at rest."""
    groups: defaultdict[str, list[MachineView]] = defaultdict(list)
    for machine in scene.machines:
        if machine.status != "removed" and (uid := scene.owner(machine)):
            groups[uid].append(machine)
    living = {resource["metadata"]["uid"] for resource in scene.objects}
    told = [Told(each, tuple(groups[each["metadata"]["uid"]]), scene) for each in scene.objects]
    return [*_leftovers(groups, living, scene), *(f"{_name(t)}: {lie}" for t in told for lie in lies(t))]


def _name(told: Told) -> str:
    return str(told.resource["metadata"]["name"])


def _leftovers(groups: Mapping[str, Collection[MachineView]], living: Collection[str], scene: Scene) -> Iterator[str]:
    for uid, machines in groups.items():
        for machine in machines if uid not in living else ():
            if uid not in scene.let_go:
                yield f"machine {machine.name} ({machine.status}) is left behind, and nobody said Retain"
            elif machine.id not in scene.retained:
                yield f"machine {machine.name} ({machine.status}) was let go, and the list of retained ones lacks it"
