"""The API server in the model: paths and JSON, versions and conflicts, finalizers, and users who do as they like."""

import json
from collections.abc import Callable
from typing import Any

from build import NOW, spec
from novita_operator.cluster.connection import Json
from novita_operator.cluster.errors import Conflict, Gone
from novita_operator.model.claim import CLAIM_ANNOTATION, PAUSED_ANNOTATION
from novita_operator.model.instance import GpuInstance
from novita_operator.model.naming import name_part
from novita_operator.model.resource import PLURAL


class Cluster:
    """Objects by name, and the keys of the one ConfigMap.

    Told of what happens: `written`, with the object before and after a call of ours; `changed`, with the UID of an
    object that a user changed; `news`, after every event that a watch would bring.
    """

    def __init__(
        self,
        written: Callable[[GpuInstance, GpuInstance], None],
        changed: Callable[[str], None],
        news: Callable[[], None],
    ) -> None:
        self.objects: dict[str, Json] = {}
        self.past: list[Json] = []
        self.retained: set[str] = set()
        self._written = written
        self._changed = changed
        self._news = news
        self._wanted_anew: set[str] = set()
        self._version = 0
        self._uids = 0
        self._heirs: dict[str, str] = {}

    def heir(self, uid: str) -> str:
        """The UID under which this object lives now, if it was restored from a backup that told of it."""
        return self.heir(self._heirs[uid]) if uid in self._heirs else uid

    def lives(self, uid: str) -> list[str]:
        """Every UID that it ever had."""
        return [each for each in map(_uid, range(1, self._uids + 1)) if self.heir(each) == self.heir(uid)]

    def by_uid(self, uid: str) -> GpuInstance | None:
        """Under this UID, or under that of a later life."""
        now = self.heir(uid)
        found = next((body for body in self.objects.values() if body["metadata"]["uid"] == now), None)
        return None if found is None else GpuInstance.read(found)

    def instances(self) -> list[GpuInstance]:
        return [GpuInstance.read(body) for body in self.objects.values()]

    # What clients ask.

    def get(self, path: str) -> Json:
        if "/configmaps/" in path:
            if not self.retained:
                raise Gone(path)
            return {"data": dict.fromkeys(self.retained, "")}
        if path.endswith(f"/{PLURAL}"):
            return {"items": [{"metadata": dict(body["metadata"])} for body in self.objects.values()], "metadata": {}}
        return self._object(path.rsplit("/", 1)[-1])

    def create(self, body: Json) -> Json:
        for machine_id, text in body["data"].items():
            (self.retained.discard if text is None else self.retained.add)(machine_id)
        return body

    def merge(self, path: str, patch: Json) -> Json:
        """The version is tested where it is given, the UID is not; only the subresource writes status."""
        if "/configmaps/" in path:
            if not self.retained:
                raise Gone(path)
            return self.create(patch)
        name, _, status = path.partition(f"/{PLURAL}/")[2].partition("/")
        before = self._object(name)
        version = before["metadata"]["resourceVersion"]
        if patch["metadata"].get("resourceVersion", version) != version:
            raise Conflict("the object has been modified")
        part = "status" if status else "metadata"
        after = self._put(name, _merged(before, {part: patch[part]}))
        self._written(GpuInstance.read(before), GpuInstance.read(after))
        return after

    # What users do.

    def apply(self, name: str, like: str = "", *, with_status: bool = False) -> None:
        """A new object; `like` the one of that name if its manifest was copied, claim and all."""
        self._uids += 1
        metadata = {"namespace": "default", "name": name, "uid": _uid(self._uids), "generation": 1}
        body: Json = {"metadata": metadata, "spec": spec(), "status": {}}
        if like:
            body["metadata"]["annotations"] = self.objects[like]["metadata"].get("annotations", {})
            body["status"] = self.objects[like].get("status", {}) if with_status else {}
        self._put(name, body)

    def delete(self, name: str, *, anew: bool = False) -> None:
        """`anew`: it is created again as soon as it is gone."""
        if anew:
            self._wanted_anew.add(name)
        if "deletionTimestamp" not in self.objects[name]["metadata"]:
            self._edit(name, {"metadata": {"deletionTimestamp": NOW.isoformat()}}, is_new_generation=True)

    def edit_spec(self, name: str, **fields: Any) -> None:
        self._edit(name, {"spec": fields}, is_new_generation=True)

    def edit_all(self) -> None:
        """Edits that concern nobody: they only make every version stale."""
        for name in list(self.objects):
            self._edit(name, {"metadata": {"labels": {"edited": str(self._version)}}})

    def pause(self, name: str, *, paused: bool) -> None:
        self._edit(name, {"metadata": {"annotations": {PAUSED_ANNOTATION: str(paused).lower()}}})

    def wipe(self, name: str, *, metadata: bool, status: bool) -> None:
        """`kubectl replace` wipes finalizers and annotations; who edits the status can wipe that."""
        gone: Json = {"metadata": {"finalizers": [], "annotations": None}} if metadata else {}
        self._edit(name, {**gone, "status": None} if status else gone)

    def restore(self, name: str, how_far_back: int, *, status: bool) -> None:
        """The claim of an earlier version of this very object comes back, perhaps its status too."""
        body, old = self.objects[name], self._before(name, how_far_back)
        metadata = body["metadata"] | {"annotations": old["metadata"].get("annotations", {})}
        told = old if status else body
        self._put_by_user(name, body | {"metadata": metadata, "status": told.get("status", {})})

    def restore_first_claim(self, name: str) -> None:
        """Its manifest from right after its first launch is applied."""
        of_this = (event["object"]["metadata"] for event in self.past)
        uid = self.objects[name]["metadata"]["uid"]
        first = next((m for m in of_this if m["uid"] == uid and CLAIM_ANNOTATION in (m.get("annotations") or {})), None)
        if first is not None:
            self._edit(name, {"metadata": {"annotations": first["annotations"]}})

    def lose_and_restore(self, name: str, how_far_back: int, *, finalizers: bool, status: bool) -> None:
        """A disaster takes the object, finalizer or not; a backup of it comes back, under a new UID."""
        body, old = self.objects[name], self._before(name, how_far_back)
        self._wanted_anew.discard(name)
        self._put(name, _merged(body, {"metadata": {"finalizers": [], "deletionTimestamp": NOW.isoformat()}}))
        self._uids += 1
        kept = ("annotations", "finalizers") if finalizers else ("annotations",)
        metadata: Json = {"namespace": "default", "name": name, "uid": _uid(self._uids), "generation": 1}
        metadata |= {part: old["metadata"][part] for part in kept if part in old["metadata"]}
        restored = {"metadata": metadata, "spec": old["spec"], "status": old.get("status", {}) if status else {}}
        self._inherit(name, restored)
        self._put(name, restored)
        self._changed(body["metadata"]["uid"])

    def _inherit(self, name: str, body: Json) -> None:
        """By the texts themselves, unless they are copies of another object's: what claim and status tell of."""
        claim = json.loads(body["metadata"].get("annotations", {}).get(CLAIM_ANNOTATION, "{}"))
        machines = [claim.get("machine", ""), body["status"].get("machineName", "")]
        mine = [machine for machine in machines if machine.startswith(f"default-{name}-")]
        for uid in map(_uid, range(1, self._uids)):
            if (claim.get("uid") == uid and machines[0] in mine) or any(name_part(uid) in each for each in mine):
                self._heirs[uid] = _uid(self._uids)

    def _before(self, name: str, how_far_back: int) -> Json:
        """An earlier version of the object of that name, under its present UID."""
        uid = self.objects[name]["metadata"]["uid"]
        past: list[Json] = [event["object"] for event in self.past if event["object"]["metadata"]["uid"] == uid]
        return past[-min(how_far_back, len(past))]

    def _edit(self, name: str, patch: Json, *, is_new_generation: bool = False) -> None:
        generation = self.objects[name]["metadata"]["generation"] + is_new_generation
        self._put_by_user(name, _merged(_merged(self.objects[name], patch), {"metadata": {"generation": generation}}))

    def _put_by_user(self, name: str, body: Json) -> None:
        self._put(name, body)
        self._changed(body["metadata"]["uid"])

    def _object(self, name: str) -> Json:
        if name not in self.objects:
            raise Gone(name)
        return self.objects[name]

    def _put(self, name: str, body: Json) -> Json:
        """Bodies are replaced and never changed, so that the past stays as it was."""
        self._version += 1
        body = body | {"metadata": body["metadata"] | {"resourceVersion": str(self._version)}}
        is_gone = "deletionTimestamp" in body["metadata"] and not body["metadata"].get("finalizers")
        lives_on = "MODIFIED" if name in self.objects else "ADDED"
        self.objects[name] = body
        self.past.append({"type": "DELETED" if is_gone else lives_on, "object": body})
        if is_gone:
            del self.objects[name]
            if name in self._wanted_anew:
                self._wanted_anew.remove(name)
                self.apply(name)
        self._news()
        return body


def _uid(number: int) -> str:
    return f"uid-{number}"


def _merged(target: Any, patch: Any) -> Any:  # noqa: ANN401  any JSON
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
