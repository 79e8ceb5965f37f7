"""Which alerts the rules of production raise over the series of a day, and when; evaluated by promtool.

promtool counts from 1970 on: metrics that hold an instant are moved by as much as the day is.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from infra.embedded.prometheus import RULES
from tests.day.scrape import Series
from tests.support.promtool import not_silenced

_INSTANTS = re.compile(r"^\w+_(timestamp|time)_seconds\{")
_SAMPLE = re.compile(r"\{(?P<labels>[^}]*)\} (?P<value>[-+.0-9E]+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Alert:
    """One that fired: its labels, from when until when; `heard`: when Alertmanager first let it through, if ever."""

    labels: Mapping[str, str]
    since: datetime
    until: datetime
    heard: datetime | None

    @property
    def name(self) -> str:
        return self.labels["alertname"]

    def is_about(self, wanted: Mapping[str, str]) -> bool:
        """Whether it has these labels."""
        return wanted.items() <= self.labels.items()


def fired(series: Series, folder: Path) -> list[Alert]:
    """In the order in which they began."""
    firing = 'ALERTS{alertstate="firing"}'
    through = " or ".join(f"({not_silenced(severity)})" for severity in ("page", "ticket"))
    over = f"[{series.minutes}m:1m]"
    asked = {
        "since": f"min_over_time((timestamp({firing})){over})",
        "until": f"max_over_time((timestamp({firing})){over})",
        "heard": f"min_over_time((timestamp({through})){over})",
    }
    found = dict(zip(asked, _evaluated(series, folder, list(asked.values())), strict=True))

    def at(seconds: float) -> datetime:
        return series.start + timedelta(seconds=seconds)

    alerts = [
        Alert(
            {name: value for name, value in labels if name != "alertstate"},
            at(since),
            at(found["until"][labels]),
            at(found["heard"][labels]) if labels in found["heard"] else None,
        )
        for labels, since in found["since"].items()
    ]
    return sorted(alerts, key=lambda alert: (alert.since, alert.name))


Labels = frozenset[tuple[str, str]]


def _evaluated(series: Series, folder: Path, exprs: list[str]) -> list[dict[Labels, float]]:
    """What each expression is at the end of the day. promtool tells a value only when another was expected."""
    end = f"{series.minutes - 1}m"
    document = {
        "rule_files": [str(RULES / "*.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": list(_input(series)),
                "promql_expr_test": [{"expr": expr, "eval_time": end, "exp_samples": []} for expr in exprs],
            }
        ],
    }
    file = folder / "day.yml"
    file.write_text(yaml.safe_dump(document, width=10**9), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    told = re.findall(r"got:(.*)", done.stdout + done.stderr)
    assert len(told) == len(exprs), done.stdout + done.stderr
    return [
        {frozenset(_LABEL.findall(sample["labels"])): float(sample["value"]) for sample in _SAMPLE.finditer(line)}
        for line in told
    ]


def _input(series: Series) -> Iterator[dict[str, str]]:
    epoch = series.start.timestamp()
    for text, values in series.values.items():
        moved = epoch if _INSTANTS.match(text) else 0.0
        written = ("_" if value is None else f"{value - (moved if value else 0):.9g}" for value in values)
        yield {"series": text, "values": " ".join(written)}
