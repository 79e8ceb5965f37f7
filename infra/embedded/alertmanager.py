"""Alertmanager, where the machine has it or apt may install it: groups alerts and silences what another one explains.

A convenience of `make run` like Prometheus, with the configuration of production (`infra/prometheus/alertmanager.yml`).
"""

import shutil
from pathlib import Path

from infra.embedded import debian, web
from infra.embedded.failure import PartFailed
from infra.embedded.home import keep_port
from infra.embedded.process import Child, spawn

NAME = "alertmanager"
PROGRAM = "prometheus-alertmanager"  # Debian's name for it, and for its package
CONFIGURATION = Path(__file__).parent.parent / "prometheus" / "alertmanager.yml"


async def start(home: Path, configuration: Path = CONFIGURATION) -> tuple[Child, str] | None:
    """Start it and wait until it is ready: the child and its base URL. None, never an error, when it cannot be had."""
    if not (shutil.which(PROGRAM) or await debian.install(PROGRAM, home=home)):
        return None
    try:
        port = keep_port(home, NAME)
        command = [
            PROGRAM,
            f"--config.file={configuration}",
            f"--storage.path={home / NAME}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",  # one of its kind: no port for peers
        ]
        child = await spawn(home, NAME, command)
    except (PartFailed, OSError):
        return None
    return await web.once_ready(child, f"http://127.0.0.1:{port}")
