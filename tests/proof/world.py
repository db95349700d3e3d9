"""One scene of the proof: a namespace, a Novita, operators as processes between them, and the judge of it all.

The judge is the simulator's ledger: what lived when, whose hand was laid on what. Findings are sentences.
"""

import contextlib
import secrets
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from component.operator_fixtures import FOREIGN, WRITES
from controlplane.plane import ControlPlane
from leaks import shown_in
from novita_operator.model.naming import MARK_ENV
from novita_simulator.client import Simulator
from novita_simulator.running import running
from novita_simulator.views import MachineView
from proof import verdict
from proof.kube import Kube
from proof.told import Scene
from proof.wire import Wire, wired
from stage import PATIENCE, QUICK, OperatorProcess, eventually, install_account, install_crd

HOME = "home-of-proof"
LONG = 2 * PATIENCE
CROWD = 101
"""Machines of other people, so that every list has two pages."""
_GONE = frozenset({"toRemove", "removing", "removed"})


class Theatre(NamedTuple):
    """What all scenes share: the API server, and an account for the operators that have no Lease."""

    plane: ControlPlane
    account: Path
    folder: Path


def theatre(plane: ControlPlane, folder: Path, home: str = HOME) -> Theatre:
    install_crd(plane)
    plane.kubectl("create", "namespace", home)
    return Theatre(plane, install_account(plane, home), folder)


class World:
    """One scene; `home` is the operators' own namespace."""

    def __init__(self, cluster: Kube, novita: Simulator, wire: Wire, folder: Path, home: str) -> None:
        self.cluster = cluster
        self.novita = novita
        self.wire = wire
        self.home = home
        self.operators: list[OperatorProcess] = []
        self.folder = folder

    def start(self, *arguments: str, **settings: str) -> OperatorProcess:
        """An operator for this namespace, over the wire; it is not waited for."""
        log = self.folder / f"operator-{len(self.operators) + 1}.log"
        own = {"NOVITA_OPERATOR_NAMESPACE": self.home, **settings}
        arguments = ("--namespace", self.cluster.namespace, *arguments)
        kubeconfig, is_warm = self.folder / "kubeconfig", "LD_PRELOAD" not in settings
        process = OperatorProcess(log, kubeconfig, self.novita.url, own, *arguments, is_warm=is_warm)
        self.operators.append(process)
        return process

    @staticmethod
    def look_on(*operators: OperatorProcess) -> None:
        """Until each of them has read the whole fleet twice more; with election only the leader reads it."""
        goals = {operator: _lists(operator) + 2 for operator in operators}
        eventually(
            lambda: all(_lists(each) >= goal for each, goal in goals.items()), "two more lists of each", LONG, every=0.5
        )

    def machines(self) -> list[MachineView]:
        """Those with a mark of this namespace that are there."""
        mine = [m for m in self.novita.machines() if f"/{self.cluster.namespace}/" in m.envs.get(MARK_ENV, "")]
        return [machine for machine in mine if machine.status not in _GONE]

    def findings(self, *, most_alive: int = 1) -> list[str]:
        """What must never have happened, whatever else did."""
        ledger = self.novita.ledger()
        doubles = [
            f"{most} machines at once for {mark}" for mark, most in ledger.max_alive.items() if most > most_alive
        ]
        foreign = {m.name for m in self.novita.machines() if MARK_ENV not in m.envs} | FOREIGN
        touched = [a for a in self.novita.journal() if a.operation in WRITES and a.name in foreign]
        return [*doubles, *(f"{asked.operation} of the foreign machine {asked.name}" for asked in touched)]

    def leaks(self) -> list[str]:
        """Secrets in what the operators wrote into the cluster."""
        return list(shown_in(self.cluster.plane.kubeconfig, (self.cluster.namespace, self.home)))

    def scene(self) -> Scene:
        """What is there and what is told, now. The objects are read first: what they say is the older news."""
        return Scene(
            cluster_id=self.cluster.cluster_id,
            objects=self.cluster.objects(),
            machines=tuple(self.novita.machines()),
            now=datetime.now(UTC),
        )

    def lies(self) -> list[str]:
        """What is not true, not said, not yet at rest or left behind, by the soak's judge."""
        return verdict.findings(self.scene())


def _lists(operator: OperatorProcess) -> float:
    return operator.metric("novita_fleet_polls_total", result="ok")


@contextlib.contextmanager
def world(theatre: Theatre, *, has_own_home: bool = False, is_crowded: bool = False) -> Iterator[World]:
    """A scene; `has_own_home` for operators with a Lease. Whatever still runs at its end is killed."""
    namespace = f"proof-{secrets.token_hex(4)}"
    folder = theatre.folder / namespace
    folder.mkdir()
    account, home = theatre.account, HOME
    if has_own_home:
        home = f"{namespace}-home"
        theatre.plane.kubectl("create", "namespace", home)
        account = install_account(theatre.plane, home)
    with contextlib.ExitStack() as stack:
        novita = stack.enter_context(running(speed=1, durations=QUICK))
        if is_crowded:
            novita.plant("crowd", count=CROWD)
        wire = stack.enter_context(wired(account, folder / "kubeconfig"))
        cluster = Kube(theatre.plane, namespace)
        stack.callback(cluster.http.close)
        scene = World(cluster, novita, wire, folder, home)
        try:
            yield scene
        finally:
            novita.clear()
            for operator in scene.operators:
                operator.process.send_signal(signal.SIGCONT)
                operator.kill()
            assert scene.leaks() == []
