"""Facility: whose visits are they?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from infra.grafana.panels import Query, Rows, above, below, dashboard, graph, number


def facility() -> Dashboard:
    """Whose visits are they?"""
    chosen = 'facility=~"$facility"'
    last = f"max by (facility) (healthbook_facility_last_event_timestamp_seconds{{{chosen}}})"
    end = f"min by (facility) (healthbook_certificate_not_after_timestamp_seconds{{{chosen}}})"
    activity = [
        graph("Since the last visit closed", Query(f"time() - {last}", "{{facility}}"), unit="s"),
        graph(
            "Quiet against its rhythm",
            Query(f"max by (facility) (healthbook_facility_silent{{{chosen}}}) or vector(0)", "{{facility}}"),
            limits=below(1),
        ),
    ]
    certificates = [
        number(
            "Days left of the signing certificate",
            Query(f"sort(({end} - time()) / 86400)", "{{facility}}"),
            unit="d",
            limits=above(7, 30),
            width=24,
        ),
    ]
    counts = [
        number(
            "Facilities that ever sent", Query("count(healthbook_facility_last_event_timestamp_seconds)", "facilities")
        ),
        number(
            "Quiet against their rhythm",
            Query("sum(healthbook_facility_silent) or vector(0)", "facilities"),
            limits=below(1),
        ),
        number(
            "Certificates that end within 30 days",
            Query(
                "count((healthbook_certificate_not_after_timestamp_seconds - time()) < 30 * 86400) or vector(0)",
                "facilities",
            ),
            limits=below(1),
        ),
    ]
    rows: Rows = {"All of them": counts, "Activity": activity, "Certificates": certificates}
    return dashboard("facility", "Facility", "Whose visits are they?", rows, facility=True)
