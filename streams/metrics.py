"""Every metric of the product: name, meaning, unit, labels (docs/observability.md lists them for their readers).

Labels are bounded: closed lists, and `facility` in few families; a visit is never one.
"""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# A second series for each counter and histogram, which no rule and no panel asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]

_MINUTE, _HOUR = 60, 3600
PROMISE_BUCKETS = (
    1,
    5,
    30,
    _MINUTE,
    5 * _MINUTE,
    15 * _MINUTE,
    _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    18 * _HOUR,
    24 * _HOUR,
    48 * _HOUR,
)

EVENTS = Counter(
    "healthbook_events", "Events that a stage processed, by outcome (the type it answered)", ["stage", "outcome"]
)
STAGE_DURATION = Histogram(
    "healthbook_stage_duration_seconds",
    "Time a stage needed for one batch of events, from poll to commit, divided by the events in it",
    ["stage"],
    unit="seconds",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CLOSE_TO_RECEIPT = Histogram(
    "healthbook_close_to_receipt_seconds",
    "From the close of a visit to the gateway's receipt",
    unit="seconds",
    buckets=PROMISE_BUCKETS,
)
RECEIPT_TO_DISPLAY = Histogram(
    "healthbook_receipt_to_display_seconds",
    "From the gateway's receipt to the entry shown on VNeID",
    unit="seconds",
    buckets=PROMISE_BUCKETS,
)
DEADLINES = Gauge("healthbook_deadlines", "Clocks by their present state", ["clock", "state"])
DEADLINE_BREACHES = Counter("healthbook_deadline_breaches", "Clocks whose due time passed unmet", ["clock"])
DEADLINE_KEPT = Counter("healthbook_deadline_kept", "Clocks that were met in time", ["clock"])
DEADLINE_NEAREST = Gauge(
    "healthbook_deadline_nearest_seconds",
    "Seconds left for the most urgent running clock; negative when past",
    ["clock"],
    unit="seconds",
)
DEADLINE_PREDICTED_BREACHES = Gauge(
    "healthbook_deadline_predicted_breaches",
    "Of the clocks that run and are not late, how many will be at the present drain rate",
    ["clock"],
)
DEADLINE_PREDICTED_BREACH = Gauge(
    "healthbook_deadline_predicted_breach_timestamp_seconds",
    "When the first of them will be late (Unix time); 0 while none will",
    ["clock"],
    unit="seconds",
)
BACKLOG = Gauge("healthbook_backlog", "Events that wait for a stage", ["stage"])
BACKLOG_OLDEST = Gauge(
    "healthbook_backlog_oldest_seconds", "Age of the oldest event that waits for a stage", ["stage"], unit="seconds"
)
GATEWAY_REQUESTS = Counter(
    "healthbook_gateway_requests", "Calls to the gateway, by operation and class of result", ["operation", "result"]
)
BREAKER_OPEN = Gauge("healthbook_gateway_breaker_open", "1 while the breaker for the whole gateway is open")
OUTAGE_OPEN = Gauge(
    "healthbook_outage_open",
    "1 while an outage of the subject lasts, as the ledger of outages has it (with several dispatchers: the maximum)",
    ["subject", "announced"],
)
DEAD_LETTERS = Counter("healthbook_dead_letters", "Records put aside", ["topic", "stage", "reason"])
HELD = Gauge("healthbook_held", "Visits that wait for a person", ["reason"])
FACILITY_LAST_EVENT = Gauge(
    "healthbook_facility_last_event_timestamp_seconds",
    "When a facility's last visit closed (Unix time)",
    ["facility"],
    unit="seconds",
)
FACILITY_SILENT = Gauge(
    "healthbook_facility_silent",
    "1 while a facility that normally sends has gone quiet, 0 while it sends; absent until its rhythm is known",
    ["facility"],
)
FLOW_EVENTS = Gauge(
    "healthbook_flow_events",
    "Revisions that took a step at a stage, each once, in the last whole hour or the last 24 of them",
    ["stage", "outcome", "window"],
)
COMPLETENESS = Gauge(
    "healthbook_completeness", "Revisions closed in the last 7 days, by what became of them", ["outcome"]
)
COMPLETENESS_MISSING = Gauge(
    "healthbook_completeness_missing",
    "Revisions that the adapters of a facility counted in the last 7 days and nobody has seen; absent when none",
    ["facility"],
)
CERTIFICATE_NOT_AFTER = Gauge(
    "healthbook_certificate_not_after_timestamp_seconds",
    "Until when a facility can sign without a gap, by the certificates that it has (Unix time)",
    ["facility"],
    unit="seconds",
)
ADAPTER_REQUESTS = Counter(
    "healthbook_adapter_requests",
    "Requests to hand a visit over by HTTP: TAKEN, REPEATED, or the code why not",
    ["outcome"],
)
ADAPTER_DURATION = Histogram(
    "healthbook_adapter_request_seconds",
    "From the head of such a request to its answer, with the time that its body took to come",
    unit="seconds",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
ADAPTER_IN_HAND = Gauge("healthbook_adapter_requests_in_hand", "Such requests that have begun and are not answered yet")
SPOOL_ENTRIES = Gauge(
    "healthbook_spool_entries",
    "Visits in the spool of `adapter http`: waiting for the broker, or refused by it",
    ["state"],
)
SPOOL_BYTES = Gauge("healthbook_spool_used_bytes", "Dossiers in that spool", unit="bytes")
SPOOL_LIMIT = Gauge("healthbook_spool_limit_bytes", "How much it may hold; beyond it nothing is taken", unit="bytes")
PROGRESS_AGE = Gauge(
    "healthbook_progress_age_seconds", "Seconds since the work of this process last came round", unit="seconds"
)
PART_REACHABLE = Gauge("healthbook_part_reachable", "1 when this process can connect to the part", ["part"])
DISK_FREE = Gauge("healthbook_disk_free_bytes", "Free bytes where a watched folder lies", ["folder"], unit="bytes")
DISK_SIZE = Gauge("healthbook_disk_size_bytes", "All bytes where a watched folder lies", ["folder"], unit="bytes")
BUILD_INFO = Gauge("healthbook_build_info", "1; the version is the label", ["version"])
