"""Runtime: is it us?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from infra.grafana.panels import Query, Rows, above, below, dashboard, graph, number


def runtime() -> Dashboard:
    """Is it us?"""
    health = [
        number("Processes that answer", Query('sum(up{job="healthbook"})', "up"), limits=above(1)),
        number(
            "Processes that do not", Query('count(up{job="healthbook"} == 0) or vector(0)', "down"), limits=below(1)
        ),
        number("Parts reachable", Query("min by (part) (healthbook_part_reachable)", "{{part}}"), limits=above(1)),
        number("Versions", Query("count by (version) (healthbook_build_info)", "{{version}}")),
    ]
    processes = [
        graph(
            "Since the loop came round",
            Query("max by (process) (healthbook_progress_age_seconds)", "{{process}}"),
            unit="s",
            limits=below(30, 120),
        ),
        graph(
            "Starts within an hour",
            Query('max by (process) (changes(process_start_time_seconds{job="healthbook"}[1h]))', "{{process}}"),
            limits=below(4),
        ),
        graph(
            "CPU",
            Query(
                'sum by (process) (rate(process_cpu_seconds_total{job="healthbook"}[$__rate_interval]))', "{{process}}"
            ),
            unit="percentunit",
        ),
        graph(
            "Memory",
            Query('sum by (process) (process_resident_memory_bytes{job="healthbook"})', "{{process}}"),
            unit="bytes",
        ),
    ]
    disks = [
        graph(
            "Free space",
            Query("min by (folder) (healthbook_disk_free_bytes / healthbook_disk_size_bytes)", "{{folder}}"),
            unit="percentunit",
            limits=above(0.05, 0.15),
        ),
        graph("Free bytes", Query("min by (folder) (healthbook_disk_free_bytes)", "{{folder}}"), unit="bytes"),
    ]
    rows: Rows = {"Health": health, "Processes": processes, "Disks": disks}
    return dashboard("runtime", "Runtime", "Is it us?", rows)
