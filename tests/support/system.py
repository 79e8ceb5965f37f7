"""`healthbook run` as a child of a test, and what a person or a script may look at from outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.domain.dossier.sample import FACILITIES
from streams.simulators.his import Plan, simulate
from tests.support.eventually import eventually

HEALTHBOOK = (sys.executable, "-m", "streams")
STARTS_WITHIN = 180.0
_SETTINGS = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "SCHEMA_REGISTRY_URL", "GATEWAY_URL")


@dataclass(frozen=True)
class RunningSystem:
    """A whole system under a home of its own."""

    home: Path
    environment: dict[str, str]

    def healthbook(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in a second terminal."""
        return subprocess.run(
            [*HEALTHBOOK, *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.healthbook("status", "--output", "json").stdout)
        return answer

    def pid(self, process: str) -> int:
        (found,) = [item["pid"] for item in self.status()["processes"] if item["name"] == process]
        return int(found)

    @property
    def addresses(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "run" / "addresses.json").read_text(encoding="utf-8"))
        return found

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of the system's database; asks again while it is away."""

        async def ask() -> tuple[list[asyncpg.Record]]:
            try:
                connection = await asyncpg.connect(self.addresses["database"], timeout=5)
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                raise AssertionError("the database is away") from error
            try:
                return (await connection.fetch(sql, *arguments),)
            except (OSError, asyncpg.PostgresError) as error:
                raise AssertionError("the database went away") from error
            finally:
                await connection.close(timeout=5)

        (rows,) = await eventually(ask, timeout=60, message="the database answers")
        return list(rows)

    async def gateway(self, path: str) -> Any:
        async with aiohttp.ClientSession() as http, http.get(self.addresses["gateway"] + path) as answer:
            return await answer.json()

    async def committed(self, topic: str) -> list[tuple[str, dict[str, str]]]:
        """Key and headers of everything on a topic, read_committed, by a client that is not ours."""
        return await asyncio.to_thread(_read_all, self.addresses["kafka"], topic)


def _read_all(bootstrap: str, topic: str) -> list[tuple[str, dict[str, str]]]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "test",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found, ended = [], 0
        while ended < len(partitions):
            message = consumer.poll(20)
            assert message is not None, f"{topic} does not answer"
            if message.error():
                ended += 1  # the end of a partition
                continue
            pairs: Any = message.headers() or []
            key: Any = message.key()
            found.append((key.decode(), {name: value.decode() for name, value in pairs}))
        return found
    finally:
        consumer.close()


@asynccontextmanager
async def running_system(home: Path, downloads: Path, **settings: str) -> AsyncIterator[RunningSystem]:
    """`healthbook run --no-samples`, from ready until the block is left; then it must end by SIGTERM with 0."""
    environment = environment_of(home, downloads, **settings)
    log = home / "run.log"
    with log.open("wb") as output:
        command = [*HEALTHBOOK, "run", "--no-samples"]
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=output, stderr=output)
    try:
        await eventually(
            lambda: process.returncode is not None or "Everything runs" in log.read_text(),
            timeout=STARTS_WITHIN,
            message="the system runs",
        )
        assert process.returncode is None, log.read_text()
        yield RunningSystem(home, environment)
        assert process.returncode is None, f"the system ended by itself: {log.read_text()}"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 90) == 0, log.read_text()
    finally:
        if (
            process.returncode is None
        ):  # a failed test: the supervisor ends its children, which a killed one would leave
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 90)
            except TimeoutError:
                process.kill()
                await process.wait()


def environment_of(home: Path, downloads: Path, **settings: str) -> dict[str, str]:
    """The environment of a bare machine, whatever shared parts this test run was given."""
    bare = {name: value for name, value in os.environ.items() if name.removeprefix("HEALTHBOOK_") not in _SETTINGS}
    return {**bare, "HEALTHBOOK_HOME": str(home), "HEALTHBOOK_PARTS": str(downloads), **settings}


@dataclass(frozen=True)
class Closed:
    """What a HIS closed, by its own list."""

    lines: list[dict[str, Any]]

    @property
    def visits(self) -> set[str]:
        return {line["ma_lk"] for line in self.lines}


