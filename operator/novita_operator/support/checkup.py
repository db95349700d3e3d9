"""The checks behind `novita-operator check`. They ask only what costs nothing and changes nothing."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from novita_operator.cloud.errors import CloudError, Unauthorized
from novita_operator.cloud.novita import Novita
from novita_operator.cluster.access import missing
from novita_operator.cluster.connection import Connection
from novita_operator.cluster.errors import ClusterError, Gone
from novita_operator.cluster.identity import cluster_id
from novita_operator.cluster.rights import RIGHTS, Scope
from novita_operator.cluster.schema import served_schema
from novita_operator.model.crd import CRD_NAME, schema
from novita_operator.model.machine import Machine
from novita_operator.support.findings import Finding, Verdict

OLDEST_KUBERNETES = (1, 32)
MOST_APART = 10.0
"""Seconds; a Date header has whole ones, and an answer takes its time."""
_APPLY_CRD = (
    "With the chart: helm upgrade; else, where kubectl is: "
    "novita-operator crd | kubectl apply --server-side --force-conflicts -f -"
)


@dataclass(frozen=True, slots=True)
class Checkup:
    """`given_id`: the cluster id of the settings, perhaps empty. No `namespaces`: all. `home`: the operator's own."""

    connection: Connection
    cloud: Novita
    namespaces: Sequence[str]
    home: str
    given_id: str

    async def findings(self) -> list[Finding]:
        """Everything, in the order in which to mend it."""
        return [finding async for finding in self._findings()]

    async def _findings(self) -> AsyncIterator[Finding]:
        kubernetes = await self._kubernetes()
        yield kubernetes
        if kubernetes.verdict is not Verdict.UNKNOWN:
            yield await self._cluster_id()
            yield await self._crd()
            yield await self._rights()
        async for finding in self._novita():
            yield finding

    async def _kubernetes(self) -> Finding:
        try:
            version = (await self.connection.get("/version"))["gitVersion"]
            theirs = parse_date(await self.connection.date())
        except ClusterError as error:
            return Finding(
                "Kubernetes API",
                Verdict.UNKNOWN,
                str(error),
                "Run it in the operator's pod, or set KUBECONFIG; look at network policies and at the API server.",
            )
        if is_too_old(version):
            return Finding(
                "Kubernetes API",
                Verdict.FAILED,
                version,
                f"Kubernetes {'.'.join(map(str, OLDEST_KUBERNETES))} or newer is needed.",
            )
        return _clock("Kubernetes API", f"answers, {version}", theirs)

    async def _cluster_id(self) -> Finding:
        """Of the two ids one counts; that they differ is right after a restore from another cluster, and only then."""
        try:
            own = await cluster_id(self.connection)
        except ClusterError as error:
            verdict = Verdict.WARNING if self.given_id else Verdict.UNKNOWN
            return Finding("cluster id", verdict, f"{self.given_id} {error}".strip(), "Mend the rights.")
        if self.given_id in {"", own}:
            return Finding("cluster id", Verdict.OK, own)
        return Finding(
            "cluster id",
            Verdict.WARNING,
            f"{self.given_id} by NOVITA_OPERATOR_CLUSTER_ID; kube-system says {own}",
            "Right where the machines of another cluster were taken over, whose operator must never run again.",
        )

    async def _crd(self) -> Finding:
        try:
            served = await served_schema(self.connection)
        except Gone:
            return Finding("CRD", Verdict.FAILED, f"{CRD_NAME} is not served", _APPLY_CRD)
        except ClusterError as error:
            return Finding("CRD", Verdict.UNKNOWN, str(error), "It is read from /openapi/v3, as kubectl does.")
        if _compared(served) != _compared(schema()):
            return Finding("CRD", Verdict.FAILED, "its schema is not the one of this operator", _APPLY_CRD)
        return Finding("CRD", Verdict.OK, "served, with the schema of this operator")

    async def _rights(self) -> Finding:
        """Whose cluster id is given need not read it; Roles alone could not allow it."""
        needed = [right for right in RIGHTS if not (self.given_id and right.scope is Scope.CLUSTER)]
        try:
            lacking = await missing(self.connection, needed, watched=self.namespaces, home=self.home)
        except ClusterError as error:
            return Finding("rights", Verdict.UNKNOWN, str(error), "Everybody who has logged in may ask for their own.")
        if lacking:
            return Finding(
                "rights",
                Verdict.FAILED,
                f"whoever runs this may not: {'; '.join(lacking)}",
                "Give the account the rights of the chart or the manifests, or narrow the operator with "
                "NOVITA_OPERATOR_WATCH_NAMESPACES.",
            )
        return Finding("rights", Verdict.OK, "all that the operator needs, for whoever runs this")

    async def _novita(self) -> AsyncIterator[Finding]:
        try:
            theirs = parse_date(await self.cloud.date())
        except CloudError as error:
            yield Finding(
                "Novita API",
                Verdict.UNKNOWN,
                str(error),
                "Look at NOVITA_API_BASE_URL, and at network policies and firewalls towards it.",
            )
            return
        yield _clock("Novita API", "answers", theirs)
        try:
            yield _account(await self.cloud.machines())
        except Unauthorized as error:
            yield Finding("API key", Verdict.FAILED, str(error), "Put a valid key into the key file; no restart.")
        except CloudError as error:
            yield Finding("API key", Verdict.UNKNOWN, str(error), "Try again; if it stays so, look at Novita's status.")


def is_too_old(version: str) -> bool:
    """Whether the CRD cannot work there; a version that cannot be read may be any."""
    found = re.match(r"v(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) < OLDEST_KUBERNETES


def parse_date(header: str | None) -> datetime | None:
    """What a Date header says, in whole seconds; None if there is none that can be read."""
    try:
        date = parsedate_to_datetime(header or "")
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _compared(root: Mapping[str, Any]) -> list[Any]:  # Any: JSON
    """What both say: the API server adds its own words about metadata."""
    return [root["properties"].get("spec"), root["properties"].get("status"), root.get("x-kubernetes-validations")]


def _account(machines: Sequence[Machine]) -> Finding:
    marked = sum(machine.mark is not None for machine in machines)
    return Finding("API key", Verdict.OK, f"accepted; {len(machines)} machines in the account, {marked} with a mark")


def _clock(subject: str, detail: str, theirs: datetime | None) -> Finding:
    """Nothing rests on clocks that agree, but for what people read."""
    apart = 0.0 if theirs is None else (datetime.now(UTC) - theirs).total_seconds()
    if abs(apart) <= MOST_APART:
        return Finding(subject, Verdict.OK, detail)
    return Finding(
        subject, Verdict.WARNING, f"{detail}; our clock is {apart:+.0f} s from its", "Set the clock: look at NTP."
    )
