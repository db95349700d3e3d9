"""The recorded machine is not in the list: "could not look" is never "gone"."""

from novita_operator.decision.absence import find_out, is_absent
from novita_operator.decision.actions import Decision
from novita_operator.decision.situation import Situation
from novita_operator.model.reasons import Reason


def lost(s: Situation) -> Decision | None:
    """Falls through to `launch` once the machine is proved absent."""
    if s.claim is None or s.trace is None or s.trace.machine_id is None or s.machine is not None:
        return None
    if is_absent(s, s.trace):
        return None
    if s.fleet is None or s.fleet.begun < s.trace_seen + s.policy.list_lag:  # a later list may show it
        return find_out(
            s, s.trace, Reason.STARTING, "The machine was launched; Novita's list does not show it yet.", quiet=True
        )
    return find_out(
        s,
        s.trace,
        Reason.VANISHED,
        f"Machine {s.trace.name} is not in Novita's list: making sure before it is replaced.",
    )