async def close_visits(system: RunningSystem, folder: Path, seed: int, count: int) -> Closed:
    """Closes visits of several facilities as fast as it goes: some corrected, some with a defect."""
    plan = Plan(FACILITIES, seed=seed, rate=None, count=count, pool=24)
    journal = folder / "closed.jsonl"
    addresses = system.addresses
    await simulate(plan, folder / "spool", journal, addresses["kafka"], addresses["schema_registry"])
    return Closed([json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()])


_ENDED = """
select ma_lk, revision, array_agg(distinct type) as types from timeline
where ma_lk = any($1::text[]) and type = any($2::text[]) group by ma_lk, revision
"""
REJECTED, REFUSED, HELD = "visit.rejected.v1", "visit.refused.v1", "visit.held.v1"
DISPLAYED = "health-book.displayed.v1"


async def everything_ends_as_it_should(system: RunningSystem, closed: Closed, timeout: float = 120) -> None:
    """Every visit's last revision has the outcome that its HIS expects; an earlier one may have been overtaken."""
    newest: dict[str, dict[str, Any]] = {}
    for line in closed.lines:
        if line["ma_lk"] not in newest or line["revision"] > newest[line["ma_lk"]]["revision"]:
            newest[line["ma_lk"]] = line
    wanted = {
        (line["ma_lk"], line["revision"]): REJECTED if line["expected"] == "rejected" else DISPLAYED
        for line in newest.values()
    }

    async def ended() -> bool:
        rows = await system.fetch(_ENDED, list(closed.visits), [REJECTED, REFUSED, HELD, DISPLAYED])
        found = {(row["ma_lk"], row["revision"]): set(row["types"]) for row in rows}
        missing = Counter(what for where, what in wanted.items() if what not in found.get(where, ()))
        assert not missing, f"still missing: {dict(missing)}"
        return True

    await eventually(ended, timeout=timeout, message=f"{len(wanted)} visits end as they should")
    rows = await system.fetch(_ENDED, list(closed.visits), [REJECTED, REFUSED, HELD, DISPLAYED])
    found = {(row["ma_lk"], row["revision"]): set(row["types"]) for row in rows}
    assert {where: found[where] for where in wanted} == {where: {what} for where, what in wanted.items()}


async def nothing_happened_twice(system: RunningSystem, closed: Closed) -> None:
    """One event for each outcome, one version for each accepted revision at the gateway, whatever was killed."""
    accepted: Counter[str] = Counter()
    for topic in ("visit.accepted.v1", REFUSED, HELD, "health-book.entry.v1"):
        records = [(key, headers) for key, headers in await system.committed(topic) if visit(key) in closed.visits]
        again = [found for found, number in Counter(h["ce_id"] for _, h in records).items() if number > 1]
        assert not again, f"{len(again)} events are twice on {topic}"
        if topic == "visit.accepted.v1":
            accepted = Counter(visit(key) for key, _ in records)
    for topic in ("visit.closed.v1", "visit.validated.v1", REJECTED, "visit.signed.v1"):  # at least once: the same id
        records = [(key, headers) for key, headers in await system.committed(topic) if visit(key) in closed.visits]
        revisions = Counter(visit(key) for key in {(key + "|" + h["ce_id"]) for key, h in records})
        most = Counter(line["ma_lk"] for line in closed.lines)
        assert revisions <= most, f"a repeat on {topic} has another id"
    versions = [item for item in await system.gateway("/_sim/hoso") if item["maLK"] in closed.visits]
    current = Counter(item["maLK"] for item in versions if item["state"] == "current")
    assert set(current) == set(accepted), "the gateway and the bus agree on what was accepted"
    assert set(current.values()) <= {1}
    contents = {item["maLK"]: set[str]() for item in versions}
    for item in versions:
        contents[item["maLK"]].add(item["sha256"])
    assert all(len(contents[ma_lk]) >= number for ma_lk, number in accepted.items())


def visit(key: str) -> str:
    """MA_LK of a key `MA_CSKCB|MA_LK…`."""
    return key.split("|")[1]


async def forget_offsets(bootstrap: str, group: str) -> None:
    """As an operator does it before a replay; the broker refuses for as long as the group has members."""
    admin = AdminClient({"bootstrap.servers": bootstrap})

    async def deleted() -> bool:
        (answer,) = admin.delete_consumer_groups([group]).values()
        try:
            await asyncio.to_thread(answer.result)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NON_EMPTY_GROUP:
                raise
            return False
        return True

    await eventually(deleted, timeout=60)
