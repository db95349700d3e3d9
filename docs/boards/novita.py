"""How Novita's API answers: calls, failures, the budget, and the list of the fleet."""

from boards.frame import GREEN, NONE, ORANGE, PER_SECOND, RED, SECONDS, SHARE, Query, Row, lines, page, states, tile

_OF = 'namespace=~"$namespace"'
_FAILED = 'outcome=~"Unknown|IncompleteList|NotSent"'
"""No usable answer; a refusal is one."""


def board() -> str:
    return page(
        "novita-api",
        "Calls to Novita: how many, how fast, how they end, and how well the fleet is seen.",
        ("Operator's namespace", "label_values(novita_operator_build_info, namespace)"),
        (_NOW, _CALLS, _TIMES, _SIGHT),
    )


def _share_of(selector: str, window: str) -> str:
    part = f"sum(rate(novita_api_requests_total{{{_OF}, {selector}}}[{window}]))"
    return f"({part} or vector(0)) / sum(rate(novita_api_requests_total{{{_OF}}}[{window}]))"


def _p95(histogram: str) -> Query:
    rate = f"sum by (operation, le) (rate({histogram}_bucket{{{_OF}}}[$__rate_interval]))"
    return Query(f"histogram_quantile(0.95, {rate})", "{{operation}}")


_NOW = Row(
    "Now",
    (
        tile(
            "API key",
            "While Novita rejects it, nothing is started, stopped or deleted.",
            f"min(novita_api_credentials_valid{{{_OF}}})",
            steps={0: RED, 1: GREEN},
            words={0: "rejected", 1: "accepted"},
        ),
        tile(
            "Sight",
            "Without a list that is fresh enough nothing is started, stopped or deleted.",
            f"max(novita_fleet_stale{{{_OF}}})",
            steps={1: RED},
            words={0: "fresh", 1: "stale"},
        ),
        tile(
            "Age of the list",
            "Of all machines; three poll intervals old, it is believed no more.",
            f"max(novita_fleet_age_seconds{{{_OF}}})",
            unit=SECONDS,
        ),
        tile(
            "Doubted",
            "Whether too many machines vanished at once to believe the list.",
            f"max(novita_fleet_suspect{{{_OF}}})",
            steps={1: RED},
            words={0: "no", 1: "yes"},
        ),
        tile(
            "Resting",
            "Operation classes whose breaker is not closed: Novita did not answer.",
            f"count(max by (operation_class) (novita_api_breaker_open{{{_OF}}}) > 0) or vector(0)",
            steps={1: ORANGE},
        ),
        tile(
            "Calls per minute",
            "Compare with the budget, NOVITA_OPERATOR_API_CALLS_PER_MINUTE.",
            f"60 * sum(rate(novita_api_requests_total{{{_OF}}}[5m]))",
        ),
        tile(
            "Failed",
            "Share of the calls in the last ten minutes that had no usable answer; a refusal is one.",
            _share_of(_FAILED, "10m"),
            unit=SHARE,
            steps={0.02: ORANGE, 0.1: RED},
        ),
        tile(
            "Throttled",
            "Share of the calls in the last ten minutes that were too many for Novita.",
            _share_of('outcome="Throttled"', "10m"),
            unit=SHARE,
            steps={0.001: ORANGE, 0.1: RED},
        ),
    ),
)

_CALLS = Row(
    "Calls",
    (
        lines(
            "By operation",
            "One list per poll for the whole account; the rest is what resources need.",
            Query(f"sum by (operation) (rate(novita_api_requests_total{{{_OF}}}[$__rate_interval]))", "{{operation}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        lines(
            "By outcome",
            "Unknown: no answer, or none that makes sense. NotSent: it never left the process.",
            Query(f"sum by (outcome) (rate(novita_api_requests_total{{{_OF}}}[$__rate_interval]))", "{{outcome}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        lines(
            "Failed by operation",
            "Calls without a usable answer.",
            Query(
                f"sum by (operation) (rate(novita_api_requests_total{{{_OF}, {_FAILED}}}[$__rate_interval]))",
                "{{operation}}",
            ),
            unit=PER_SECOND,
        ),
        states(
            "Breakers",
            "Open: the class holds its calls back. Probing: the next call finds out.",
            Query(f"max by (operation_class) (novita_api_breaker_open{{{_OF}}})", "{{operation_class}}"),
            steps={0.5: ORANGE, 1: RED},
            words={0: "closed", 0.5: "probing", 1: "open"},
        ),
    ),
)

_TIMES = Row(
    "Times",
    (
        lines(
            "Answer, 95 of 100 calls",
            "Without the wait for the budget.",
            _p95("novita_api_request_duration_seconds"),
            unit=SECONDS,
        ),
        lines(
            "Wait for the budget, 95 of 100 calls",
            "Long waits: more calls are wanted than the budget gives, or Novita asked for silence.",
            _p95("novita_api_budget_wait_seconds"),
            unit=SECONDS,
        ),
    ),
)

_SIGHT = Row(
    "The list of the fleet",
    (
        lines(
            "Age",
            "Of the last complete list.",
            Query(f"max(novita_fleet_age_seconds{{{_OF}}})", "age"),
            unit=SECONDS,
        ),
        lines(
            "Lists by result",
            "IncompleteList: its pages did not add up.",
            Query(f"sum by (result) (rate(novita_fleet_polls_total{{{_OF}}}[$__rate_interval]))", "{{result}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        states(
            "Sight",
            "Stale: too old to act on. Doubted: too many machines vanished at once.",
            Query(f"max(novita_fleet_stale{{{_OF}}})", "stale"),
            Query(f"max(novita_fleet_suspect{{{_OF}}})", "doubted"),
            steps={1: RED},
            words={0: "no", 1: "yes"},
        ),
        lines(
            "Machines",
            "In the last complete list, of each operator.",
            Query(
                f"max by (namespace, job, owner) (novita_fleet_machines{{{_OF}}})", "{{owner}} ({{namespace}} {{job}})"
            ),
            unit=NONE,
        ),
    ),
)
