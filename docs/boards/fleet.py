"""What runs, what it costs, and what is not as it should be."""

from boards.frame import DOLLARS, GREEN, NONE, ORANGE, RED, SHARE, Query, Row, bars, lines, page, rows, tile

_OF = 'namespace=~"$namespace"'
_JOIN = "on (namespace, gpuinstance)"


def _each(metric: str) -> str:
    """One value for each resource: at a change of leader two processes tell of it for a scrape."""
    return f"max by (namespace, gpuinstance) ({metric}{{{_OF}}})"


def _facts(selector: str = "") -> str:
    """The same with all labels, where `max` would keep two series whose facts differ."""
    return f"topk by (namespace, gpuinstance) (1, novita_gpu_instance_info{{{_OF}{selector}}})"


def _operators(metric: str) -> str:
    """One value for each operator; several watch namespaces of their own."""
    return f"max by (namespace, job) ({metric})"


_BILLED = (
    f"{_each('novita_gpu_instance_hourly_price_dollars')} * {_JOIN} group_left (product, region, billing_mode, state)"
    f""" {_facts(', state!~"Stopped|Reclaimed"')}"""
)
"""A stopped machine costs its disk, a reclaimed one nothing: neither costs its hourly price."""


def board() -> str:
    return page(
        "novita-fleet",
        "GpuInstance resources: their state, and what their machines cost.",
        ("Namespace", "label_values(novita_gpu_instance_info, namespace)"),
        (_NOW, _COST, _RESOURCES, _MACHINES),
    )


_NOW = Row(
    "Now",
    (
        tile("Resources", "GpuInstances in these namespaces.", f"count({_facts()}) or vector(0)"),
        tile(
            "As wanted",
            "Share of the resources that are Ready: a wanted stop counts.",
            f"avg({_each('novita_gpu_instance_ready')})",
            unit=SHARE,
            steps={0: RED, 0.9: ORANGE, 1: GREEN},
        ),
        tile(
            "Late",
            "Not ready, and longer so than their own startup timeout.",
            f"count(time() > {_each('novita_gpu_instance_ready_deadline_timestamp_seconds')}) or vector(0)",
            steps={1: ORANGE},
        ),
        tile(
            "Stalled",
            "Waiting does not mend them: somebody must change something.",
            f"count({_each('novita_gpu_instance_stalled')}) or vector(0)",
            steps={1: RED},
        ),
        tile(
            "Cost per hour",
            "Hourly prices of all machines that are not stopped.",
            f"sum({_BILLED}) or vector(0)",
            unit=DOLLARS,
        ),
        tile("Cost of a month", "730 hours like this one.", f"730 * sum({_BILLED}) or vector(0)", unit=DOLLARS),
        tile(
            "Spent",
            "In the time range of this board; an estimate from samples of the hourly prices.",
            f"sum(sum_over_time(({_BILLED})[$__range:$__interval])) * $__interval_ms / 3600000 or vector(0)",
            unit=DOLLARS,
        ),
        tile(
            "Orphans",
            "Machines that are billed and have no resource, in the whole cluster.",
            f"sum({_operators('novita_operator_orphans')})",
            steps={1: RED},
        ),
    ),
)

_COST = Row(
    "Cost",
    (
        lines(
            "Cost per hour by namespace",
            "Hourly prices of all machines that are not stopped.",
            Query(f"sum by (namespace) ({_BILLED})", "{{namespace}}"),
            unit=DOLLARS,
            stacked=True,
        ),
        lines(
            "Cost per hour by product",
            "The same, by what was launched.",
            Query(f"sum by (product) ({_BILLED})", "{{product}}"),
            unit=DOLLARS,
            stacked=True,
        ),
        bars("By region", "Cost per hour now.", Query(f"sum by (region) ({_BILLED})", "{{region}}"), unit=DOLLARS),
        bars(
            "By billing",
            "Cost per hour now; spot machines can be taken back.",
            Query(f"sum by (billing_mode) ({_BILLED})", "{{billing_mode}}"),
            unit=DOLLARS,
        ),
        rows(
            "Dearest",
            "The twenty resources that cost most per hour now.",
            f"sort_desc(topk(20, {_BILLED}))",
            {
                "namespace": "Namespace",
                "gpuinstance": "Name",
                "product": "Product",
                "region": "Region",
                "billing_mode": "Billing",
                "Value": "Per hour",
            },
            unit=DOLLARS,
        ),
    ),
)

_RESOURCES = Row(
    "Resources",
    (
        lines(
            "By state",
            "The word that `kubectl get gpui` shows.",
            Query(f"count by (state) ({_facts()})", "{{state}}"),
            unit=NONE,
            stacked=True,
        ),
        rows(
            "Not as wanted",
            "Why, is told by the reason; `kubectl describe gpui` tells more.",
            f"{_facts()} and {_JOIN} {_each('novita_gpu_instance_ready')} == 0",
            {
                "namespace": "Namespace",
                "gpuinstance": "Name",
                "state": "State",
                "reason": "Reason",
                "product": "Product",
                "region": "Region",
            },
        ),
        lines(
            "Launches",
            "Create calls by outcome, in the whole cluster.",
            Query("sum by (outcome) (increase(novita_gpu_instance_launches_total[$__rate_interval]))", "{{outcome}}"),
            unit=NONE,
            stacked=True,
        ),
        rows(
            "Late by",
            "Resources that are not ready, and how long ago they should have been.",
            f"time() - {_each('novita_gpu_instance_ready_deadline_timestamp_seconds')} > 0",
            {"namespace": "Namespace", "gpuinstance": "Name", "Value": "Late by"},
            unit="s",
        ),
    ),
)

_MACHINES = Row(
    "Machines in the account",
    (
        lines(
            "Whose they are",
            "As each operator sees the account. Foreign machines are never touched.",
            Query("max by (namespace, job, owner) (novita_fleet_machines)", "{{owner}} ({{namespace}} {{job}})"),
            unit=NONE,
        ),
        lines(
            "Without a resource",
            "Orphans are a money leak; retained machines were left running on purpose, and are billed too.",
            Query(f"sum({_operators('novita_operator_orphans')})", "orphans"),
            Query(f"sum({_operators('novita_operator_retained')})", "retained"),
            unit=NONE,
        ),
        lines(
            "Deleted to save money",
            "Duplicates: the claim names another machine. Orphans: by the orphan policy.",
            Query("sum(increase(novita_gpu_instance_duplicates_deleted_total[$__rate_interval]))", "duplicates"),
            Query("sum(increase(novita_operator_orphans_deleted_total[$__rate_interval]))", "orphans"),
            unit=NONE,
        ),
        rows(
            "Left alone",
            "Resources that cannot be understood, until somebody corrects them; an Event says what is wrong.",
            _each("novita_gpu_instance_unreadable"),
            {"namespace": "Namespace", "gpuinstance": "Name"},
        ),
    ),
)
