"""docs/subscribe.md keeps its word: its blocks, taken from the page, read entries with clients that are not ours."""

import asyncio
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from events.health_book import EntryState
from infra.embedded.java import find_java
from tests.support.entries_topic import Bus, entries_bus, entry

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "subscribe.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
async def bus(kafka: str, schema_registry: str, unique: Callable[[str], str]) -> AsyncIterator[Bus]:
    """Three visits: shown, withdrawn and replaced by a tombstone; shown, with an older version after a newer; withheld.
    What is not committed is never seen."""
    async with entries_bus(
        kafka, schema_registry, unique("health-book.entry.v1"), unique("health-book.displayed.v1")
    ) as opened:
        opened.write(entry(version=7), commit=False)
        opened.write(entry(version=1), entry("TEST-2", version=5))
        opened.write(entry(version=2, state=EntryState.WITHDRAWN), entry("TEST-2", version=4))
        opened.write(entry("TEST-2", version=6), entry("TEST-3", state=EntryState.WITHHELD))
        opened.write_raw([("01999|TEST-1", None)])
        yield opened


COMPILER = (
    "<dependency><groupId>org.eclipse.jdt</groupId><artifactId>ecj</artifactId><version>3.44.0</version></dependency>"
)
EXPECTED = {
    "01999|TEST-1": ["show 1 ACTIVE", "take away 2 WITHDRAWN", "take away tombstone"],
    "01999|TEST-2": ["show 5 ACTIVE", "show 6 ACTIVE"],
    "01999|TEST-3": ["take away 1 WITHHELD"],
}
LINES = sum(map(len, EXPECTED.values()))


def by_visit(printed: list[str]) -> dict[str, list[str]]:
    """Visits are spread over partitions, so only the order within each is the bus's promise."""
    found: dict[str, list[str]] = {}
    for line in printed:
        key, _, rest = line.partition(" ")
        found.setdefault(key, []).append(rest)
    return found


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


async def finished(*command: str, cwd: Path) -> None:
    """Runs a command to its end; the first one downloads."""
    async with asyncio.timeout(150):
        process = await asyncio.create_subprocess_exec(*command, cwd=cwd)
        assert await process.wait() == 0


async def lines(output: asyncio.StreamReader, count: int, timeout: float = 60) -> list[str]:
    async with asyncio.timeout(timeout):
        return [(await output.readline()).decode().strip() for _ in range(count)]


async def shell(bus: Bus, script: str) -> list[str]:
    async with running(bus, "sh", "-c", script) as output, asyncio.timeout(60):
        return (await output.read()).decode().splitlines()


async def test_python_block_reads_the_book(bus: Bus, tmp_path: Path) -> None:
    (code,) = blocks("python")
    script = tmp_path / "subscribe.py"
    script.write_text(code, encoding="utf-8")
    async with running(bus, sys.executable, str(script)) as output:
        assert by_visit(await lines(output, LINES)) == EXPECTED


@pytest.mark.skipif(not shutil.which("kcat"), reason="kcat is not installed")
async def test_kcat_blocks_show_keys_sizes_and_headers(bus: Bus) -> None:
    everything, newest = [block for block in blocks("sh") if block.startswith("kcat")]
    found = [line.split() for line in await shell(bus, everything)]
    assert sorted(words[0] for words in found) == 3 * ["01999|TEST-1"] + 3 * ["01999|TEST-2"] + ["01999|TEST-3"]
    assert [words[0] for words in found if words[4] == "-1"] == ["01999|TEST-1"]
    assert len(await shell(bus, newest)) == 7


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_registry_block_shows_the_schema(bus: Bus) -> None:
    (block,) = [block for block in blocks("sh") if block.startswith("curl")]
    assert '"schema"' in "".join(await shell(bus, block))


@pytest.mark.skipif(not shutil.which("mvn"), reason="Maven is not installed")
async def test_java_block_reads_the_book(bus: Bus, tmp_path: Path) -> None:
    """With the Java that runs the bus; it has no compiler, so Eclipse's takes the place of `java Subscribe.java`."""
    (dependencies,), (code,) = blocks("xml"), blocks("java")
    (maven,) = [block for block in blocks("sh") if block.startswith("mvn")]
    (tmp_path / "Subscribe.java").write_text(code, encoding="utf-8")
    (tmp_path / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>t</groupId>'
        f"<artifactId>t</artifactId><version>1</version><packaging>pom</packaging>{dependencies}</project>".replace(
            "</dependencies>", COMPILER + "</dependencies>"
        ),
        encoding="utf-8",
    )
    await finished(*shlex.split(maven.splitlines()[0]), "-B", cwd=tmp_path)
    java = str(find_java().program)
    jars = ":".join(map(str, (tmp_path / "jars").glob("*.jar")))
    compiler = "org.eclipse.jdt.internal.compiler.batch.Main"
    await finished(java, "-cp", jars, compiler, "-21", "-cp", jars, "Subscribe.java", cwd=tmp_path)
    async with running(bus, java, "-cp", f"{jars}:{tmp_path}", "Subscribe", cwd=tmp_path) as output:
        assert by_visit(await lines(output, LINES)) == EXPECTED


def test_the_page_shows_what_its_programs_print() -> None:
    (printed,) = blocks("text")
    key = "01999|TEST-1"
    assert by_visit(printed.splitlines()) == {key: EXPECTED[key]}
