"""`make up`: the stage of the demo without the play; it stays until Ctrl-C."""

import signal
import sys
import threading

from e2e.demo import PACE, SAMPLES, say
from novita_simulator.operations import BASE
from stage import Stage, stage


def main() -> int:
    """Set the stage, tell how to use it, and wait."""
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    with stage(PACE, lambda what: print(f"  starting {what}", flush=True)) as scene:
        explain(scene)
        while not end.wait(1):
            if scene.operator.process.poll() is not None:
                print(f"the operator ended:\n{scene.operator.lines[-3000:]}", file=sys.stderr)
                return 1
    say("The stage is gone.")
    return 0


def explain(scene: Stage) -> None:
    """The lines to paste."""
    say("Paste into another terminal")
    print(f"  export KUBECONFIG={scene.plane.kubeconfig}")
    print(f"  export PATH={scene.plane.kubectl_path.parent}:$PATH")
    print(f"  kubectl apply -f {SAMPLES}")
    print("  kubectl get gpui --watch")
    say("Look at")
    print(f"  the operator   {scene.operator.url}/metrics and {scene.operator.url}/readyz, log {scene.operator.log}")
    print(f"  the simulator  {scene.novita.url}/_simulator/ledger, API {scene.novita.url}{BASE}")
    say("Ctrl-C ends it all")


if __name__ == "__main__":
    sys.exit(main())
