"""Where the bus is: given, from the environment, or what a running system of this machine wrote down (INTERFACE §2)."""

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Addresses:
    """Empty means: not known (yet)."""

    kafka: str
    schema_registry: str


def find_addresses(bootstrap_servers: str | None, schema_registry: str | None) -> Addresses:
    """Looks anew each time: a system that starts after the HIS, or moves to other ports, is found."""
    running = _running()
    return Addresses(
        bootstrap_servers or os.environ.get("HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS") or running.get("kafka") or "",
        schema_registry or os.environ.get("HEALTHBOOK_SCHEMA_REGISTRY_URL") or running.get("schema_registry") or "",
    )


def _running() -> dict[str, str]:
    home = Path(os.environ.get("HEALTHBOOK_HOME") or "var")
    try:
        found = json.loads((home / "run" / "addresses.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
