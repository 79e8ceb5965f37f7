"""A command that is killed, as by a loss of power, just before it writes a file of a register."""

import os
import signal
import subprocess
import sys
from pathlib import Path

_COMMAND = """
import os, signal, sys
from streams.adapters import files

write = files.write


def until_killed(path, content, mode):
    if path.name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, content, mode)


files.write = until_killed
from streams.cli import main

main(sys.argv[2:])
"""


def killed_before(name: str, home: Path, *arguments: str) -> None:
    """Runs `healthbook` with `arguments` until it would write a file of this name."""
    environment = os.environ | {"HEALTHBOOK_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", _COMMAND, name, *arguments], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
