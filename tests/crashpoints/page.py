"""Prints docs/crash-points.md from the table: `python -m tests.crashpoints.page > docs/crash-points.md`."""

import sys
from collections import Counter
from itertools import groupby

from tests.crashpoints.exemptions import EXEMPT
from tests.crashpoints.points import Step
from tests.crashpoints.table import POINTS, STEPS

_HEAD = """\
# Crash points

Printed from `tests/crashpoints/table.py` by `python -m tests.crashpoints.page`; do not edit.

A durable effect outlives the process: a commit, an acknowledged record, an answered request. Just before and just after
each effect lies a **crash point**. `tests/crashpoints/` starts the real processes on real Kafka, PostgreSQL, registry
and gateway simulator, lets each kill itself with SIGKILL there while visits are under way, starts it again, and looks
from outside: every visit ended as it should, each event left once and in order, the gateway has one effective version
with one content, sequence numbers have no gap, spools are empty, the timeline is complete
([decision 0019](decisions/0019-crash-points-without-a-seam.md)).

`make test` runs every point and a sample of the ordered pairs of `forward` and `relay`; `make crashpoints` runs
"""


def page() -> str:
    """The whole document."""
    number = Counter(point.process for point in POINTS)
    pairs = {process: number[process] ** 2 for process in ("forward", "relay")}
    head = _HEAD + f"all pairs ({pairs['forward']} of `forward`, {pairs['relay']} of `relay`). "
    head += "It also plants bugs of\n`tests/faults/planted/` that a crash at one point must bring to light"
    head += " (`tests/crashpoints/planted_bugs.py`). "
    head += f"{len(STEPS)} effects, {len(POINTS)} crash points.\n"
    processes = [_process(name, list(steps)) for name, steps in groupby(STEPS, key=lambda step: step.process)]
    return "\n".join([head, *processes, _exempt()])


def _process(name: str, steps: list[Step]) -> str:
    rows = [
        f"| `{step.name}` | {step.site.effect} | {_code(step.site.place)} | {step.before} | {step.after} |"
        for step in steps
    ]
    return "\n".join(
        [
            f"## {name}",
            "",
            "| point | effect | where | died before: what the next process finds and does | died after |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _exempt() -> str:
    rows = [f"| {_code(place)} | {why} |" for place, why in sorted(EXEMPT.items())]
    head = ["## Effects without a crash point", "", "| where | why |", "| --- | --- |"]
    return "\n".join([*head, *rows, ""])


def _code(place: str) -> str:
    module, _, function = place.partition(":")
    return f"`{module.replace('.', '/')}.py`" + (f" `{function}`" if function else "")


if __name__ == "__main__":
    sys.stdout.write(page())
