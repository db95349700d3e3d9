"""The resources of one namespace over HTTP: what `Cluster` does with kubectl, for hundreds of scenes."""

import json
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2

from controlplane.plane import ControlPlane
from proof.wire import tls_of
from stage import PATIENCE, Cluster, eventually, manifest

_RESOURCES = "/apis/gpu.novita.ai/v1alpha1/namespaces/{}/gpuinstances"
_MERGE = "application/merge-patch+json"


class Kube(Cluster):
    """An administrator's hand; the namespace comes with it and stays."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        super().__init__(plane, namespace)
        content = json.loads(Path(plane.kubeconfig).read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self.http = httpx2.Client(
            base_url=cluster["server"],
            verify=tls_of(cluster),
            headers={"Authorization": f"Bearer {user['token']}"},
            timeout=PATIENCE,
            trust_env=False,
        )
        body = {"metadata": {"name": namespace}}
        self._done(self.http.post("/api/v1/namespaces", json=body))
        self._resources = _RESOURCES.format(namespace)

    def apply(self, name: str, *, annotations: Mapping[str, str] | None = None, **spec: Any) -> None:
        self.submit(manifest(name, annotations, spec))

    def submit(self, body: Mapping[str, Any]) -> None:
        """Create a resource from its whole manifest."""
        self._done(self.http.post(self._resources, json=body))

    def find(self, name: str) -> dict[str, Any]:
        """The resource, {} if there is none."""
        response = self.http.get(f"{self._resources}/{name}")
        if response.status_code == HTTPStatus.NOT_FOUND:
            return {}
        return self._done(response)

    def objects(self) -> tuple[dict[str, Any], ...]:
        """All resources of the namespace; raises `httpx2.HTTPError`."""
        answer = self.http.get(self._resources)
        return tuple(answer.raise_for_status().json()["items"])

    @cached_property
    def cluster_id(self) -> str:
        return str(self._done(self.http.get("/api/v1/namespaces/kube-system"))["metadata"]["uid"])

    def get(self, name: str) -> dict[str, Any]:
        found = self.find(name)
        assert found, f"there is no {name}"
        return found

    def patch(self, name: str, body: Mapping[str, Any], *arguments: str) -> None:
        path = f"{self._resources}/{name}" + ("/status" if "--subresource=status" in arguments else "")
        self._done(self.http.patch(path, content=json.dumps(body), headers={"Content-Type": _MERGE}))

    def wait(self, name: str, condition: str, seconds: float = PATIENCE) -> None:
        """Until the condition is True of the spec as it is now."""

        def holds() -> bool:
            found = self.get(name)
            conditions = found.get("status", {}).get("conditions", [])
            return any(
                each["type"] == condition
                and each["status"] == "True"
                and each["observedGeneration"] == found["metadata"]["generation"]
                for each in conditions
            )

        eventually(holds, f"{name} is {condition}; {self.find(name).get('status')}", seconds)

    def begin_delete(self, name: str) -> None:
        self._done(self.http.delete(f"{self._resources}/{name}"))

    def wait_gone(self, name: str, seconds: float = PATIENCE) -> None:
        eventually(lambda: not self.find(name), f"{name} is gone; {self.find(name)}", seconds)

    def delete(self, name: str) -> None:
        self.begin_delete(name)
        self.wait_gone(name)

    def lease(self, namespace: str) -> dict[str, Any]:
        """The spec of the operators' Lease, {} while there is none."""
        response = self.http.get(_LEASE.format(namespace))
        if response.status_code == HTTPStatus.NOT_FOUND:
            return {}
        spec: dict[str, Any] = self._done(response)["spec"]
        return spec

    def patch_lease(self, namespace: str, spec: Mapping[str, Any]) -> None:
        content = json.dumps({"spec": spec})
        self._done(self.http.patch(_LEASE.format(namespace), content=content, headers={"Content-Type": _MERGE}))

    @staticmethod
    def _done(response: httpx2.Response) -> dict[str, Any]:
        assert response.is_success, f"{response.request.method} {response.request.url}: {response.text}"
        answer: dict[str, Any] = response.json()
        return answer


_LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/novita-operator"
