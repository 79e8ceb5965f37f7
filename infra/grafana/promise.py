"""Promise: are we late, and will we be? Thresholds are the objectives of the rules and the limits of the alerts."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders.dashboard import Dashboard

from infra.grafana.panels import Panel, Query, Rows, above, below, dashboard, graph, number, quantiles

RECEIPT, SHOWN = "closed-to-receipt", "receipt-to-shown"
TARGET = {RECEIPT: 15 * 60, SHOWN: 24 * 3600}
_HISTOGRAM = {RECEIPT: "healthbook_close_to_receipt_seconds", SHOWN: "healthbook_receipt_to_display_seconds"}


def _kept(clock: str) -> str:
    """Share of the last day that was kept; 1 when nothing ended."""
    return f'1 - clock:healthbook_deadline_late:ratio_rate1d{{clock="{clock}"}} or vector(1)'


def _of_a_page(visits: str) -> str:
    """How many they are, of the number from which on they wake somebody."""
    return f"{visits} / on (clock) clock:healthbook_deadline:page_from"


def promise(budgets: dict[str, float]) -> Dashboard:
    """Are we late, and will we be?"""
    today: Sequence[Panel] = [
        number(
            f"{clock}: kept in the last day",
            Query(_kept(clock), clock),
            unit="percentunit",
            limits=above(1 - 2 * budgets[clock], 1 - budgets[clock]),
            about=f"Objective: {1 - budgets[clock]:.1%} over 30 days. 100 % when nothing ended.",
        )
        for clock in budgets
    ]
    now: Sequence[Panel] = [
        number(
            "At risk, of what is a page",
            Query(_of_a_page('sum by (clock) (healthbook_deadlines{state="AT_RISK"})'), "{{clock}}"),
            unit="percentunit",
            limits=below(0.2, 1),
            about="Three quarters of their time are used; they can still be saved.",
        ),
        number(
            "Will be late at the present drain rate, of what is a page",
            Query(_of_a_page("sum by (clock) (healthbook_deadline_predicted_breaches)"), "{{clock}}"),
            unit="percentunit",
            limits=below(0.2, 1),
        ),
        number(
            "Left for the most urgent",
            Query("min by (clock) (healthbook_deadline_nearest_seconds) or vector(86400)", "{{clock}}"),
            unit="s",
            limits=above(0, 300),
            about="Negative: late. A whole day when no clock runs.",
        ),
        number(
            "Late today",
            Query("sum by (clock) (increase(healthbook_deadline_breaches_total[1d]))", "{{clock}}"),
            limits=below(1, 10),
        ),
    ]
    burning: Sequence[Panel] = [
        graph(
            "Burn rate of the allowance",
            Query(
                "(clock:healthbook_deadline_late:ratio_rate1h / on (clock) clock:healthbook_deadline:error_budget)"
                " or clock:healthbook_deadline:error_budget * 0",
                "{{clock}}, 1 h",
            ),
            Query(
                "(clock:healthbook_deadline_late:ratio_rate6h / on (clock) clock:healthbook_deadline:error_budget)"
                " or clock:healthbook_deadline:error_budget * 0",
                "{{clock}}, 6 h",
            ),
            limits=below(6, 14.4),
            about="1: the allowance lasts just 30 days. 14.4: two days.",
        ),
        graph(
            "Kept and broken a minute",
            Query("sum by (clock) (rate(healthbook_deadline_kept_total[$__rate_interval])) * 60", "{{clock}} kept"),
            Query(
                "sum by (clock) (rate(healthbook_deadline_breaches_total[$__rate_interval])) * 60", "{{clock}} broken"
            ),
        ),
    ]
    durations = [
        graph(
            f"{clock}: how long it takes",
            *quantiles(_HISTOGRAM[clock]),
            unit="s",
            limits=below(TARGET[clock] * 0.75, TARGET[clock]),
            about="Each dot is one visit, with its trace.",
        )
        for clock in TARGET
    ]
    clocks = [
        graph(
            "Clocks by state",
            Query('sum by (state) (healthbook_deadlines{state=~"RUNNING|AT_RISK|BREACHED"})', "{{state}}"),
            stacked=True,
        ),
        graph("Predicted to be late", Query("sum by (clock) (healthbook_deadline_predicted_breaches)", "{{clock}}")),
    ]
    rows: Rows = {"Today": [*today, *now], "Allowance": burning, "How long it takes": durations, "What runs": clocks}
    return dashboard("promise", "Promise", "Are visits late, and will they be?", rows)
