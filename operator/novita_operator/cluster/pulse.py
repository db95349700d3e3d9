"""Whether the API server answers; nothing is decided on it, people read it in /readyz."""

import asyncio

from novita_operator.cluster.connection import Connection
from novita_operator.cluster.errors import ClusterError

_SECONDS = 5.0


class Pulse:
    """Asks every five seconds; `trouble` is empty while the API server answers."""

    def __init__(self, connection: Connection) -> None:
        self.trouble = ""
        self._connection = connection

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self._connection.get("/version")
                self.trouble = ""
            except ClusterError as error:
                self.trouble = str(error)
            await asyncio.sleep(_SECONDS)
