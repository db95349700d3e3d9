"""What the boards share: variables, links, alerts as annotations, and how each kind of panel looks."""

import json
import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import NamedTuple

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueTextMode,
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataTransformerConfig,
    Panel,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

TITLES = {"novita-fleet": "Novita: fleet and cost", "novita-operator": "Novita: operator", "novita-api": "Novita: API"}
"""Of every board, by its uid, which never changes: links and bookmarks hold it."""

GREEN, ORANGE, RED = "green", "orange", "red"
NONE, PER_SECOND, SECONDS, SHARE, DOLLARS, BYTES = "short", "ops", "s", "percentunit", "currencyUSD", "bytes"

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HALF = 12
_IN_SIGHT = ""
"""Not in the menu, where the SDK puts it."""

Steps = Mapping[float, str]
"""Colours, each from a value upwards; below the first it is green."""
Words = Mapping[float, str]
"""What stands in the place of a value."""


class Query(NamedTuple):
    """An expression, and how its series are called."""

    expr: str
    legend: str = ""


class Row(NamedTuple):
    title: str
    panels: Sequence[Builder[Panel]]


def page(uid: str, description: str, namespace: tuple[str, str], rows: Sequence[Row]) -> str:
    """The whole board as JSON; `namespace` is the label and the query of the variable of that name."""
    board = _empty(uid, description, *namespace)
    for row in rows:
        board.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            board.with_panel(panel)
    made = board.build()
    for number, each in enumerate(made.panels or (), 1):
        each.id_val = number
    return json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def tile(
    title: str,
    description: str,
    expr: str,
    *,
    legend: str = "",
    unit: str = NONE,
    steps: Steps | None = None,
    words: Words | None = None,
) -> Builder[Panel]:
    """A number, or the word for it; of each series, where there are several."""
    panel = stat.Panel().title(title).description(description).datasource(_SOURCE).span(3).height(4)
    panel.unit(unit).thresholds(_thresholds(steps or {})).with_target(_target(Query(expr, legend), instant=True))
    panel.mappings(_mappings(words or {}))
    return panel.max_data_points(1000).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def word(title: str, description: str, query: Query) -> Builder[Panel]:
    """The names of the series, not their values."""
    panel = stat.Panel().title(title).description(description).datasource(_SOURCE).span(3).height(4)
    return panel.unit(NONE).text_mode(BigValueTextMode.NAME).with_target(_target(query, instant=True))


def lines(
    title: str, description: str, *queries: Query, unit: str, steps: Steps | None = None, stacked: bool = False
) -> Builder[Panel]:
    """Values over time; with steps their areas are shaded."""
    panel = timeseries.Panel().title(title).description(description).datasource(_SOURCE).span(_HALF).height(8)
    panel.unit(unit).min(0).legend(
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(20)
    if steps:
        panel.thresholds(_thresholds(steps)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.AREA)
        )
    return panel.targets(_targets(queries))


def states(title: str, description: str, *queries: Query, steps: Steps, words: Words) -> Builder[Panel]:
    """One band for each series, in the colours of the steps."""
    panel = statetimeline.Panel().title(title).description(description).datasource(_SOURCE).span(_HALF).height(8)
    panel.thresholds(_thresholds(steps)).mappings(_mappings(words))
    return panel.targets(_targets(queries))


def bars(title: str, description: str, query: Query, *, unit: str) -> Builder[Panel]:
    """The series' present values, side by side."""
    panel = bargauge.Panel().title(title).description(description).datasource(_SOURCE).span(6).height(8)
    panel.unit(unit).min(0).orientation(VizOrientation.HORIZONTAL)
    return panel.with_target(_target(query, instant=True))


def rows(title: str, description: str, expr: str, columns: Mapping[str, str], *, unit: str = NONE) -> Builder[Panel]:
    """A table: a row for each series, a column for each of these labels (or `Value`), under these titles."""
    panel = table.Panel().title(title).description(description).datasource(_SOURCE).span(_HALF).height(8).unit(unit)
    panel.with_transformation(_transformation("filterFieldsByName", {"include": {"names": list(columns)}}))
    order = {name: number for number, name in enumerate(columns)}
    panel.with_transformation(_transformation("organize", {"indexByName": order, "renameByName": dict(columns)}))
    return panel.with_target(_target(Query(expr), instant=True).format(PromQueryFormat.TABLE))


def _empty(uid: str, description: str, label: str, namespaces: str) -> dashboard.Dashboard:
    board = dashboard.Dashboard(TITLES[uid]).uid(uid).description(description).tags(["novita"])
    board.time("now-6h", "now").refresh("1m").tooltip(DashboardCursorSync.CROSSHAIR).annotation(_alerts())
    board.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    board.with_variable(
        dashboard.QueryVariable("namespace")
        .label(label)
        .datasource(_SOURCE)
        .query({"query": namespaces, "refId": "namespace"})
        .definition(namespaces)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
    )
    for other, title in TITLES.items():
        if other != uid:
            board.link(_link(title, f"/d/{other}?var-datasource=${{datasource}}"))
    return board


def _alerts() -> dashboard.AnnotationQuery:
    query = 'ALERTS{alertname=~"Novita.*", alertstate="firing"}'
    alerts = dashboard.AnnotationQuery().name("Alerts").datasource(_SOURCE).icon_color(RED).expr(query)
    return alerts.title_format("{{alertname}}").tag_keys("severity").placement(_IN_SIGHT)


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).url(url).keep_time(keep_time=True).placement(_IN_SIGHT)


def _targets(queries: Sequence[Query]) -> list[Builder[Dataquery]]:
    return [_target(query).ref_id(letter) for letter, query in zip(ascii_uppercase, queries, strict=False)]


def _target(query: Query, *, instant: bool = False) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id("A").expr(query.expr).legend_format(query.legend or "__auto")
    return target.instant() if instant else target.range()


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    ground = {-math.inf: GREEN} | dict(steps)
    colours = [Threshold(None if math.isinf(value) else value, colour) for value, colour in ground.items()]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(colours)


def _mappings(words: Words) -> list[ValueMapping]:
    texts = {f"{value:g}": ValueMappingResult(text=word) for value, word in words.items()}
    return [ValueMap(options=texts)] if texts else []


def _transformation(name: str, options: Mapping[str, object]) -> DataTransformerConfig:
    return DataTransformerConfig(id_val=name, options=dict(options))
