"""Whatever way the flow stops as a whole: told within five minutes, its own pages silent within fifteen after it moves.

Its own pages are those of `flow.yml` and `runtime.yml`; what became late in the meantime (`promise.yml`) stays longer.
The minutes are those of Prometheus' clock: real rules at their own interval on simulated series. How long a real system
takes: `python -m benchmarks.alerts`.
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from infra.embedded.prometheus import RULES
from streams.runtime.processes import PROCESSES
from tests.support.total_stop import AGAIN, END, STOP, TICK_SECONDS, Stop, input_series

TOLD_WITHIN, SILENT_WITHIN = 5, 15
ALL = frozenset(PROCESSES)
RECORDING = ("healthbook-objectives", "healthbook-promise", "healthbook-flow")
PAGES = 'ALERTS{alertstate="firing", severity="page"}'


def one(name: str) -> frozenset[str]:
    return frozenset({name})


# What stops: which alert tells it, minutes until it fires, minutes from moving again until no page of the stop is left.
TABLE: dict[str, tuple[Stop, str, float, float]] = {
    **{
        f"{name} stands still": (
            Stop(one(name)),
            "HealthbookStageStopped",
            4,
            0.25 if name in ("forward", "record") else 2.25,  # how old the others' backlog is, is an alert as well
        )
        for name in PROCESSES
    },
    **{
        f"{name} does not answer": (Stop(one(name), silent=one(name)), "HealthbookProcessDown", 2, 0)
        for name in PROCESSES
    },
    "forward hangs": (Stop(one("forward"), stuck=one("forward")), "HealthbookProcessStuck", 3.25, 0.25),
    "deadlines hangs": (Stop(one("deadlines"), stuck=one("deadlines")), "HealthbookProcessStuck", 3.25, 2.25),
    **{
        f"{part} is away": (Stop(ALL, part=part), "HealthbookPartUnreachable", 1, 2.25)
        for part in ("kafka", "postgres", "registry")
    },
    "no process answers": (Stop(ALL, silent=ALL), "HealthbookProcessDown", 2, 0),
    "one process is no target any more": (Stop(one("sign"), unknown=one("sign")), "HealthbookProcessMissing", 3, 0),
    "no process is a target any more": (Stop(ALL, unknown=ALL), "HealthbookNoData", 2, 0),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_total_stop_is_told_and_its_end_too(case: str, tmp_path: Path) -> None:
    stop, alert, told, silent = TABLE[case]
    named = f'{PAGES[:-1]}, alertname="{alert}"}}'
    asked = {
        f"(min(min_over_time(timestamp({named})[{_minutes(END)}m:15s])) - {STOP * TICK_SECONDS}) / 60": told,
        f"(max(max_over_time(timestamp({PAGES})[{_minutes(END)}m:15s])) - {AGAIN * TICK_SECONDS} + 15) / 60": silent,
    }
    document = {
        "rule_files": [str(RULES / f"{name}.yml") for name in ("recording", "flow", "runtime")],
        # The slowest order: what an alert reads was recorded at the evaluation before.
        "group_eval_order": ["healthbook-flow-alerts", "healthbook-runtime-alerts", *RECORDING],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": f"{TICK_SECONDS}s",
                "input_series": input_series(stop),
                "promql_expr_test": [
                    {"expr": expr, "eval_time": f"{_minutes(END)}m", "exp_samples": [{"labels": "{}", "value": value}]}
                    for expr, value in asked.items()
                ],
            }
        ],
    }
    file = tmp_path / "stop.yml"
    file.write_text(yaml.safe_dump(document, width=10**9), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_five_minutes_and_fifteen_are_enough_for_all_of_them() -> None:
    assert max(told for _, _, told, _ in TABLE.values()) <= TOLD_WITHIN
    assert max(silent for *_, silent in TABLE.values()) <= SILENT_WITHIN


def _minutes(ticks: int) -> int:
    return ticks * TICK_SECONDS // 60
