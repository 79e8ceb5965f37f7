"""Panels and dashboards of one kind: what all of them have in common is said here, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
)
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    TextBoxVariable,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.models.common import (
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${datasource}")
GOOD, CARE, BAD = "green", "orange", "red"
QUANTILES = (0.5, 0.95, 0.99)
ORDER = ("promise", "flow", "facility", "gateway", "runtime")
"""From the promise down to what it stands on; each dashboard links to the others in this order."""

Panel = Timeseries | Stat
Rows = Mapping[str, Sequence[Panel]]
Limits = Sequence[tuple[float | None, str]]
"""Colour from a value on; the first has None."""


@dataclass(frozen=True)
class Query:
    """PromQL and what its lines are called; `exemplars`: a dot for single events, each leads to its trace."""

    expr: str
    legend: str = "__auto"
    exemplars: bool = False


def quantiles(metric: str, by: str = "") -> list[Query]:
    """p50, p95 and p99 of a histogram; p95 of each `by`. With the exemplars, once: they are those of the buckets."""
    per = ", ".join(["le", by] if by else ["le"])
    shares = (0.95,) if by else QUANTILES
    return [
        Query(
            f"histogram_quantile({share}, sum by ({per}) (rate({metric}_bucket[$__rate_interval])))",
            f"{{{{{by}}}}}" if by else f"p{share * 100:g}",
            exemplars=share == shares[-1],
        )
        for share in shares
    ]


def below(*limits: float) -> Limits:
    """Good below the first limit, bad from the last one on: for ages, backlogs and ratios of what is wrong."""
    colours = (CARE, BAD) if len(limits) == 2 else (BAD,)
    return [(None, GOOD), *zip(limits, colours, strict=True)]


def above(*limits: float) -> Limits:
    """Bad below the first limit, good from the last one on: for what should be much."""
    colours = (CARE, GOOD) if len(limits) == 2 else (GOOD,)
    return [(None, BAD), *zip(limits, colours, strict=True)]


def graph(
    title: str,
    *queries: Query,
    unit: str = "short",
    limits: Limits = (),
    stacked: bool = False,
    about: str = "",
    width: int = 12,
) -> Timeseries:
    """Lines over time; limits are drawn as dashed lines."""
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
    panel = Timeseries().title(title).description(about).unit(unit).min(0).legend(legend)
    panel = panel.datasource(PROMETHEUS).span(width).height(8)
    if limits:
        style = GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_thresholds(limits)).thresholds_style(style)
    if stacked:
        panel = panel.stacking(StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(30)
    for name, query in zip("ABCDEF", queries, strict=False):
        panel = panel.with_target(_target(query, name).range())
    return panel


def number(
    title: str, query: Query, *, unit: str = "short", limits: Limits = (), about: str = "", width: int = 4
) -> Stat:
    """The present value, one for each series, coloured by its limits."""
    last = ReduceDataOptions().calcs(["lastNotNull"])
    panel = Stat().title(title).description(about).unit(unit).reduce_options(last)
    panel = panel.datasource(PROMETHEUS).span(width).height(5)
    if limits:
        panel = panel.thresholds(_thresholds(limits))
    return panel.with_target(_target(query, "A").instant())


def dashboard(name: str, title: str, about: str, rows: Rows, *, facility: bool = False) -> Dashboard:
    """A dashboard whose uid, and so its address, never changes."""
    built = (
        Dashboard(f"healthbook / {title}")
        .uid(f"healthbook-{name}")
        .description(about)
        .tags(["healthbook"])
        .timezone("Asia/Ho_Chi_Minh")
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_text("console", "Console", "http://127.0.0.1:8000"))
    )
    if facility:
        built = built.with_variable(_facility())
    for other in ORDER:
        if other != name:
            built = built.link(_link(other.capitalize(), f"/d/healthbook-{other}", same_window=True))
    built = built.link(_link("Runbooks", "${console}/docs/runbooks/README.md")).link(
        _link("Search a visit", "${console}/visits")
    )
    for row, panels in rows.items():
        built = built.with_row(Row(row))
        for panel in panels:
            built = built.with_panel(panel)
    return built


def _target(query: Query, name: str) -> Dataquery:
    target = Dataquery().expr(query.expr).legend_format(query.legend).ref_id(name).datasource(PROMETHEUS)
    return target.exemplar(True) if query.exemplars else target


def _thresholds(limits: Limits) -> ThresholdsConfig:
    steps = [Threshold(value=value, color=colour) for value, colour in limits]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _text(name: str, label: str, value: str) -> TextBoxVariable:
    return TextBoxVariable(name).label(label).default_value(value).current(VariableOption(text=value, value=value))


def _facility() -> QueryVariable:
    return (
        QueryVariable("facility")
        .label("Facility")
        .datasource(PROMETHEUS)
        .query("label_values(healthbook_facility_last_event_timestamp_seconds, facility)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(text="All", value="$__all"))
    )


def _link(title: str, url: str, *, same_window: bool = False) -> DashboardLink:
    return (
        DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .icon("dashboard" if same_window else "external link")
        .url(url)
        .tooltip(title)
        .keep_time(same_window)
        .include_vars(same_window)
        .target_blank(not same_window)
    )
