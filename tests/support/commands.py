"""A command of `healthbook` as a script runs it: a process of its own."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.stderr
        return json.loads(self.stdout)


async def healthbook(*arguments: object, **settings: str) -> Answer:
    """Runs it to its end; `settings` by their names without the prefix, such as `database_url`."""
    process = await started(*arguments, **settings)
    stdout, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Answer(process.returncode, stdout.decode(), stderr.decode())


async def started(*arguments: object, **settings: str) -> Process:
    """The same, while it runs."""
    # Nobody reads the pipes of one that goes on: a line for each event would fill them, and it would stand still.
    quiet = {"log_level": "warning", **settings}
    given = {f"HEALTHBOOK_{name.upper()}": value for name, value in quiet.items()}
    command = (sys.executable, "-m", "streams", *map(str, arguments))
    return await asyncio.create_subprocess_exec(*command, env={**os.environ, **given}, stdout=PIPE, stderr=PIPE)
