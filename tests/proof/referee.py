"""Who looks, in a soak, and how: rest is truth that stands still; the books tell what must never have happened."""

from collections import Counter
from collections.abc import Callable

import httpx2

from component.operator_fixtures import WRITES
from proof.cast import Players
from proof.mishaps import Novita
from proof.told import Resource, Scene
from proof.users import Users
from proof.verdict import doubles, findings
from proof.world import World

QUIET = 3.0
"""Seconds without a write, and so at least two lists of each operator, before rest is believed."""
_RETAINED = "/api/v1/namespaces/{}/configmaps/novita-operator-retained"


class Referee:
    """Reads the scene and passes it to the judge."""

    def __init__(self, world: World, cluster_id: str, users: Users, novita: Novita, players: Players) -> None:
        self._world = world
        self._cluster_id = cluster_id
        self._users = users
        self._novita = novita
        self._players = players

    def scene(self) -> Scene:
        """What is there and what is told, now."""
        answer = self._world.cluster.http.get(_RETAINED.format(self._world.home))
        return self._world.scene()._replace(
            retained=frozenset(answer.json().get("data") or ()),
            let_go=frozenset(self._users.let_go),
            refusals=self._novita.refusals,
            heirs=dict(self._users.heirs),
        )

    def restless(self, wait: Callable[[float], None]) -> list[str]:
        """Empty if all is true, and stays so without a write for a while."""
        try:
            return self._restless(wait)
        except httpx2.HTTPError as error:
            return [f"the API server does not answer: {error}"]

    def _restless(self, wait: Callable[[float], None]) -> list[str]:
        if not self._players.is_complete():
            return ["an operator is not there"]
        before = self.scene()
        if found := findings(before):
            return found
        started, asked = self._players.counts["start"], self._writes()
        wait(QUIET)
        after = self.scene()
        if found := findings(after):
            return found
        if self._players.counts["start"] != started:
            return ["an operator ended at rest"]
        return [*_written(before, after), *(f"{each} at rest" for each in self._writes()[len(asked) :])]

    def _writes(self) -> list[str]:
        return [
            f"{a.operation} of {a.name or a.machine_id}" for a in self._world.novita.journal() if a.operation in WRITES
        ]

    def judge(self, counts: Counter[str]) -> list[str]:
        """What must never have happened, whatever else did."""
        ledger, journal = self._world.novita.ledger(), self._world.novita.journal()
        scene = self.scene()
        counts["machines created"] = sum(bool(e.mark) for e in ledger.entries)
        names = {e.id: e.mark.split("/")[2] for e in ledger.entries if e.mark}
        found = doubles(ledger.entries, self._cluster_id, self._users.heirs)
        for asked in journal:
            counts[f"calls: {asked.operation}"] += 1
            if asked.operation not in WRITES or not asked.machine_id:
                continue
            if asked.machine_id in self._novita.seen:
                found.append(f"{asked.operation} of the foreign machine {self._novita.seen[asked.machine_id]}")
            if asked.operation == "delete" and asked.machine_id in scene.retained and asked.is_applied:
                was_late = asked.at < self._users.retained_at.get(names[asked.machine_id], 0)
                found += [] if was_late else [f"the retained machine {asked.machine_id} was deleted"]
        there = {machine.id: machine.status for machine in scene.machines}
        for stranger, name in self._novita.strangers.items():
            if there.get(stranger) != "running":
                found.append(f"the foreign machine {name} is {there.get(stranger, 'gone')}")
        return [*found, *self._world.leaks(), *self._players.complaints()]


def _written(before: Scene, after: Scene) -> list[str]:
    """Objects that somebody wrote at rest; one that waits for its next try may have been tried."""
    versions = {_uid(each): each["metadata"]["resourceVersion"] for each in before.objects if not _may_move(each)}
    return [
        f"{each['metadata']['name']} was written at rest ({_reason(each)})"
        for each in after.objects
        if versions.get(_uid(each), each["metadata"]["resourceVersion"]) != each["metadata"]["resourceVersion"]
    ]


def _uid(resource: Resource) -> str:
    return str(resource["metadata"]["uid"])


def _reason(resource: Resource) -> str:
    conditions = resource.get("status", {}).get("conditions", ())
    return next((each["reason"] for each in conditions if each["type"] == "Ready"), "")


def _may_move(resource: Resource) -> bool:
    return _reason(resource) == "Retrying"
