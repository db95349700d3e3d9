"""The closed sets of words that conditions, states and Events use. People and dashboards match on them."""

from enum import StrEnum


class State(StrEnum):
    """One word for people; `status.state`."""

    PENDING = "Pending"
    LAUNCHING = "Launching"
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    RECLAIMED = "Reclaimed"
    FAILED = "Failed"
    DELETING = "Deleting"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """What a condition is about. `Reconciling` and `Stalled` stand only while true, as kstatus wants."""

    READY = "Ready"
    RUNNING = "Running"
    LAUNCHED = "Launched"
    CREDENTIALS_VALID = "CredentialsValid"
    SPOT_RECLAIM = "SpotReclaim"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """Why the resource is where it is."""

    RUNNING = "Running"
    STOPPED = "Stopped"
    PAUSED = "Paused"
    # on the way
    LAUNCHING = "Launching"
    LAUNCH_UNCERTAIN = "LaunchUncertain"
    STARTING = "Starting"
    STOPPING = "Stopping"
    DELETING = "Deleting"
    RETRYING = "Retrying"
    VANISHED = "Vanished"
    BRAKED = "Braked"
    DUPLICATE = "Duplicate"
    RETAINED = "Retained"
    # waiting for Novita
    NOVITA_UNREACHABLE = "NovitaUnreachable"
    THROTTLED = "Throttled"
    KEY_REJECTED = "KeyRejected"
    NO_STOCK = "NoStock"
    TOO_EXPENSIVE = "TooExpensive"
    NO_MONEY = "NoMoney"
    QUOTA_EXCEEDED = "QuotaExceeded"
    # waiting for people
    PRODUCT_NOT_FOUND = "ProductNotFound"
    REGION_NOT_FOUND = "RegionNotFound"
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    CREDENTIAL_NOT_FOUND = "CredentialNotFound"
    UNSUITABLE = "Unsuitable"
    REFUSED = "Refused"
    STARTUP_TIMEOUT = "StartupTimeout"
    TOO_MANY_RETRIES = "TooManyRetries"
    SPOT_RECLAIMED = "SpotReclaimed"
    SPOT_RECLAIM_ANNOUNCED = "SpotReclaimAnnounced"
    FROZEN = "Frozen"
    UNKNOWN_STATE = "UnknownState"
    NOT_OURS = "NotOurs"
    # conditions of their own
    LAUNCHED = "Launched"
    NOT_LAUNCHED = "NotLaunched"
    KEY_ACCEPTED = "KeyAccepted"
    NOT_TRIED = "NotTried"


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
