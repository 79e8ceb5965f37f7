"""Installing a Debian package where that is ours to do: as root, with apt-get, as on a fresh container."""

import os
import shutil
from pathlib import Path

from infra.embedded.failure import PartFailed
from infra.embedded.process import run_to_end

UNATTENDED = {"DEBIAN_FRONTEND": "noninteractive"}


async def install(package: str, *, home: Path) -> bool:
    """True when `package` was installed; False when it is not ours to do or apt-get failed (its log says why)."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    try:
        await run_to_end(home, f"apt-{package}", ["apt-get", "-qq", "update"], env=UNATTENDED)
        command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", package]
        await run_to_end(home, f"apt-{package}", command, env=UNATTENDED)
    except PartFailed:
        return False
    return True
