"""Every secret that a run of the tests feeds in, in one place, and the search for it wherever something comes out.

A finding names the secret by how it was fed in, and never shows it.
"""

import base64
import json
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import stamina

_SHORTEST = 8
"""What is shorter would be found in innocent words."""
_RESOURCES = (
    ("/apis/gpu.novita.ai/v1alpha1", "gpuinstances"),
    ("/apis/events.k8s.io/v1", "events"),
    ("/api/v1", "configmaps"),
    ("/apis/coordination.k8s.io/v1", "leases"),
)
_PUT_THERE_BY_PEOPLE = "kubectl.kubernetes.io/last-applied-configuration"


class Vault:
    """The secrets by value."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def feed(self, name: str, value: str) -> str:
        """From now on this value is a secret; gives it back."""
        if len(value) >= _SHORTEST:
            self._names.setdefault(value, name)
        return value

    def found_in(self, text: str) -> list[str]:
        """Names of the secrets that stand in the text, in whatever spelling."""
        fed = list(self._names.items())  # other threads may feed meanwhile
        return sorted({name for value, name in fed if any(each in text for each in _spellings(value))})

    def check(self, where: str, text: str) -> None:
        """AssertionError if a secret stands in it."""
        assert not (found := self.found_in(text)), f"{where} shows {', '.join(found)}"

    def check_error(self, where: str, error: BaseException) -> None:
        """The same for whatever an exception tells."""
        self.check(where, told_by(error))


FED = Vault()


def told_by(error: BaseException) -> str:
    """Texts and notes of an exception, of what caused it or was under way, and of a group's members."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is None or any(each is known for known in found):
            continue
        found.append(each)
        left += (each.__cause__, each.__context__, *(each.exceptions if isinstance(each, BaseExceptionGroup) else ()))
    return "\n".join(f"{each!s}\n{each!r}\n{getattr(each, '__notes__', '')}" for each in found)


def _spellings(value: str) -> Iterator[str]:
    """As it is, inside of JSON, as Python and as an address would write it, and in base64 at any offset."""
    yield value
    yield json.dumps(value)[1:-1]
    yield repr(value)[1:-1]
    yield quote(value, safe="")
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value.encode()).decode().rstrip("=")
        yield encoded[(offset * 8 + 5) // 6 : -1]  # what the neighbours do not change


def check_cluster(kubeconfig: Path) -> None:
    """AssertionError if a secret stands in what operators write into a cluster, in any namespace."""
    assert not (found := list(shown_in(kubeconfig))), "; ".join(found)


def shown_in(kubeconfig: Path, namespaces: Sequence[str] = ()) -> Iterator[str]:
    """Where a secret stands in what operators write, as an administrator sees it; in all namespaces if given none."""
    places = [f"/namespaces/{each}" for each in namespaces] or [""]
    content = json.loads(kubeconfig.read_text())
    cluster = content["clusters"][0]["cluster"]
    authority = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    headers = {"Authorization": f"Bearer {content['users'][0]['user']['token']}"}
    with httpx2.Client(base_url=cluster["server"], verify=authority, headers=headers, trust_env=False) as api:
        for path in (f"{group}{place}/{kind}" for group, kind in _RESOURCES for place in places):
            answer = _listed(api, path)
            if answer.status_code == httpx2.codes.NOT_FOUND:
                continue
            for item in answer.raise_for_status().json()["items"]:
                metadata = item["metadata"]
                if found := FED.found_in(json.dumps(_ours(item))):
                    yield f"{path} {metadata['namespace']}/{metadata['name']} shows {', '.join(found)}"


def _listed(api: httpx2.Client, path: str) -> httpx2.Response:
    """An API server that was just started says 429 while it opens its storage."""
    for attempt in stamina.retry_context(on=httpx2.HTTPStatusError, attempts=None, timeout=30):
        with attempt:
            answer = api.get(path)
            if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
                answer.raise_for_status()
    return answer


def _ours(item: dict[str, Any]) -> dict[str, Any]:
    """Without what people put there themselves: the spec, and kubectl's copy of it."""
    annotations = item["metadata"].get("annotations", {})
    kept = {name: text for name, text in annotations.items() if name != _PUT_THERE_BY_PEOPLE}
    spec = None if item.get("kind") == "GpuInstance" else item.get("spec")
    return {**item, "metadata": {**item["metadata"], "annotations": kept}, "spec": spec}
