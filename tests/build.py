"""Builders: a test names only what it is about, and everything else is plain and valid."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from novita_operator.decision.situation import Account, Policy, Situation
from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER, Bargain, Claim
from novita_operator.model.instance import GpuInstance, Poisoned
from novita_operator.model.machine import Fleet, Machine, MachineState
from novita_operator.model.market import Market, Product, Region
from novita_operator.model.naming import Mark, machine_name
from novita_operator.model.resource import BillingMode

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
BOOT = 10_000.0
"""The boot clock in seconds; long after everything else, so that ages count unless a test says otherwise."""
CLUSTER = "cluster-1"
UID = "0b9c0c0e-1111-4222-8333-444455556666"
NAME = machine_name(Mark(CLUSTER, "default", "trainer", UID), "aaaaaaaa")
"""Name of the machine that `claim()` names."""
OTHER_NAME = machine_name(Mark(CLUSTER, "default", "trainer", UID), "bbbbbbbb")
MACHINE_ID = "m-1"

REGION = Region("us-ca-6", "US-CA-06")
ELSEWHERE = Region("cn-hongkong-1", "CN-HK-01")
POLICY = Policy(cluster_id=CLUSTER)


def spec(**fields: Any) -> dict[str, Any]:
    """A spec as people write it, camelCase."""
    return {"image": "docker.io/acme/worker:1.9", "productName": "RTX 4090 24GB", **fields}


def claim(**fields: Any) -> Claim:
    """A claim of an earlier run, half an hour old."""
    return Claim.model_validate(
        {
            "uid": UID,
            "machine": NAME,
            "launch": 1,
            "by": "an-earlier-run",
            "at": datetime(2026, 11, 21, 11, 30, tzinfo=UTC),
            "generation": 1,
            "bargain": Bargain(
                product_id="4090.16c62g",
                product_name="RTX 4090 24GB",
                region_id=REGION.id,
                region=REGION.name,
                billing_mode=BillingMode.SPOT,
                hourly_price="0.18",
            ),
            **fields,
        }
    )


def instance(
    *,
    spec: Mapping[str, Any] | None = None,
    claim: Claim | None = None,
    status: Mapping[str, Any] | None = None,
    finalizer: bool | None = None,
    **metadata: Any,
) -> GpuInstance:
    """A resource; the finalizer is there if a claim is, unless said otherwise."""
    guarded = claim is not None if finalizer is None else finalizer
    body: dict[str, Any] = {
        "metadata": {
            "namespace": "default",
            "name": "trainer",
            "uid": UID,
            "resourceVersion": "1",
            "generation": 1,
            "finalizers": [FINALIZER] if guarded else [],
            **metadata,
        },
        "spec": spec if spec is not None else globals()["spec"](),
        "status": status or {},
    }
    if claim is not None:
        annotations = body["metadata"].setdefault("annotations", {})
        annotations[CLAIM_ANNOTATION] = claim.annotation()
    return GpuInstance.read(body)


def poisoned(version: str, why: str = "spec.image: string_type") -> Poisoned:
    """The same resource where it cannot be understood."""
    return Poisoned("default", "trainer", UID, version, why)


def recorded(**status: Any) -> dict[str, Any]:
    """A status that records the machine that `claim()` names."""
    return {"observedGeneration": 1, "machineName": NAME, "instanceId": MACHINE_ID, "launches": 1, **status}


def foreign(**fields: Any) -> Machine:
    """Somebody else's machine in the same account: no mark, a name of its own."""
    return replace(machine(), **{"id": "f-1", "name": "notebook", "mark": None, **fields})


def machine(state: MachineState = MachineState.RUNNING, **fields: Any) -> Machine:
    """The machine that `claim()` names, with our mark."""
    return Machine(
        **{
            "id": MACHINE_ID,
            "name": NAME,
            "state": state,
            "mark": Mark(CLUSTER, "default", "trainer", UID),
            "product_id": "4090.16c62g",
            "product_name": "RTX 4090 24GB",
            "region_id": REGION.id,
            "region": REGION.name,
            "billing": BillingMode.SPOT,
            **fields,
        }
    )


def fleet(*machines: Machine, begun: float = BOOT - 1, suspect: bool = False) -> Fleet:
    """A list that began a second ago."""
    return Fleet.of(machines, cluster_id=CLUSTER, begun=begun, suspect=suspect)


def product(**fields: Any) -> Product:
    """A product with stock, at 0.18 USD as spot and 0.36 on demand, per GPU and hour."""
    return Product(
        **{
            "id": "4090.16c62g",
            "name": "RTX 4090 24GB",
            "deployable": True,
            "prices": {BillingMode.SPOT: Decimal("0.18"), BillingMode.ON_DEMAND: Decimal("0.36")},
            "min_disk_gb": 10,
            "max_disk_gb": 1500,
            **fields,
        }
    )


def market(
    shelves: Mapping[Region, Iterable[Product]] | None = None, modes: Iterable[BillingMode] = BillingMode, **fields: Any
) -> Market:
    """What each region lists, the same for every billing mode."""
    stocked = {REGION: [product()]} if shelves is None else shelves
    return Market(
        regions=tuple(stocked),
        shelves={(region.id, mode): tuple(products) for region, products in stocked.items() for mode in modes},
        **fields,
    )


def situation(subject: GpuInstance | None = None, **fields: Any) -> Situation:
    """A quiet world in which all that was read was read long ago; the fleet is seen, and empty; the object is new."""
    return Situation(
        **{
            "instance": subject if subject is not None else instance(),
            "policy": POLICY,
            "now": NOW,
            "boot": BOOT,
            "fleet": fleet(),
            "account": Account(key_accepted=True),
            "is_newborn": True,
            **fields,
        }
    )
