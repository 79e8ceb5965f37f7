"""Prometheus, where the machine has it or apt may install it: a convenience of `make run` that nothing depends on.

What to scrape is a file that Prometheus watches: whoever starts processes with `/metrics` tells it by `write_targets`.
Rules and alerts are those of production (`infra/prometheus/rules/`).
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from infra.embedded import debian, web
from infra.embedded.failure import PartFailed
from infra.embedded.home import keep_port
from infra.embedded.process import Child, spawn
from infra.embedded.records import write_atomically

NAME = "prometheus"
RETENTION = "35d"  # the objectives look back 30 days
RULES = Path(__file__).parent.parent / "prometheus" / "rules"


async def start(
    home: Path, alertmanager: str | None = None, runbooks: str = "docs/runbooks"
) -> tuple[Child, str] | None:
    """Start it and wait until it is ready: the child and its base URL. None, never an error, when it cannot be had.

    `alertmanager`: base URL of the one that alerts go to; `runbooks`: where their pages are. The first start on a
    machine without Prometheus takes as long as apt does: run this beside the rest.
    """
    if not (shutil.which("prometheus") or await debian.install("prometheus", home=home)):
        return None
    folder = home / NAME
    try:
        configuration = _configure(folder, alertmanager, runbooks)
        port = keep_port(home, NAME)
        command = [
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=exemplar-storage",
        ]
        child = await spawn(home, NAME, command)
    except (PartFailed, OSError):
        return None
    return await web.once_ready(child, f"http://127.0.0.1:{port}")


def write_targets(home: Path, targets: Mapping[str, str]) -> None:
    """What to scrape from now on: `host:port` of each process by its name, which becomes the label `process`."""
    groups = [{"targets": [address], "labels": {"process": name}} for name, address in sorted(targets.items())]
    write_atomically(home / NAME / "targets.json", groups)


def _configure(folder: Path, alertmanager: str | None, runbooks: str) -> Path:
    """As infra/prometheus/prometheus.yml has it for compose, with the addresses of this machine; JSON is YAML."""
    targets = [alertmanager.removeprefix("http://")] if alertmanager else []
    configuration = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "15s", "external_labels": {"runbooks": runbooks}},
        "rule_files": [str(RULES / "*.yml")],
        "alerting": {
            "alert_relabel_configs": [{"action": "labeldrop", "regex": "runbooks"}],
            "alertmanagers": [{"static_configs": [{"targets": targets}]}],
        },
        "scrape_configs": [
            {
                "job_name": "healthbook",
                "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "5s"}],
            }
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    return file
