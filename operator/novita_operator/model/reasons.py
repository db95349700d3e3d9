"""The closed sets of words that conditions, states and Events use. People and dashboards match on them.

Each word bears its meaning: `docs/reference/conditions.md` and `docs/reference/events.md` are printed from here.
"""

from enum import StrEnum
from typing import Self


class Told(StrEnum):
    """A word with a sentence for people."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        word = str.__new__(cls, value)
        word._value_ = value
        word.meaning = meaning
        return word


class State(Told):
    """One word for people; `status.state`."""

    PENDING = "Pending", "There is no machine, and none is being launched just now."
    LAUNCHING = "Launching", "A machine is being launched, or it is not yet known whether it was."
    STARTING = "Starting", "The machine is coming up."
    RUNNING = "Running", "The machine runs, and its ports have addresses."
    STOPPING = "Stopping", "The machine is going down."
    STOPPED = "Stopped", "Nothing runs, as wanted."
    RECLAIMED = "Reclaimed", "Novita took the spot machine back."
    FAILED = "Failed", "Somebody must change something; the condition `Stalled` says what."
    DELETING = "Deleting", "The resource is being deleted, and its machine before it."
    UNKNOWN = "Unknown", "What the machine does cannot be said just now."


class ConditionType(Told):
    """What a condition is about. `Reconciling` and `Stalled` stand only while true, as kstatus wants."""

    READY = "Ready", "What is observed is what is wanted; a wanted stop is `Ready` too, with the reason `Stopped`."
    RUNNING = "Running", "The machine runs."
    LAUNCHED = "Launched", "A machine stands for this resource; the message tells product, region and price."
    CREDENTIALS_VALID = "CredentialsValid", "Novita accepts the API key."
    SPOT_RECLAIM = "SpotReclaim", "Novita has announced that it takes the spot machine back, or has done so."
    RECONCILING = "Reconciling", "The operator is at work, or waits for something that may mend itself."
    STALLED = "Stalled", "Waiting alone does not mend it: somebody must change something; the message says what."


ONLY_WHILE_TRUE = frozenset({ConditionType.SPOT_RECLAIM, ConditionType.RECONCILING, ConditionType.STALLED})
"""Conditions that are absent otherwise."""


class Reason(Told):
    """Why the resource is where it is."""

    RUNNING = "Running", "The machine runs, as wanted."
    STOPPED = "Stopped", "Nothing runs, as wanted: the machine is stopped, or was never launched."
    PAUSED = "Paused", "The annotation `gpu.novita.ai/paused` is `true`: nothing is done, not even a deletion."
    # on the way
    LAUNCHING = "Launching", "An offer is being chosen, or the machine is being launched."
    LAUNCH_UNCERTAIN = "LaunchUncertain", "A launch got no answer; it is looked for before anything else is tried."
    STARTING = "Starting", "The machine is coming up."
    STOPPING = "Stopping", "The machine is going down."
    DELETING = "Deleting", "The machine is being deleted; the resource goes after it."
    RETRYING = "Retrying", "Something failed, and is tried again by itself."
    VANISHED = "Vanished", "Novita no longer lists the machine; that is proved before it is replaced."
    BRAKED = "Braked", "Too many machines vanished from Novita's list at once to believe it."
    DUPLICATE = "Duplicate", "A second machine with this resource's mark was found, and is deleted."
    RETAINED = "Retained", "The resource went, and its machine was left running and billed, on purpose."
    # waiting for Novita
    NOVITA_UNREACHABLE = "NovitaUnreachable", "There is no fresh and complete list of the machines, or a call failed."
    THROTTLED = "Throttled", "Novita asks for fewer calls."
    KEY_REJECTED = "KeyRejected", "Novita does not accept the API key, or does not let it do that."
    NO_STOCK = "NoStock", "No wanted machine is free just now."
    TOO_EXPENSIVE = "TooExpensive", "The cheapest offer costs more than `billing.maxPricePerHour`."
    NO_MONEY = "NoMoney", "The Novita account cannot pay."
    QUOTA_EXCEEDED = "QuotaExceeded", "The Novita account may not have more machines."
    # waiting for people
    PRODUCT_NOT_FOUND = "ProductNotFound", "Novita sells no such product in the wanted regions and billing mode."
    REGION_NOT_FOUND = "RegionNotFound", "Novita has none of the wanted regions."
    TEMPLATE_NOT_FOUND = "TemplateNotFound", "Novita knows no such template."
    CREDENTIAL_NOT_FOUND = "CredentialNotFound", "Novita stores no such registry credential."
    UNSUITABLE = "Unsuitable", "No offer can have a disk of the wanted size."
    REFUSED = "Refused", "Novita refused the request."
    STARTUP_TIMEOUT = "StartupTimeout", "The machine did not come up in time."
    TOO_MANY_RETRIES = "TooManyRetries", "Three launches or starts beyond the first did not help."
    SPOT_RECLAIMED = "SpotReclaimed", "Novita took the spot machine back."
    SPOT_RECLAIM_ANNOUNCED = "SpotReclaimAnnounced", "Novita takes the spot machine back, mostly within the hour."
    FROZEN = "Frozen", "Novita froze the machine, mostly for want of money."
    UNKNOWN_STATE = "UnknownState", "Novita names a state of the machine that the operator does not know."
    NOT_OURS = "NotOurs", "The machine that status names does not bear this resource's mark, and is not touched."
    # conditions of their own
    LAUNCHED = "Launched", "A machine stands for this resource."
    NOT_LAUNCHED = "NotLaunched", "No machine stands for this resource."
    KEY_ACCEPTED = "KeyAccepted", "Novita accepts the API key."
    NOT_TRIED = "NotTried", "The API key has not been tried yet."


class Incident(Told):
    """What is told by an Event alone, since there is no condition to tell it in."""

    ORPHANED = (
        "Orphaned",
        "A machine of this cluster is billed and has no resource; it is deleted if the policy says so.",
    )
    UNREADABLE = (
        "Unreadable",
        "The operator does not understand the resource, and leaves it alone until it is corrected.",
    )


NEEDS_PEOPLE = frozenset(
    {
        Reason.PRODUCT_NOT_FOUND,
        Reason.REGION_NOT_FOUND,
        Reason.TEMPLATE_NOT_FOUND,
        Reason.CREDENTIAL_NOT_FOUND,
        Reason.UNSUITABLE,
        Reason.REFUSED,
        Reason.TOO_MANY_RETRIES,
        Reason.STARTUP_TIMEOUT,
        Reason.SPOT_RECLAIMED,
        Reason.NO_MONEY,
        Reason.FROZEN,
        Reason.NOT_OURS,
    }
)
"""Reasons that waiting alone does not mend: `Stalled=True`, which Helm, Flux and Argo CD show as failed."""

NOT_OF_READY = frozenset(
    {
        Reason.RETAINED,
        Reason.SPOT_RECLAIM_ANNOUNCED,
        Reason.LAUNCHED,
        Reason.NOT_LAUNCHED,
        Reason.KEY_ACCEPTED,
        Reason.NOT_TRIED,
    }
)
"""Reasons that `Ready` never bears."""
