"""`make demo`: a GpuInstance lives and dies on a real cluster, told while it happens; exit 1 if it went otherwise."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from novita_simulator.ledger import Entry, Ledger
from stage import Stage, eventually, stage

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
PACE = {
    "toCreate": 0.5,
    "creating": 1,
    "pulling": 2,
    "toStop": 0.3,
    "stopping": 0.7,
    "toRemove": 0.3,
    "removing": 0.7,
    "removed": 1,
}
"""Seconds that the pretend machines take: long enough to be seen on the way."""
COLUMNS = "{:<18} {:<46} {:>9} {:>12}"


def main() -> int:
    """The play."""
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    try:
        say("Setting the stage")
        with stage(PACE, lambda what: print(f"  starting {what}", flush=True)) as scene:
            try:
                play(scene)
            except BaseException:
                print(f"\n--- the operator's log ---\n{scene.operator.lines[-6000:]}", file=sys.stderr)
                raise
    except (AssertionError, subprocess.CalledProcessError) as failure:
        print(f"\nNOT AS TOLD: {failure}", *getattr(failure, "__notes__", ()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    say(f"All as told, in {time.monotonic() - began:.0f} s. The stage is gone; nothing is left behind.")
    return 0


def play(scene: Stage) -> None:
    """Apply, look, stop, delete, pay."""
    with told(scene, "Applying the samples: what somebody wants", "kubectl apply -f manifests/samples"):
        scene.cluster.kubectl("apply", "-f", str(SAMPLES))
        names = scene.cluster.names()
        eventually(lambda: scene.cluster.status(names[0]).get("instanceId"), "the first machine is launched")
        show(scene)
    with told(scene, "Waiting until all are as wanted", "kubectl wait gpui --all --for=condition=Ready"):
        scene.cluster.kubectl("wait", "gpui", "--all", "--for=condition=Ready", "--timeout=30s")
        show(scene)
    one = "minimal"
    with told(
        scene,
        f"Stopping {one}",
        f'kubectl patch gpui {one} --type=merge -p \'{{"spec": {{"powerState": "Stopped"}}}}\'',
    ):
        scene.cluster.patch(one, {"spec": {"powerState": "Stopped"}})
        scene.cluster.wait_reason(one, "Stopped")
        show(scene)
        state = scene.novita.machine(scene.cluster.status(one)["machineName"]).status
        assert state == "exited", f"the machine of {one} is {state}"
    with told(scene, f"What happened to {one}, as Events", f"kubectl events --for gpui/{one}"):
        tell_events(scene, one)
    with told(
        scene,
        "Deleting all; the one to be retained must go too",
        "kubectl patch gpui keeper …; kubectl delete gpui --all",
    ):
        scene.cluster.patch("keeper", {"spec": {"deletionPolicy": "Delete"}})
        scene.cluster.kubectl("delete", "gpui", "--all", "--timeout=30s")
        assert scene.cluster.names() == [], "resources are left"
        print("  no resource is left")
    say("The bill")
    settle(scene.novita.ledger(), launched=len(names) - 1)


def show(scene: Stage) -> None:
    """The table as people see it."""
    print(indented(scene.cluster.kubectl("get", "gpui")))


def tell_events(scene: Stage, name: str) -> None:
    """The Events of one resource, in their order."""
    wanted = ["Launched", "Running", "Stopping", "Stopped"]
    eventually(lambda: len(scene.cluster.events(name)) >= len(wanted), "four Events")
    events = scene.cluster.events(name)
    for event in events:
        print(f"  {event['type']:<8} {event['reason']:<10} {event['note']}")
    assert [event["reason"] for event in events] == wanted, f"the Events of {name} tell another story"


def settle(ledger: Ledger, launched: int) -> None:
    """What was billed, by the books of the pretend Novita, and that nothing is billed any more."""
    ours = [entry for entry in ledger.entries if entry.mark and not entry.mark.startswith("another-cluster/")]
    foreign = [entry for entry in ledger.entries if entry not in ours]
    print("  " + COLUMNS.format("resource", "machine", "billed", "USD"))
    for entry in ours:
        resource = entry.mark.split("/")[2]
        print("  " + COLUMNS.format(resource, entry.name, f"{_billed(entry):.1f} s", f"{entry.cost:.6f}"))
    assert len(ours) == launched, f"{len(ours)} machines for {launched} resources that wanted one"
    running = [entry.name for entry in ours if entry.ended is None]
    assert not running, f"still there and billed: {', '.join(running)}"
    twice = [group for group, most in ledger.max_alive.items() if most > 1]
    assert not twice, f"resources that had two machines at once: {', '.join(twice)}"
    assert all(entry.ended is None for entry in foreign), "a machine of somebody else was deleted"
    print(f"  {len(ours)} machines, never two for one resource, none left; {len(foreign)} of other people untouched")


def _billed(entry: Entry) -> float:
    return sum((end or 0) - start for start, end in entry.billed)


@contextmanager
def told(scene: Stage, what: str, command: str) -> Iterator[None]:
    """A scene of the play: what it is about, and the command that it stands for."""
    say(what)
    print(f"  $ {command}", flush=True)
    yield
    assert scene.operator.process.poll() is None, "the operator ended"


def say(what: str) -> None:
    print(f"\n== {what}", flush=True)


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
