"""The baseline: the naive operator, as kopf's own tutorial writes one; run by `kopf run` with kopf's own defaults.

It creates a machine and patches the status. It claims nothing, looks for no offer, and never checks what became of it.
"""

import os
from typing import Any

import aiohttp
import kopf

RESOURCE = ("gpu.novita.ai", "v1alpha1", "gpuinstances")
SIZE = int(os.environ["BENCH_SIZE"])

_resumed: set[str] = set()


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Looks at nothing for which the operator's account has no right."""
    settings.scanning.disabled = True
    memo.novita = aiohttp.ClientSession(
        os.environ["BENCH_NOVITA"], headers={"Authorization": f"Bearer {os.environ['BENCH_KEY']}"}
    )


@kopf.on.cleanup()
async def close(memo: kopf.Memo, **_: Any) -> None:
    await memo.novita.close()


@kopf.on.create(*RESOURCE)
async def create(name: str, spec: kopf.Spec, patch: kopf.Patch, memo: kopf.Memo, **_: Any) -> None:
    order = {
        "name": name,
        "productId": "4090.16c62g",
        "clusterId": "us-ca-6",
        "gpuNum": spec["gpuCount"],
        "rootfsSize": 60,
        "imageUrl": spec["image"],
        "billingMode": "spot",
        "kind": "gpu",
    }
    patch.status["instanceId"] = (await _ask(memo, "create", order))["id"]
    patch.status["observedGeneration"] = 1
    patch.status["state"] = "Running"


@kopf.on.update(*RESOURCE)
async def stop(status: kopf.Status, meta: kopf.Meta, patch: kopf.Patch, memo: kopf.Memo, **_: Any) -> None:
    await _ask(memo, "stop", {"instanceId": status["instanceId"]})
    patch.status["observedGeneration"] = meta["generation"]
    patch.status["state"] = "Stopped"


@kopf.on.resume(*RESOURCE)
async def resume(uid: str, **_: Any) -> None:
    """Counts who was there before."""
    _resumed.add(uid)
    if len(_resumed) == SIZE:
        print(os.environ["BENCH_DONE"], flush=True)  # noqa: T201  the bench waits for it


async def _ask(memo: kopf.Memo, verb: str, body: dict[str, object]) -> dict[str, Any]:
    async with memo.novita.post(f"gpu/instance/{verb}", json=body) as answer:
        answer.raise_for_status()
        result: dict[str, Any] = await answer.json(content_type=None)
        return result
