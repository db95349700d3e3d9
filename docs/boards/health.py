"""How the operator itself is: who acts, how fast, and what fails."""

from boards.frame import (
    BYTES,
    GREEN,
    NONE,
    ORANGE,
    PER_SECOND,
    RED,
    SECONDS,
    SHARE,
    Query,
    Row,
    lines,
    page,
    tile,
    word,
)

_OF = 'namespace=~"$namespace"'
_OURS = f"on (namespace, job, instance) group_left () novita_operator_build_info{{{_OF}}}"
"""Python's own metrics bear no name of ours."""
_ACTS = f"and on (namespace, job, instance) novita_operator_leader{{{_OF}}} == 1"
"""The queue of one that stands by fills, and nobody works on it."""


def board() -> str:
    return page(
        "novita-operator",
        "The operator's processes: leadership, steps, queue, writes to Kubernetes, memory.",
        ("Operator's namespace", "label_values(novita_operator_build_info, namespace)"),
        (_NOW, _STEPS, _QUEUE, _KUBERNETES, _PROCESS),
    )


def _quantiles(histogram: str) -> tuple[Query, ...]:
    rate = f"sum by (le) (rate({histogram}_bucket{{{_OF}}}[$__rate_interval]))"
    return tuple(Query(f"histogram_quantile({q}, {rate})", f"p{q * 100:.0f}") for q in (0.5, 0.95, 0.99))


_NOW = Row(
    "Now",
    (
        tile("Replicas", "Processes that answer the scrape.", f"count(novita_operator_build_info{{{_OF}}})"),
        tile(
            "Acting",
            "Of each installation exactly one should: none means that nothing is stopped or deleted.",
            f"sum by (namespace, job) (novita_operator_leader{{{_OF}}})",
            legend="{{namespace}} {{job}}",
            steps={0: RED, 1: GREEN, 2: RED},
        ),
        word(
            "Version",
            "More than one only during an upgrade.",
            Query(f"count by (version) (novita_operator_build_info{{{_OF}}})", "{{version}}"),
        ),
        tile(
            "Youngest process",
            "Seconds since the last start.",
            f"min(time() - process_start_time_seconds * {_OURS})",
            unit=SECONDS,
        ),
        tile(
            "Waiting",
            "Objects that wait for a step.",
            f"sum(novita_operator_workqueue_depth{{{_OF}}} {_ACTS})",
        ),
        tile(
            "Longest wait",
            "Of an object for its step.",
            f"max(novita_operator_workqueue_longest_wait_seconds{{{_OF}}})",
            unit=SECONDS,
            steps={60: ORANGE, 600: RED},
        ),
        tile(
            "Failed steps",
            "Share of the steps in the last quarter of an hour.",
            f"sum(rate(novita_operator_reconcile_errors_total{{{_OF}}}[15m]))"
            f" / sum(rate(novita_operator_reconcile_duration_seconds_count{{{_OF}}}[15m])) or vector(0)",
            unit=SHARE,
            steps={0.05: ORANGE, 0.5: RED},
        ),
        tile(
            "Cannot be understood",
            "Resources that are left alone until somebody corrects them.",
            "count(max by (namespace, gpuinstance) (novita_gpu_instance_unreadable)) or vector(0)",
            steps={1: ORANGE},
        ),
    ),
)

_STEPS = Row(
    "Steps",
    (
        lines(
            "Steps by what they did",
            "Rest is the most frequent in health.",
            Query(f"sum by (action) (rate(novita_operator_reconcile_total{{{_OF}}}[$__rate_interval]))", "{{action}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        lines(
            "Failed steps by kind",
            "Names from the trees of errors; NoMoney, OutOfStock and their like are Novita's answers.",
            Query(
                f"sum by (error) (rate(novita_operator_reconcile_errors_total{{{_OF}}}[$__rate_interval]))", "{{error}}"
            ),
            unit=PER_SECOND,
            stacked=True,
        ),
        lines(
            "Duration of a step",
            "A launch waits for its place in the call budget.",
            *_quantiles("novita_operator_reconcile_duration_seconds"),
            unit=SECONDS,
        ),
        lines(
            "Look-ups answered from the cache",
            "Share, by cache: what Novita sells is asked for once per TTL.",
            Query(
                f'sum by (cache) (rate(novita_operator_cache_requests_total{{{_OF}, result="hit"}}[$__rate_interval]))'
                f" / sum by (cache) (rate(novita_operator_cache_requests_total{{{_OF}}}[$__rate_interval]))",
                "{{cache}}",
            ),
            unit=SHARE,
        ),
    ),
)

_QUEUE = Row(
    "Queue",
    (
        lines(
            "Waiting and under way",
            "Of the process that acts.",
            Query(f"sum(novita_operator_workqueue_depth{{{_OF}}} {_ACTS})", "waiting"),
            Query(f"sum(novita_operator_workqueue_active_workers{{{_OF}}})", "under way"),
            unit=NONE,
        ),
        lines(
            "Longest wait",
            "Of an object that still waits: a queue that stands still shows here, and only here.",
            Query(f"max(novita_operator_workqueue_longest_wait_seconds{{{_OF}}})", "longest wait"),
            unit=SECONDS,
            steps={60: ORANGE, 600: RED},
        ),
        lines(
            "Wait before a step",
            "Of the objects whose step has begun; a new leader's first ones waited as long as it stood by.",
            *_quantiles("novita_operator_workqueue_queue_duration_seconds"),
            unit=SECONDS,
        ),
        lines(
            "Added and put back",
            "Put back: after a failed step, later and later.",
            Query(f"sum(rate(novita_operator_workqueue_adds_total{{{_OF}}}[$__rate_interval]))", "added"),
            Query(f"sum(rate(novita_operator_workqueue_retries_total{{{_OF}}}[$__rate_interval]))", "put back"),
            unit=PER_SECOND,
        ),
    ),
)

_KUBERNETES = Row(
    "Kubernetes",
    (
        lines(
            "Writes",
            "By what was written; none while nothing changes, but for the lease.",
            Query(
                f"sum by (write) (rate(novita_operator_kubernetes_writes_total{{{_OF}}}[$__rate_interval]))",
                "{{write}}",
            ),
            unit=PER_SECOND,
            stacked=True,
        ),
        lines(
            "Writes that did not go well",
            "A conflict is harmless: it is decided again on what stands there.",
            Query(
                "sum by (write, result) (rate(novita_operator_kubernetes_writes_total"
                f'{{{_OF}, result!="ok"}}[$__rate_interval]))',
                "{{write}} {{result}}",
            ),
            unit=PER_SECOND,
        ),
        lines(
            "Leadership",
            "1 for the process that acts.",
            Query(f"novita_operator_leader{{{_OF}}}", "{{pod}} {{instance}}"),
            unit=NONE,
        ),
        lines(
            "Events that were never posted",
            "What happened still stands in status; only its telling is lost.",
            Query(f"sum by (type) (rate(novita_operator_events_dropped_total{{{_OF}}}[$__rate_interval]))", "{{type}}"),
            unit=PER_SECOND,
        ),
    ),
)

_PROCESS = Row(
    "Process",
    (
        lines(
            "CPU",
            "Cores in use.",
            Query(f"rate(process_cpu_seconds_total[$__rate_interval]) * {_OURS}", "{{pod}} {{instance}}"),
            unit=NONE,
        ),
        lines(
            "Memory",
            "Resident; about 10 KB for each resource beside a ground of its own.",
            Query(f"process_resident_memory_bytes * {_OURS}", "{{pod}} {{instance}}"),
            unit=BYTES,
        ),
    ),
)
