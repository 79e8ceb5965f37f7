"""A stage as its own process, `healthbook stage NAME`, beside the parts of the tests."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from infra.embedded.parts import Addresses
from tests.support.eventually import eventually


@dataclass
class StageProcess:
    """`healthbook stage NAME` and what its probes say."""

    name: str
    home: Path
    child: asyncio.subprocess.Process

    @property
    def log(self) -> str:
        return (self.home / "log").read_text(encoding="utf-8")

    async def probe(self, path: str) -> int | None:
        """Status of a probe; None while the process does not listen."""
        file = self.home / "run" / "http" / f"{self.name}.json"
        if not file.exists():
            return None
        url = json.loads(file.read_text(encoding="utf-8"))["url"]
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http, http.get(url + path) as answer:
                return answer.status
        return None

    async def until(self, path: str, status: int) -> None:
        async def answers() -> bool:
            assert self.child.returncode is None, self.log
            return await self.probe(path) == status

        await eventually(answers, timeout=60, message=f"{path} answers {status}")

    async def terminate(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.child.wait(), 60)


@asynccontextmanager
async def process(
    name: str, parts: Addresses, database_url: str, home: Path, **settings: str
) -> AsyncIterator[StageProcess]:
    environment = os.environ | {
        "HEALTHBOOK_HOME": str(home),
        "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": parts.kafka,
        "HEALTHBOOK_SCHEMA_REGISTRY_URL": parts.schema_registry,
        "HEALTHBOOK_DATABASE_URL": database_url,
        "HEALTHBOOK_POISON_PER_MINUTE": "100000",  # other tests put what they like on the shared topics
        **settings,
    }
    with (home / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streams", "stage", name, env=environment, stdout=log, stderr=log
        )
    try:
        yield StageProcess(name, home, child)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
