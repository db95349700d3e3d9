"""The list of machines that were left running on purpose: a ConfigMap in the operator's namespace."""

import contextlib

from novita_operator.cluster.connection import Connection, Json
from novita_operator.cluster.errors import Conflict, Gone

NAME = "novita-operator-retained"


class Retained:
    """One key per machine id, so that a merge PATCH of one key can overwrite no other: no version is needed."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        """`namespace` is the operator's own."""
        self._connection = connection
        self._maps = f"/api/v1/namespaces/{namespace}/configmaps"

    async def note(self, machine_id: str, text: str) -> None:
        """Write down that this machine was left running; `text` tells people whose it was. Idempotent.

        Raises:
            ClusterError: it may not be written down: the machine must not be let go.
        """
        data = {"data": {machine_id: text}}
        try:
            await self._merge(data)
        except Gone:
            await self._create(data)

    async def forget(self, machine_id: str) -> None:
        """An object has it again: it is retained no more. Idempotent.

        Raises:
            ClusterError: it may still be written down: should its object go, nobody would tell that it is left.
        """
        with contextlib.suppress(Gone):
            await self._merge({"data": {machine_id: None}})

    async def ids(self) -> frozenset[str]:
        """Ids of all machines that were left running, and that no object has taken over since.

        Raises:
            ClusterError: it is not known which.
        """
        try:
            found = await self._connection.get(f"{self._maps}/{NAME}")
        except Gone:
            return frozenset()
        return frozenset(found.get("data") or ())

    async def _merge(self, data: Json) -> None:
        await self._connection.merge(f"{self._maps}/{NAME}", data, write="retained")

    async def _create(self, data: Json) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, **data}
        try:
            await self._connection.create(self._maps, body, write="retained")
        except Conflict:
            await self._merge(data)
