"""What must be true after any crash, seen from outside: topics by a client that is not ours, gateway, tables, spool."""

import asyncio
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from confluent_kafka import Consumer, TopicPartition

from events.topics import DLQ_SUFFIX, HEALTH_BOOK_ENTRY, OUTBOX_TOPICS, TOPICS, VISIT_ACCEPTED
from tests.crashpoints.workload import KEYLESS, Closed

CLOSED, VALIDATED, REJECTED = "visit.closed.v1", "visit.validated.v1", "visit.rejected.v1"
SIGNED, ACCEPTED, HELD, ENTRY = "visit.signed.v1", "visit.accepted.v1", "visit.held.v1", "health-book.entry.v1"

VISIT_TOPICS = {topic.name for topic in TOPICS if topic.name.startswith(("visit.", "health-book."))}

_TIMELINE = "select event_id::text, ma_lk, revision, type from timeline where ma_lk = any($1::text[])"
_LEDGER = "select ma_lk, revision, state, envelope_sha256 from submission where ma_lk = any($1::text[])"
_WAITING = """
select count(*) from outbox_shard join outbox_floor using (topic, partition) where last_seq <> outbox_floor.seq
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic; of its value only the digest."""

    topic: str
    partition: int
    key: str
    headers: Mapping[str, str]
    digest: str

    @property
    def id(self) -> str:
        """Of the event; empty for what is none of ours."""
        return self.headers.get("ce_id", "")


