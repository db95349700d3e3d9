"""The outages, and the scene on which one of them is played: an operator, a namespace and a Novita of its own."""

import contextlib
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from component.door import Door, door
from component.operator_fixtures import FOREIGN, WRITES
from controlplane.plane import ControlPlane
from novita_operator.model.naming import MARK_ENV, Mark, machine_name, name_part
from novita_simulator.client import Simulator
from novita_simulator.journal import Asked
from novita_simulator.running import running
from stage import PATIENCE, QUICK, Cluster, OperatorProcess, eventually, install_account, manifest

SETTINGS: Mapping[str, str] = {
    "INSTANCE_POLL_INTERVAL": "1",
    "NOVITA_OPERATOR_CLAIM_WINDOW": "3s",
    "NOVITA_OPERATOR_LIST_LAG": "500ms",
    "NOVITA_OPERATOR_AUDIT_INTERVAL": "5s",
    "NOVITA_OPERATOR_ORPHAN_INTERVAL": "5s",
    "NOVITA_OPERATOR_API_CALLS_PER_MINUTE": "400",
    "NOVITA_OPERATOR_ORPHAN_POLICY": "Delete",
}
CALLS_PER_MINUTE = 400
MINUTE = 60.0
_RESTING = "Novita did not answer lately"
_NOT_YET = ("asked for one", "no answer yet")
_NAMES = ("staying", "stopping", "leaving", "vanishing", "crashing")


@dataclass(frozen=True, slots=True)
class Outage:
    """`fault` is the simulator's, for ever; `why` is read of it in status and at /readyz, one of these.

    `hides`: every list is fresh and complete in itself, lacks all that this scene is about, and others each time.
    """

    why: tuple[str, ...]
    fault: Mapping[str, Any] = field(default_factory=dict)
    is_shut: bool = False
    loses_api: bool = False
    hides: bool = False
    kills: bool = False


OUTAGES: Mapping[str, Outage] = {
    "refused": Outage((_RESTING, "no connection to Novita (ConnectError"), is_shut=True),
    "cut": Outage((_RESTING, "no whole answer"), {"kind": "lost_before"}),
    "hanging": Outage((_RESTING, "no whole answer", *_NOT_YET), {"kind": "hang_before"}),
    "5xx, and a restart in the middle": Outage(
        (_RESTING, "HTTP 503", *_NOT_YET), {"kind": "status_before", "status": 503}, kills=True
    ),
    "the content network's 403": Outage(
        ("the content network in front of Novita blocks us", *_NOT_YET), {"kind": "html_403"}
    ),
    "a 200 that is no JSON": Outage((_RESTING, "HTTP 200 without JSON"), {"kind": "html_200"}),
    "a page that fails": Outage(
        (_RESTING, "HTTP 500"), {"kind": "status_before", "operation": "list", "page": 1, "status": 500}
    ),
    "the API server stopped": Outage((_RESTING, "HTTP 503"), {"kind": "status_before", "status": 503}, loses_api=True),
    "a list that shrinks, each time otherwise": Outage(
        ("Too many machines vanished from Novita's list",),
        {"kind": "shrunken_list", "fraction": 0.5, "seed": 1},
        hides=True,
    ),
}
"""What the breaker says may stand in the place of a cause."""


@dataclass(slots=True)
class Scene:
    """One outage, and the machines that nobody may touch whatever happens."""

    name: str
    outage: Outage
    cluster: Cluster
    novita: Simulator
    door: Door
    operator: OperatorProcess
    here: Mark
    spared: frozenset[str]
    before: Counter[tuple[str, str]] = field(default_factory=Counter)
    tried: float = 0
    orphan: str = ""
    ended: float = 0
    well: float = 0

    def begin(self) -> None:
        """Novita is out of reach."""
        if self.outage.is_shut:
            self.door.shut()
        if self.outage.fault:
            self.novita.fault(**self.outage.fault, times=None)
        for part in (*(f"-{name}-" for name in _NAMES), name_part(self.here.uid)) if self.outage.hides else ():
            self.novita.fault("slipped_item", name=part, total_agrees=True, times=None)

    def wish(self) -> None:
        """People want this and that meanwhile, and at Novita things happen."""
        self.before, self.tried = self.writes(), self.attempts()
        self.orphan = self.plant(self.here)
        self.novita.vanish(self.cluster.status("vanishing")["instanceId"])
        self.novita.crash(self.cluster.status("crashing")["instanceId"])
        self.cluster.apply("coming")
        self.cluster.patch("stopping", {"spec": {"powerState": "Stopped"}})
        self.cluster.kubectl("delete", "gpui", "leaving", "--wait=false")

    def turn_worse(self) -> None:
        """Where it is the API server's outage, it begins with all this waiting, and Novita comes back."""
        if self.outage.loses_api:
            self.cluster.plane.stop_api()
            self.novita.clear()
        if self.outage.kills:
            self.kill()
            self.operator = self.operator.again()

    def end(self) -> None:
        """All is well again."""
        self.ended = self.now()
        if self.outage.is_shut:
            self.door.open()
        self.novita.clear()
        if self.outage.loses_api:
            self.cluster.plane.start_api()
        self.well = self.now()

    def kill(self) -> None:
        self.operator.kill()

    def now(self) -> float:
        """In Unix seconds, as the journal has them."""
        return self.novita.state().now

    def rested(self) -> float:
        """When the last call was made and the last resource became as wanted; not when somebody looked."""
        calls = [asked.at for asked in writes(self.novita)]
        ready = [self.cluster.condition(name)["lastTransitionTime"] for name in self.cluster.names()]
        return max(*calls, *(datetime.fromisoformat(each).timestamp() for each in ready))

    def writes(self) -> Counter[tuple[str, str]]:
        """What would change something at Novita, applied or not: operation and machine's name."""
        return Counter((asked.operation, asked.name) for asked in writes(self.novita))

    def attempts(self) -> float:
        """Such calls as the operator counts them: those too that no Novita heard of."""
        return sum(self.operator.metric("novita_api_requests_total", operation=operation) for operation in WRITES)

    def sight(self, of: str = "novita") -> dict[str, Any]:
        """What /readyz says of a neighbour."""
        found: dict[str, Any] = self.operator.get("/readyz").json()["dependencies"][of]
        return found

    def plant(self, mark: Mark) -> str:
        """Id of a machine that bears the mark and a name that goes with it."""
        return self.novita.plant(machine_name(mark, "abcdefgh"), envs={MARK_ENV: str(mark)})[0].id

    def left(self) -> dict[str, str]:
        return {machine.id: machine.status for machine in self.novita.machines()}


