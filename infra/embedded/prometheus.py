"""Prometheus, where the machine has it or apt may install it: a convenience of `make run` that nothing depends on.

What to scrape is a file that Prometheus watches: whoever starts processes with `/metrics` tells it by `write_targets`.
"""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from infra.embedded import debian
from infra.embedded.failure import PartFailed
from infra.embedded.home import keep_port
from infra.embedded.process import Child, spawn
from infra.embedded.records import write_atomically

NAME = "prometheus"
READY_WITHIN = 30.0
RETENTION = "15d"

CONFIGURATION = """\
global:
  scrape_interval: 5s
scrape_configs:
  - job_name: healthbook
    file_sd_configs:
      - files: [targets.json]
        refresh_interval: 5s
"""


async def start(home: Path) -> tuple[Child, str] | None:
    """Start it and wait until it is ready: the child and its base URL. None, never an error, when it cannot be had.

    The first start on a machine without it takes as long as apt does: run this beside the rest.
    """
    if not (shutil.which("prometheus") or await debian.install("prometheus", home=home)):
        return None
    folder = home / "prometheus"
    try:
        configuration = _configure(folder)
        port = keep_port(home, NAME)
        command = [
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        child = await spawn(home, NAME, command)
    except (PartFailed, OSError):
        return None
    url = f"http://127.0.0.1:{port}"
    try:
        await child.ready(lambda: _answers(url), READY_WITHIN)
    except PartFailed:
        await child.stop()
        return None
    except asyncio.CancelledError:
        await child.stop()
        raise
    return child, url


def write_targets(home: Path, targets: Mapping[str, str]) -> None:
    """What to scrape from now on: `host:port` of each process by its name, which becomes the label `process`."""
    groups = [{"targets": [address], "labels": {"process": name}} for name, address in sorted(targets.items())]
    write_atomically(home / "prometheus" / "targets.json", groups)


def _configure(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "prometheus.yml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    return configuration


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/-/ready") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