class Log:
    """Everything on all topics up to now, `read_committed`, read on from where the last look ended."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "outside",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        topics = self._consumer.list_topics(timeout=20).topics
        self._partitions = [
            TopicPartition(name, number, 0)
            for topic in TOPICS
            for name in (topic.name, topic.dlq)
            for number in topics[name].partitions
        ]
        self._records: list[Record] = []

    async def records(self) -> list[Record]:
        """In the order of each partition."""
        await asyncio.to_thread(self._read)
        return self._records

    def _read(self) -> None:
        self._consumer.assign(self._partitions)
        open_ones = {(item.topic, item.partition): item for item in self._partitions}
        ended: set[tuple[str, int]] = set()
        while len(ended) < len(open_ones):
            message = self._consumer.poll(20)
            assert message is not None, "the broker does not answer"
            where = (str(message.topic()), int(message.partition() or 0))
            if message.error():
                ended.add(where)
                continue
            open_ones[where].offset = int(message.offset() or 0) + 1
            self._records.append(_record(message))

    def close(self) -> None:
        self._consumer.close()


def _record(message: Any) -> Record:
    pairs = message.headers() or []
    headers = {name: value.decode("utf-8", "replace") for name, value in pairs if value is not None}
    key = (message.key() or b"").decode("utf-8", "replace")
    digest = sha256(message.value() or b"").hexdigest()
    return Record(message.topic(), message.partition(), key, headers, digest)


@dataclass(frozen=True)
class Outside:
    """Where to look."""

    log: Log
    pool: "asyncpg.Pool[asyncpg.Record]"
    gateway: str

    async def all_is_well(self, closed: Sequence[Closed], poison: Set[tuple[str, str, str]], spools: Path) -> bool:
        """For `eventually`: AssertionError says what is missing yet. `poison`: topic, who puts it aside, its digest."""
        visits = [item.ma_lk for item in closed]
        rows = await self.pool.fetch(_TIMELINE, visits)
        ledger = {(row["ma_lk"], row["revision"]): row for row in await self.pool.fetch(_LEDGER, visits)}
        every_visit_has_its_story(closed, rows, ledger)
        assert await self.pool.fetchval(_WAITING) == 0, "the outbox is relayed, and the floors say so"
        records = await self.log.records()
        every_event_left_once_and_in_order(closed, rows, records)
        every_shard_is_gapless(records)
        every_repeat_is_the_same(records)
        every_bad_record_is_put_aside(records, poison)
        await self._the_gateway_has_each_once(closed, ledger)
        every_spool_is_empty(spools)
        return True

    async def _the_gateway_has_each_once(self, closed: Sequence[Closed], ledger: Mapping[Any, asyncpg.Record]) -> None:
        async with aiohttp.ClientSession() as http, http.get(f"{self.gateway}/_sim/hoso") as answer:
            versions = await answer.json()
        for ma_lk in {item.ma_lk for item in closed}:
            signed = {revision: row for (visit, revision), row in ledger.items() if visit == ma_lk}
            there = [version for version in versions if version["maLK"] == ma_lk]
            current = [version["sha256"] for version in there if version["state"] == "current"]
            if not signed:
                assert not there, f"{ma_lk}: the gateway has a dossier that nobody signed"
                continue
            assert current == [signed[max(signed)]["envelope_sha256"]], f"{ma_lk}: one effective version, the newest"
            known = {row["envelope_sha256"] for row in signed.values()}
            assert {version["sha256"] for version in there} <= known, f"{ma_lk}: a revision has one content"


def every_visit_has_its_story(
    closed: Sequence[Closed], timeline: Sequence[asyncpg.Record], ledger: Mapping[Any, asyncpg.Record]
) -> None:
    """Each revision ends right, and `visit show` would tell all of it."""
    newest = {item.ma_lk: max(other.revision for other in closed if other.ma_lk == item.ma_lk) for item in closed}
    told: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in timeline:
        told[row["ma_lk"], row["revision"]].add(row["type"])
    for item in closed:
        found = told[item.ma_lk, item.revision]
        entry = ledger.get((item.ma_lk, item.revision))
        state = entry["state"] if entry else None
        last = item.revision == newest[item.ma_lk]
        assert found == _story(item, state, last=last) | (found & {ENTRY} if not last else set()), (
            item.name,
            sorted(found),
            state,
        )


def _story(item: Closed, state: str | None, *, last: bool) -> set[str]:
    if item.rejected:
        return {CLOSED, REJECTED}
    if not last and item.facility == KEYLESS:
        return {CLOSED, VALIDATED, HELD}
    story = {CLOSED, VALIDATED, SIGNED}
    if item.name in ("released", "hidden"):
        story |= {HELD}
    if last:
        assert state == "ACCEPTED", f"{item.name}: not accepted, but {state}"
        return story | {ACCEPTED, ENTRY}
    assert state in ("ACCEPTED", "SUPERSEDED"), (item.name, state)
    return story | ({ACCEPTED} if state == "ACCEPTED" else set())


def every_event_left_once_and_in_order(
    closed: Sequence[Closed], timeline: Sequence[asyncpg.Record], records: Iterable[Record]
) -> None:
    """Of what leaves through the outbox: each id once, revisions of a visit rising, nothing that nobody closed."""
    revisions = {(row["event_id"], row["type"]): row["revision"] for row in timeline}
    keys = {f"{item.facility}|{item.ma_lk}" for item in closed}
    outbox = {topic.name for topic in OUTBOX_TOPICS}
    ours = [record for record in records if record.topic in outbox and record.key in keys and record.id]
    again = [key for key, number in Counter((record.topic, record.id) for record in ours).items() if number > 1]
    assert not again, f"left twice: {again}"
    for topic in (VISIT_ACCEPTED.name, HEALTH_BOOK_ENTRY.name):
        for key in keys:
            left = [revisions.get((r.id, topic)) for r in ours if r.topic == topic and r.key == key]
            assert None not in left, f"{topic} of {key}: the timeline does not know it yet"
            assert left == sorted(left, key=lambda revision: revision or 0), f"{topic} of {key}: out of order"


def every_shard_is_gapless(records: Iterable[Record]) -> None:
    """The relay's sequence numbers are 1, 2, 3… in each partition."""
    shards: dict[tuple[str, int], list[int]] = defaultdict(list)
    for record in records:
        if "seq" in record.headers and not record.topic.endswith(DLQ_SUFFIX):
            shards[record.topic, record.partition].append(int(record.headers["seq"]))
    for shard, numbers in shards.items():
        assert numbers == list(range(1, len(numbers) + 1)), f"{shard}: {numbers}"


def every_repeat_is_the_same(records: Iterable[Record]) -> None:
    """An event of a visit that is sent again has the same bytes; of a day's count the highest number says it all."""
    contents: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        if record.id and record.topic in VISIT_TOPICS:
            contents[record.topic, record.id].add(record.digest)
    changed = [key for key, digests in contents.items() if len(digests) > 1]
    assert not changed, f"sent again with other bytes: {changed}"


def every_bad_record_is_put_aside(records: Iterable[Record], poison: Set[tuple[str, str, str]]) -> None:
    """Each by every stage that reads its topic; good ones by none."""
    aside = {(r.topic, r.headers["dlq_stage"], r.digest) for r in records if r.topic.endswith(DLQ_SUFFIX)}
    wanted = {(topic + DLQ_SUFFIX, stage, digest) for topic, stage, digest in poison}
    assert aside == wanted, f"put aside: {len(aside)}, of {len(wanted)}"


def every_spool_is_empty(spools: Path) -> None:
    for file in spools.glob("*/spool.sqlite3"):
        with closing(sqlite3.connect(file)) as spool:
            (waiting,) = spool.execute("select count(*) from entry").fetchone()
        assert waiting == 0, f"{file.parent.name}: {waiting} entries wait"
