"""docs/subscribe.md keeps its word: its blocks, taken from the page, read entries with clients that are not ours."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from events.health_book import EntryState
from events.topics import TOPICS, topic_named
from tests.support.entries_topic import Bus, entries_bus, entry

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "subscribe.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
async def bus(kafka: str, schema_registry: str, unique: Callable[[str], str]) -> AsyncIterator[Bus]:
    async with entries_bus(
        kafka, schema_registry, unique("health-book.entry.v1"), unique("health-book.displayed.v1")
    ) as opened:
        opened.write(entry(version=7), commit=False)
        opened.write(entry(version=1), entry("TEST-2", version=5))
        opened.write(entry(version=2, state=EntryState.WITHDRAWN))
        yield opened


def environment(bus: Bus) -> dict[str, str]:
    return os.environ | {
        "BOOTSTRAP": bus.bootstrap,
        "REGISTRY": bus.registry,
        "TOPIC": bus.entry_topic,
        "GROUP": bus.entry_topic,
    }


@asynccontextmanager
async def running(bus: Bus, *command: str, cwd: Path | None = None) -> AsyncIterator[asyncio.StreamReader]:
    """Standard output of a command that is ended afterwards."""
    process = await asyncio.create_subprocess_exec(
        *command, env=environment(bus), cwd=cwd, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def lines(output: asyncio.StreamReader, count: int, timeout: float = 60) -> list[str]:
    async with asyncio.timeout(timeout):
        return [(await output.readline()).decode().strip() for _ in range(count)]


async def shell(bus: Bus, script: str) -> list[str]:
    async with running(bus, "sh", "-c", script) as output, asyncio.timeout(60):
        return (await output.read()).decode().splitlines()


EXPECTED = {("01999|TEST-1", "1", "ACTIVE"), ("01999|TEST-1", "2", "WITHDRAWN"), ("01999|TEST-2", "5", "ACTIVE")}


async def test_python_block_reads_committed_entries(bus: Bus, tmp_path: Path) -> None:
    (code,) = blocks("python")
    script = tmp_path / "subscribe.py"
    script.write_text(code, encoding="utf-8")
    async with running(bus, sys.executable, str(script)) as output:
        found = {tuple(line.split()[:3]) for line in await lines(output, 3)}
    assert found == EXPECTED


@pytest.mark.skipif(not shutil.which("kcat"), reason="kcat is not installed")
async def test_kcat_blocks_show_keys_and_headers(bus: Bus) -> None:
    everything, newest = [block for block in blocks("sh") if block.startswith("kcat")]
    keys = sorted(line.split()[0] for line in await shell(bus, everything))
    assert keys == ["01999|TEST-1", "01999|TEST-1", "01999|TEST-2"]
    assert len(await shell(bus, newest)) == 3


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_registry_block_shows_the_schema(bus: Bus) -> None:
    (block,) = [block for block in blocks("sh") if block.startswith("curl")]
    assert '"schema"' in "".join(await shell(bus, block))


@pytest.mark.skipif(not (shutil.which("javac") and shutil.which("mvn")), reason="no JDK and Maven")
async def test_java_block_reads_committed_entries(bus: Bus, tmp_path: Path) -> None:
    (dependencies,), (code,) = blocks("xml"), blocks("java")
    (tmp_path / "Subscribe.java").write_text(code, encoding="utf-8")
    (tmp_path / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>t</groupId>'
        f"<artifactId>t</artifactId><version>1</version><packaging>pom</packaging>{dependencies}</project>",
        encoding="utf-8",
    )
    maven = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]
    async with running(bus, *maven, cwd=tmp_path) as output, asyncio.timeout(150):
        await output.read()
    assert any((tmp_path / "jars").glob("*avro-serde*.jar"))
    async with running(bus, "java", "-cp", "jars/*", "Subscribe.java", cwd=tmp_path) as output:
        found = {tuple(line.split()) for line in await lines(output, 3)}
    assert found == EXPECTED


def channels() -> dict[str, dict[str, str]]:
    """Channel → its scalars, from the page's own layout: two blanks before a channel, deeper for what it says."""
    text = (REPOSITORY / "asyncapi.yaml").read_text(encoding="utf-8")
    section = re.search(r"^channels:\n(.*?)^\S", text, re.DOTALL | re.MULTILINE)
    assert section is not None
    parts = re.split(r"^  (\w+):\n", section.group(1), flags=re.MULTILINE)[1:]
    return {
        name: dict(re.findall(r"^ +([\w.]+): (\S+)$", body, re.MULTILINE))
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def test_asyncapi_describes_every_public_topic_and_where_hospitals_write() -> None:
    described = {channel["address"] for channel in channels().values()}
    assert described == {topic.name for topic in TOPICS if topic.public} | {"visit.closed.v1"}


def test_asyncapi_says_of_each_topic_what_is_declared() -> None:
    for channel in channels().values():
        topic = topic_named(channel["address"])
        retention = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
        assert int(channel["partitions"]) == topic.partitions
        assert channel["cleanup.policy"] == ("[compact]" if topic.compacted else "[delete]")
        assert int(channel["retention.ms"]) == retention
        assert int(channel["max.message.bytes"]) == topic.max_bytes


def test_asyncapi_refers_to_the_schema_of_each_topic() -> None:
    text = (REPOSITORY / "asyncapi.yaml").read_text(encoding="utf-8")
    referred = re.findall(r'"(\./schemas/[^"]+)"', text)
    assert sorted(referred) == sorted(f"./schemas/avro/{channel['address']}.avsc" for channel in channels().values())
    assert all((REPOSITORY / path).is_file() for path in referred)
