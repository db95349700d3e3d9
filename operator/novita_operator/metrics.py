"""Every metric of the operator, in one place; `docs/reference/metrics.md` is printed from it.

Names and labels follow the shapes that controller-runtime's users know. Per-object gauges come from one collector
that reads memory at scrape time (`control/gauges.py`), so a deleted object leaves no series behind.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

_FAST = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)
_WAIT = (0.001, 0.01, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250)
_CALL = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)

BUILD_INFO = Gauge("novita_operator_build_info", "Version of the operator; always 1.", ["version"], registry=REGISTRY)
LEADER = Gauge(
    "novita_operator_leader", "1 while this process may act: it holds the lease, or runs alone.", registry=REGISTRY
)

RECONCILES = Counter(
    "novita_operator_reconcile_total", "Reconcile steps, by what they did.", ["action"], registry=REGISTRY
)
RECONCILE_ERRORS = Counter(
    "novita_operator_reconcile_errors_total",
    "Reconcile steps that failed, by kind of error.",
    ["error"],
    registry=REGISTRY,
)
RECONCILE_SECONDS = Histogram(
    "novita_operator_reconcile_duration_seconds",
    "Time that one reconcile step took.",
    buckets=_FAST,
    registry=REGISTRY,
)
KUBERNETES_WRITES = Counter(
    "novita_operator_kubernetes_writes_total",
    "Writes to the Kubernetes API, by what and how they ended.",
    ["write", "result"],
    registry=REGISTRY,
)
EVENTS_DROPPED = Counter(
    "novita_operator_events_dropped_total",
    "Events that were never posted: too many waited, or the API server did not take them.",
    ["type"],
    registry=REGISTRY,
)

QUEUE_DEPTH = Gauge("novita_operator_workqueue_depth", "Objects that wait for a step.", registry=REGISTRY)
QUEUE_ADDS = Counter(
    "novita_operator_workqueue_adds_total", "Times an object was added to the queue.", registry=REGISTRY
)
QUEUE_RETRIES = Counter(
    "novita_operator_workqueue_retries_total", "Times an object was put back after a failed step.", registry=REGISTRY
)
QUEUE_WAIT_SECONDS = Histogram(
    "novita_operator_workqueue_queue_duration_seconds",
    "Time that an object waited for its step.",
    buckets=_WAIT,
    registry=REGISTRY,
)
QUEUE_BUSY = Gauge("novita_operator_workqueue_active_workers", "Steps under way.", registry=REGISTRY)

API_REQUESTS = Counter(
    "novita_api_requests_total",
    "Attempts to call Novita, by operation and outcome.",
    ["operation", "outcome"],
    registry=REGISTRY,
)
API_SECONDS = Histogram(
    "novita_api_request_duration_seconds",
    "Time that one attempt took, without the wait for the budget.",
    ["operation"],
    buckets=_CALL,
    registry=REGISTRY,
)
API_WAIT_SECONDS = Histogram(
    "novita_api_budget_wait_seconds",
    "Time that a call waited for its place in the budget.",
    ["operation"],
    buckets=_CALL,
    registry=REGISTRY,
)
BREAKER_OPEN = Gauge(
    "novita_api_breaker_open",
    "1 while the circuit breaker of an operation class holds calls back, 0.5 while one call may or does find out.",
    ["operation_class"],
    registry=REGISTRY,
)

FLEET_POLLS = Counter("novita_fleet_polls_total", "Lists of the fleet, by result.", ["result"], registry=REGISTRY)

LAUNCHES = Counter("novita_gpu_instance_launches_total", "Create calls, by outcome.", ["outcome"], registry=REGISTRY)
DUPLICATES_DELETED = Counter(
    "novita_gpu_instance_duplicates_deleted_total",
    "Machines deleted because the claim names another.",
    registry=REGISTRY,
)
ORPHANS_DELETED = Counter("novita_operator_orphans_deleted_total", "Orphans deleted by the sweep.", registry=REGISTRY)
