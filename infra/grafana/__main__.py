"""`python -m infra.grafana` writes dashboards/*.json; with `--check` it only ends with 1 when one is stale.

Five dashboards, from the promise down to what it stands on: promise → flow → facility → gateway → runtime.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from infra.grafana.facility import facility
from infra.grafana.flow import flow
from infra.grafana.gateway import gateway
from infra.grafana.promise import promise
from infra.grafana.runtime import runtime

FOLDER = Path(__file__).parent / "dashboards"
OBJECTIVES = Path(__file__).parent.parent / "prometheus" / "rules" / "recording.yml"
_BUDGET = "clock:healthbook_deadline:error_budget"


def budgets() -> dict[str, float]:
    """Share of late clocks that the objective allows, by clock: where Prometheus has it from."""
    groups: Any = yaml.safe_load(OBJECTIVES.read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"] if rule["record"] == _BUDGET]
    return {rule["labels"]["clock"]: float(rule["expr"].removeprefix("vector(").removesuffix(")")) for rule in rules}


def rendered() -> dict[Path, str]:
    """What the files must hold."""
    boards = {
        "promise": promise(budgets()),
        "flow": flow(),
        "facility": facility(),
        "gateway": gateway(),
        "runtime": runtime(),
    }
    return {
        FOLDER / f"{name}.json": json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"
        for name, board in boards.items()
    }


def main() -> int:
    wanted = rendered()
    if sys.argv[1:] == ["--check"]:
        there = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
        stale = sorted(path.name for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path))
        if stale:
            sys.stderr.write(f"Stale in {FOLDER}: {', '.join(stale)}. Run python -m infra.grafana.\n")
        return 1 if stale else 0
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
