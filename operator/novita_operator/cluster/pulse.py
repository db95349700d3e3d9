"""Whether the API server answers. Nothing is decided on it: people read it, and who waits to try again hears of it."""

import asyncio
from collections.abc import Callable

from novita_operator.cluster.connection import Connection
from novita_operator.cluster.errors import ClusterError

_SECONDS = 5.0


class Pulse:
    """Asks every five seconds; `trouble` is empty while it answers, `returned` is called when it does so again."""

    def __init__(self, connection: Connection, *, returned: Callable[[], None]) -> None:
        self.trouble = ""
        self._connection = connection
        self._returned = returned

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self._connection.get("/version")
                if self.trouble:
                    self._returned()
                self.trouble = ""
            except ClusterError as error:
                self.trouble = str(error)
            await asyncio.sleep(_SECONDS)
