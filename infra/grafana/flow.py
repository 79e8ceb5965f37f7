"""Flow: which stage is it?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from infra.grafana.panels import Query, Rows, below, dashboard, graph, quantiles


def flow() -> Dashboard:
    """Which stage is it?"""
    waiting = [
        graph("Waiting", Query("stage:healthbook_backlog:sum", "{{stage}}")),
        graph(
            "Age of the oldest that waits",
            Query("stage:healthbook_backlog_oldest_seconds:max", "{{stage}}"),
            unit="s",
            limits=below(60, 300),
        ),
    ]
    moving = [
        graph("Events a second", Query("stage:healthbook_events:rate2m", "{{stage}}"), unit="ops"),
        graph(
            "Outcomes a second",
            Query(
                'sum by (outcome) (rate(healthbook_events_total{outcome!="stored"}[$__rate_interval]))', "{{outcome}}"
            ),
            unit="ops",
        ),
        graph(
            "Time an event takes, p95",
            *quantiles("healthbook_stage_duration_seconds", by="stage"),
            unit="s",
            about="Each dot is one batch, with the trace of an event in it.",
        ),
        graph(
            "Time an event takes, mean",
            Query(
                "sum by (stage) (rate(healthbook_stage_duration_seconds_sum[$__rate_interval]))"
                " / sum by (stage) (rate(healthbook_stage_duration_seconds_count[$__rate_interval]))",
                "{{stage}}",
            ),
            unit="s",
        ),
    ]
    aside = [
        graph(
            "Held, waiting for a person",
            Query("sum by (reason) (healthbook_held) or vector(0)", "{{reason}}"),
            stacked=True,
        ),
        graph(
            "Dead letters an hour",
            Query(
                "sum by (stage, reason) (increase(healthbook_dead_letters_total[1h])) or vector(0)",
                "{{stage}} {{reason}}",
            ),
            stacked=True,
        ),
    ]
    rows: Rows = {"Waiting": waiting, "Moving": moving, "Put aside": aside}
    return dashboard("flow", "Flow", "Which stage is it?", rows)
