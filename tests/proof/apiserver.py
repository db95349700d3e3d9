"""What goes wrong in a soak on the way to the API server, and with it, as a deed of the script says."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from controlplane.plane import ControlPlane
from proof.matrix import is_claim, is_lease, is_record, is_release
from proof.mishaps import Later
from proof.script import Deed
from proof.wire import Meets, Sent, Wire

_REQUESTS: tuple[Meets, ...] = (
    is_claim,
    is_record,
    is_release,
    lambda sent: sent.method == "PATCH",
    lambda sent: sent.method == "GET" and "watch" not in sent.path,
    lambda sent: "/configmaps" in sent.path,
)


class ApiServer:
    """The wire before the API server, and its process."""

    def __init__(self, wire: Wire, plane: ControlPlane, later: Later) -> None:
        self.counts: Counter[str] = Counter()
        self._wire = wire
        self._plane = plane
        self._later = later
        self._outage: threading.Thread | None = None

    def wire_cut(self, _: Deed, dice: random.Random) -> str:
        seconds = dice.choice((0.2, 0.5, 1, 2, 4))
        self._wire.cut()
        self._later(seconds, self._wire.mend)
        self.counts["wire cut"] += 1
        return f"{seconds} s"

    def request_held(self, _: Deed, dice: random.Random) -> str:
        number, when = dice.randrange(len(_REQUESTS)), dice.choice(("before", "after"))
        seconds, drop = dice.uniform(0.1, 3), dice.random() < 0.5
        held = self._wire.hold(_REQUESTS[number], "before" if when == "before" else "after")
        self._later(seconds, lambda: held.release(drop=drop))
        self.counts["request held"] += 1
        return f"kind {number} {when}, {seconds:.1f} s, {'lost' if drop else 'goes on'}"

    def lease_held(self, _: Deed, dice: random.Random) -> str:
        seconds = dice.uniform(0.5, 4)
        held = self._wire.hold(_is_about_lease, "before", is_lasting=True)
        self._later(seconds, lambda: held.release(drop=True))
        self.counts["lease held"] += 1
        return f"{seconds:.1f} s"

    def outage(self, _: Deed, dice: random.Random) -> str:
        """The process ends, and begins anew; one outage at a time."""
        if self._outage is not None and self._outage.is_alive():
            return "one at a time"
        seconds = dice.uniform(0.5, 6)

        def away() -> None:
            self._plane.stop_api()
            time.sleep(seconds)
            self._plane.start_api()

        self._outage = threading.Thread(target=away, name="outage")
        self._outage.start()
        self.counts["outage"] += 1
        return f"{seconds:.1f} s"

    def do(self, deed: Deed) -> str:
        return str(_AT_THE_API[deed.what](self, deed, random.Random(deed.dice)))

    def calm(self) -> None:
        """Everything passes again, and somebody answers."""
        if self._outage is not None:
            self._outage.join()
        self._wire.mend()
        self._wire.release()


def _is_about_lease(sent: Sent) -> bool:
    return is_lease(sent) or "/leases/" in sent.path


_AT_THE_API: Mapping[str, Callable[[ApiServer, Deed, random.Random], str]] = {
    "wire cut": ApiServer.wire_cut,
    "request held": ApiServer.request_held,
    "lease held": ApiServer.lease_held,
    "outage": ApiServer.outage,
}
