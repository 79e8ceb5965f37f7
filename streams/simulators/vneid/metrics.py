"""Counts of this display side."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics:
    """A registry of its own: several simulators may run in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.displayed = Counter("vneid_displayed", "Versions shown to citizens", registry=self._registry)
        self.acknowledgements = Counter("vneid_acknowledgements", "Acknowledgements sent", registry=self._registry)
        self.reminders = Counter("vneid_reminders", "Reminders answered", registry=self._registry)
        self.ignored = Counter("vneid_ignored", "Records that changed nothing", ["why"], registry=self._registry)
        self.entries = Gauge("vneid_entries", "Entries held", registry=self._registry)
        self.waiting = Gauge("vneid_waiting", "Entries with a version that is not shown yet", registry=self._registry)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)
