"""Gateway and outages: is it the outside?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from infra.grafana.panels import Query, Rows, above, below, dashboard, graph, number


def gateway() -> Dashboard:
    """Is it the outside?"""
    usable = (
        'sum(rate(healthbook_gateway_requests_total{operation="send",result!~"TEMPORARY|UNKNOWN"}[$__rate_interval]))'
        ' / (sum(rate(healthbook_gateway_requests_total{operation="send"}[$__rate_interval])) > 0) or vector(1)'
    )
    state = [
        number("Breaker open", Query("max(healthbook_gateway_breaker_open)", "breaker"), limits=below(1)),
        number(
            "Outages that last",
            Query(
                'sum by (subject) (max by (subject, announced) (healthbook_outage_open{announced="false"}))',
                "{{subject}}",
            ),
            limits=below(1),
        ),
        number(
            "Announced maintenance",
            Query('max by (subject) (healthbook_outage_open{announced="true"})', "{{subject}}"),
            limits=below(1),
        ),
        number("Sends with a usable answer", Query(usable, "share"), unit="percentunit", limits=above(0.8, 0.95)),
    ]
    calls = [
        graph(
            "Sends a second by result",
            Query(
                'sum by (result) (rate(healthbook_gateway_requests_total{operation="send"}[$__rate_interval]))',
                "{{result}}",
            ),
            unit="ops",
            stacked=True,
        ),
        graph(
            "Sessions a minute by result",
            Query(
                'sum by (result) (rate(healthbook_gateway_requests_total{operation="take"}[$__rate_interval])) * 60',
                "{{result}}",
            ),
        ),
    ]
    waits = [
        graph("Waits for the gateway", Query('stage:healthbook_backlog:sum{stage="forward"}', "visits")),
        graph(
            "Since when the oldest waits",
            Query('stage:healthbook_backlog_oldest_seconds:max{stage="forward"}', "oldest"),
            unit="s",
            limits=below(300, 900),
        ),
        graph(
            "Shown on VNeID a minute",
            Query("sum(rate(healthbook_receipt_to_display_seconds_count[$__rate_interval])) * 60", "shown"),
        ),
        graph(
            "Entries handed to VNeID a minute",
            Query('sum(rate(healthbook_events_total{stage="publish"}[$__rate_interval])) * 60', "published"),
        ),
    ]
    rows: Rows = {"State": state, "Calls": calls, "What it holds up": waits}
    return dashboard("gateway", "Gateway and outages", "Is it the outside?", rows)
