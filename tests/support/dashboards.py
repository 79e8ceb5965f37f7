"""The committed dashboards, and every query in them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "infra" / "grafana" / "dashboards"


@dataclass(frozen=True)
class PanelQuery:
    """Where it stands, and what it asks."""

    dashboard: str
    panel: str
    expr: str
    exemplars: bool

    def __str__(self) -> str:
        return f"{self.dashboard} / {self.panel}: {self.expr}"


def dashboards() -> dict[str, dict[str, Any]]:
    """By name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def queries() -> Iterator[PanelQuery]:
    """Of all panels."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield PanelQuery(name, panel["title"], target["expr"], target.get("exemplar", False))
