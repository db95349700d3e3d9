"""The baseline: the naive operator, as kopf's own tutorial writes one; run by `kopf run` with kopf's own defaults.

It creates a machine, by the same HTTP client as the operator, and patches the status. It claims nothing, looks for no
offer, and never checks what became of it. It leaves objects behind that say the same as the operator's, since what a
write costs the API server goes by the size of the object. With `BENCH_TERSE` it says only three words of each.
"""

import logging
import os
from datetime import UTC, datetime
from typing import Any

import httpx2
import kopf

RESOURCE = ("gpu.novita.ai", "v1alpha1", "gpuinstances")
SIZE = int(os.environ["BENCH_SIZE"])
IS_TERSE = bool(os.environ.get("BENCH_TERSE"))

_resumed: set[str] = set()


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Looks at nothing for which the operator's account has no right."""
    settings.scanning.disabled = True
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the operator's says nothing of each request either
    memo.novita = httpx2.AsyncClient(
        base_url=os.environ["BENCH_NOVITA"], headers={"Authorization": f"Bearer {os.environ['BENCH_KEY']}"}, timeout=60
    )


@kopf.on.cleanup()
async def close(memo: kopf.Memo, **_: Any) -> None:
    await memo.novita.aclose()


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
    machine_id = (await _ask(memo, "create", order))["id"]
    patch.status.update(instanceId=machine_id, observedGeneration=1, state="Running")
    if not IS_TERSE:
        patch.status.update(_details(name, machine_id))


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


def _details(name: str, machine_id: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    launched = f"Machine {machine_id} was launched: RTX 4090 24GB in US-CA-06, Spot, 0.18 USD per hour."
    conditions = (
        ("Ready", "Running", "The machine runs."),
        ("Running", "Running", ""),
        ("CredentialsValid", "KeyAccepted", ""),
        ("Launched", "Launched", launched),
    )
    return {
        "machineName": f"bench-{name}-0123456789ab-abcdefgh",
        "productId": "4090.16c62g",
        "productName": "RTX 4090 24GB",
        "region": "US-CA-06",
        "regionId": "us-ca-6",
        "billingMode": "Spot",
        "hourlyPrice": "0.18",
        "createdTime": now,
        "startedTime": now,
        "launches": 1,
        "conditions": [
            {
                "type": kind,
                "status": "True",
                "reason": reason,
                "message": message,
                "observedGeneration": 1,
                "lastTransitionTime": now,
            }
            for kind, reason, message in conditions
        ],
    }


async def _ask(memo: kopf.Memo, verb: str, body: dict[str, object]) -> dict[str, Any]:
    answer = await memo.novita.post(f"gpu/instance/{verb}", json=body)
    answer.raise_for_status()
    result: dict[str, Any] = answer.json()
    return result
