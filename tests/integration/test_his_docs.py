"""Every example of docs/his-adapter.md, as it stands there, in one folder."""

import asyncio
import os
import re
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from infra.embedded.parts import Addresses
from tests.support.his import Bus, dossier

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "his-adapter.md"
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


async def test_every_example_of_the_page_runs(parts: Addresses, tmp_path: Path) -> None:
    bus = Bus(parts)
    await bus.prepare()
    (tmp_path / "dossier-folder").mkdir()
    for kind, content in dossier(f"DOC-{tmp_path.name}-{os.getpid()}").items():
        (tmp_path / "dossier-folder" / f"{kind}.xml").write_bytes(content)
    command = tmp_path / "bin" / "healthbook"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m streams "$@"\n')
    command.chmod(0o755)
    port = str(free_port())
    said = [await run(language, code.replace("8090", port), parts, tmp_path) for language, code in BLOCKS]
    assert len(said) == 6
    assert "MA_LK_MISSING XML1 không có MA_LK" in said[1]
    assert "HANDED OVER" in said[2]
    assert '"revision": 1, "repeated": false' in said[3]
    assert '"on_bus": true' in said[4]
    assert "closed 20" in said[5]
    assert len((tmp_path / "closed.jsonl").read_text().splitlines()) == 20


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def run(language: str, code: str, addresses: Addresses, folder: Path) -> str:
    start = [sys.executable, "-c"] if language == "python" else ["sh", "-ec"]
    process = await asyncio.create_subprocess_exec(
        *start,
        code,
        cwd=folder,
        stdout=PIPE,
        stderr=STDOUT,
        env=os.environ
        | {
            "HEALTHBOOK_HOME": str(folder / "home"),
            "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka,
            "HEALTHBOOK_SCHEMA_REGISTRY_URL": addresses.schema_registry,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
        },
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()