def writes(novita: Simulator) -> list[Asked]:
    return [asked for asked in novita.journal() if asked.operation in WRITES]


@contextlib.contextmanager
def scene(plane: ControlPlane, name: str, folder: Path) -> Iterator[Scene]:
    """Everything in place, the resources applied; not waited for."""
    namespace = f"test-{secrets.token_hex(4)}"
    home = f"{namespace}-home"
    with contextlib.ExitStack() as stack:
        novita = stack.enter_context(running(speed=1, durations=QUICK))
        entrance = stack.enter_context(door(urlsplit(novita.url).port or 80))
        cluster = Cluster(plane, namespace)
        stack.callback(plane.kubectl, "delete", "namespace", namespace, home, "--wait=false")
        stack.callback(_let_go, cluster)
        uid = plane.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").stdout
        here = Mark(uid, namespace, "gone", "uid-of-gone")
        retained, *spared = _spare(novita, here)
        _furnish(cluster, home, retained)
        kubeconfig = install_account(plane, home)
        settings = {"NOVITA_OPERATOR_NAMESPACE": home, **SETTINGS}
        log = folder / f"{namespace}.log"
        process = OperatorProcess(log, kubeconfig, entrance.url, settings, "--namespace", namespace, is_warm=True)
        made = Scene(name, OUTAGES[name], cluster, novita, entrance, process, here, frozenset((retained, *spared)))
        stack.callback(made.kill)
        yield made


def _spare(novita: Simulator, here: Mark) -> Iterator[str]:
    """Ids of the machines without a resource that a sweep must leave alone; the first is a retained one."""
    marks = (
        replace(here, uid="uid-of-retained"),
        replace(here, uid="uid-of-elsewhere", namespace="not-watched"),
        replace(here, uid="uid-of-another", cluster_id="another-cluster"),
    )
    yield from (novita.plant(machine_name(mark, "abcdefgh"), envs={MARK_ENV: str(mark)})[0].id for mark in marks)
    yield from (machine.id for machine in novita.machines() if machine.name in FOREIGN)
    yield from (machine.id for machine in novita.plant("machine-of-a-colleague", count=120))


def _furnish(cluster: Cluster, home: str, retained: str) -> None:
    """Many at once, since each kubectl takes its time."""
    note = {"name": "novita-operator-retained", "namespace": home}
    around = _list(
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each}} for each in (cluster.namespace, home)),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": note, "data": {retained: "left"}},
    )
    cluster.plane.kubectl("apply", "-f", "-", input=around)
    cluster.kubectl("apply", "-f", "-", input=_list(*(manifest(name, None, {}) for name in _NAMES)))


def _list(*things: Mapping[str, Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": things})


def _let_go(cluster: Cluster) -> None:
    cluster.kubectl("patch", "gpui", *cluster.names(), "--type=merge", "-p", '{"metadata":{"finalizers":null}}')


def told(each: Scene) -> None:
    """Each wish was seen, and is answered with why nothing is done; who wished nothing hears it, too."""
    for name in ("coming", "stopping", "leaving", "staying"):
        condition = each.cluster.wait_reason(name, "Braked" if each.outage.hides else "NovitaUnreachable")
        assert condition["status"] == "Unknown"
        assert is_why(each, condition["message"]), (each.name, condition["message"])


def blind(each: Scene) -> None:
    """/readyz says so, and why; it stays ready, since no other replica would see more."""

    sight = "the list is fresh: Braked: " if each.outage.hides else "no fresh list: "

    def says_why() -> bool:
        detail = each.sight()["detail"]
        return detail.startswith(sight) and is_why(each, detail)

    eventually(says_why, f"{each.name}: /readyz says so, but {each.sight()}")
    assert each.sight()["ok"] is False
    assert each.operator.get("/readyz").status_code == 200


def is_why(each: Scene, text: str) -> bool:
    return any(why in text for why in each.outage.why)


def at_rest(each: Scene) -> None:
    """Every wish is done, what happened at Novita is made good, by one call each; what is not ours to touch is left."""
    for name in ("coming", "vanishing", "crashing", "staying"):
        each.cluster.wait(name, "Ready", MINUTE)
    each.cluster.wait_reason("stopping", "Stopped")
    each.cluster.kubectl("wait", "gpui/leaving", "--for=delete", f"--timeout={PATIENCE:.0f}s")
    eventually(lambda: each.left().get(each.orphan) in (None, "removed"), f"{each.name}: the sweep sees again")
    for neighbour in ("novita", "kubernetes"):
        eventually(lambda of=neighbour: each.sight(of)["ok"], f"{each.name}: /readyz says so")  # type: ignore[misc]
