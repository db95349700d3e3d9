"""The users of a soak: what people, Git and backups do to objects, as a deed of the script says.

They stay within what the protocol can bear: a claim is never stripped while its call may be in flight, nor from a
restored object, whose machine's mark bears an earlier UID; and nobody tears the finalizer off an object that has a
machine and deletes it, but in a disaster.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx2

from component.operator_fixtures import SECRET
from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER
from novita_simulator.client import Simulator
from proof.kube import Kube
from proof.script import CLAIM_WINDOW, Deed, spec
from proof.told import NEVER_LABEL, claim_of, owner
from stage import manifest

PAUSED = "gpu.novita.ai/paused"
_MERGE = {"Content-Type": "application/merge-patch+json"}
Json = dict[str, Any]


class Users:
    """Does the deeds of the table `USERS`; a write that loses a race, or meets no API server, is simply not made."""

    def __init__(self, cluster: Kube, novita: Simulator, cluster_id: str, later: Callable[[float, Deed], None]) -> None:
        """`later` puts a deed on the script, so many seconds from now."""
        self.lived: set[str] = set()
        self.let_go: set[str] = set()
        self.retained_at: dict[str, float] = {}
        self.heirs: dict[str, str] = {}
        """UIDs of restored objects by those that they had before."""
        self._cluster = cluster
        self._novita = novita
        self._cluster_id = cluster_id
        self._later = later
        self._path = f"/apis/gpu.novita.ai/v1alpha1/namespaces/{cluster.namespace}/gpuinstances"

    def objects(self) -> tuple[Json, ...]:
        """All that there are; raises `httpx2.HTTPError`."""
        return self._cluster.objects()

    def find(self, name: str) -> Json:
        """The object, {} if there is none or nobody answers."""
        answer = self._ask("GET", name)
        return answer if answer.get("kind") == "GpuInstance" else {}

    def do(self, deed: Deed) -> str:
        """Do it; what came of it, in a word or two."""
        dice = random.Random(deed.dice)
        return str(_DEEDS[deed.what](self, deed, dice))

    def create(self, deed: Deed, dice: random.Random) -> str:
        never, wanted = spec(dice)
        body = manifest(deed.name, None, {"env": [{"name": "TOKEN", "value": SECRET}], **wanted})
        body["metadata"]["labels"] = {NEVER_LABEL: never} if never else {}
        return self._submit(body)

    def stop(self, deed: Deed, _: random.Random) -> str:
        return self._merge(deed.name, {"spec": {"powerState": "Stopped"}})

    def start(self, deed: Deed, _: random.Random) -> str:
        return self._merge(deed.name, {"spec": {"powerState": "Running"}})

    def delete(self, deed: Deed, _: random.Random) -> str:
        """Not without our finalizer where there is or may be a machine: that would be a leak by the user's own hand."""
        found = self.find(deed.name)
        if not found:
            return "nothing there"
        metadata = found["metadata"]
        guarded = FINALIZER in metadata.get("finalizers", ())
        if not guarded and (claim_of(found) or found.get("status", {}).get("instanceId") or self._has(found)):
            return "unguarded, left"
        conditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        return self._said(self._ask("DELETE", deed.name, {"preconditions": conditions}))

    def recreate(self, deed: Deed, dice: random.Random) -> str:
        said = self.delete(deed, dice)
        for pause in (0.3, 1.0, 2.0, 4.0):
            self._later(pause, Deed(0, "create", deed.name, deed.dice))
        return said

    def wipe(self, deed: Deed, dice: random.Random) -> str:
        """Claim, finalizer, status, or all of them, as `kubectl replace` and restores do."""
        found = self.find(deed.name)
        if not found or "deletionTimestamp" in found["metadata"] or not _is_settled(found):
            return "not now"
        parts = dice.choice((["claim"], ["finalizer"], ["status"], ["claim", "finalizer"], ["all"], ["all"]))
        if found["metadata"]["uid"] in self.heirs.values():
            parts = ["finalizer"]
        version = found["metadata"]["resourceVersion"]
        if "status" in parts or parts == ["all"]:
            said = self._ask("PATCH", f"{deed.name}/status", {"metadata": {"resourceVersion": version}, "status": None})
            version = said.get("metadata", {}).get("resourceVersion", version)
        change: Json = {"resourceVersion": version}
        if "finalizer" in parts or parts == ["all"]:
            change["finalizers"] = None
        if "claim" in parts or parts == ["all"]:
            change["annotations"] = {CLAIM_ANNOTATION: None}
        return f"{'+'.join(parts)}: {self._merge(deed.name, {'metadata': change})}"

    def copy(self, deed: Deed, dice: random.Random) -> str:
        """Another's whole manifest under a name that is free: its claim, its finalizer, its status."""
        originals = [each for each in self._all() if each["metadata"]["name"] != deed.name]
        if not originals:
            return "nothing there"
        original = dice.choice(originals)
        said = self._submit(_saved(original, deed.name))
        if said == "done" and original.get("status"):
            self._ask("PATCH", f"{deed.name}/status", {"status": original["status"]})
        return f"of {original['metadata']['name']}: {said}"

    def restore(self, dice: random.Random, most: int) -> dict[str, str]:
        """Objects that are Ready go without their machines, and come back as a backup has them; their machines' ids.

        For a time without operators and without faults.
        """
        ready = [each for each in self.objects() if _is_ready(each) and each["status"].get("instanceId")]
        chosen = dice.sample(ready, min(len(ready), most))
        for each in chosen:
            name = each["metadata"]["name"]
            for said in (
                self._merge(name, {"metadata": {"finalizers": None}}),
                self._said(self._ask("DELETE", name)),
                self._submit(_saved(each, name)),
            ):
                assert said == "done", f"{name}: {said}"
            self.heirs[each["metadata"]["uid"]] = self.find(name)["metadata"]["uid"]
        return {each["metadata"]["name"]: each["status"]["instanceId"] for each in chosen}

    def pause(self, deed: Deed, _: random.Random) -> str:
        return self._annotate(deed.name, {PAUSED: "true"})

    def unpause(self, deed: Deed, _: random.Random) -> str:
        return self._annotate(deed.name, {PAUSED: None})

    def edit(self, deed: Deed, dice: random.Random) -> str:
        """Somebody else writes too, several times: a conflict for whoever is late."""
        notes = [self._annotate(deed.name, {"example.org/note": str(dice.random())}) for _ in range(dice.randint(1, 4))]
        return notes[-1]

    def nudge(self, deed: Deed, dice: random.Random) -> str:
        """A new generation: retries count anew."""
        return self._merge(deed.name, {"spec": {"startup": {"timeoutSeconds": dice.randint(30, 9999)}}})

    def retain(self, deed: Deed, _: random.Random) -> str:
        """Also of an object that is being deleted: its machine may be gone by then."""
        self.retained_at[deed.name] = time.time()
        return self._merge(deed.name, {"spec": {"deletionPolicy": "Retain"}})

    def _annotate(self, name: str, annotations: Mapping[str, str | None]) -> str:
        return self._merge(name, {"metadata": {"annotations": annotations}})

    def _merge(self, name: str, body: Json) -> str:
        return self._said(self._ask("PATCH", name, body))

    def _submit(self, body: Json) -> str:
        return self._said(self._ask("POST", "", body))

    def _said(self, answer: Json) -> str:
        return "done" if answer.get("kind") in ("GpuInstance", "done") else str(answer.get("reason", "nobody there"))

    def _ask(self, method: str, name: str, body: Json | None = None) -> Json:
        headers = _MERGE if method == "PATCH" else {"Content-Type": "application/json"}
        path = f"{self._path}/{name}" if name else self._path
        content = None if body is None else json.dumps(body)
        try:
            response = self._cluster.http.request(method, path, content=content, headers=headers)
        except httpx2.HTTPError as error:
            return {"reason": type(error).__name__}
        answer: Json = response.json() if response.content.startswith(b"{") else {}
        if response.is_success:
            self._note(answer)
            return {"kind": "done"} if answer.get("kind") == "Status" else answer
        assert response.status_code != HTTPStatus.BAD_REQUEST, f"{method} {name}: {response.text}"
        return {"reason": answer.get("reason", str(response.status_code))}

    def _note(self, answer: Json) -> None:
        """Who ever lived, and who ever said Retain."""
        if answer.get("kind") != "GpuInstance":
            return
        uid = answer["metadata"]["uid"]
        self.lived.add(uid)
        if answer["spec"].get("deletionPolicy") == "Retain":
            self.let_go.add(uid)

    def _all(self) -> tuple[Json, ...]:
        try:
            return self.objects()
        except httpx2.HTTPError:
            return ()

    def _has(self, resource: Json) -> bool:
        uid = resource["metadata"]["uid"]
        return any(owner(machine, self._cluster_id) == uid for machine in self._novita.machines())


def _saved(resource: Json, name: str) -> Json:
    """The manifest without what the server made, under a name."""
    kept = {key: value for key in ("annotations", "labels", "finalizers") if (value := resource["metadata"].get(key))}
    return {**resource, "metadata": {"name": name, **kept}}


def _is_ready(resource: Json) -> bool:
    conditions = resource.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _is_settled(resource: Json) -> bool:
    """No create for this object can be in flight: the launch is recorded, or so old that it landed or never will."""
    claim, status = claim_of(resource), resource.get("status", {})
    if not claim or (status.get("instanceId") and status.get("machineName") == claim["machine"]):
        return True
    age: timedelta = datetime.now(UTC) - datetime.fromisoformat(claim["at"])
    return age.total_seconds() > 2 * CLAIM_WINDOW


_DEEDS: Mapping[str, Callable[[Users, Deed, random.Random], str]] = {
    "create": Users.create,
    "stop": Users.stop,
    "start": Users.start,
    "delete": Users.delete,
    "recreate": Users.recreate,
    "wipe": Users.wipe,
    "copy": Users.copy,
    "pause": Users.pause,
    "unpause": Users.unpause,
    "edit": Users.edit,
    "nudge": Users.nudge,
    "retain": Users.retain,
}
