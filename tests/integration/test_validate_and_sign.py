"""validate and sign on real parts: every bad input has its code, and holds nobody else up."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from events.envelope import headers
from events.registry import Registry
from events.serde import Serde
from events.visit import TableFile, VisitClosed, VisitRejected, VisitSigned, VisitValidated
from streams.adapters.facilities import SIGNING_CERTIFICATE, SIGNING_KEY, FacilityRegister
from streams.adapters.outbox import declare_shards
from streams.config import Settings
from streams.domain.dossier.envelope import write_envelope
from streams.domain.dossier.sample import VisitKind, new_dossier, padded
from streams.runtime.loop import Loop
from streams.runtime.processes import Parts, sign_stage, validate_stage
from streams.simulators.pki import TestAuthority, prepare_facilities
from tests.support.eventually import eventually

FACILITY, EXPIRED = "01999", "48999"
MIB = 1024 * 1024
NOW = datetime.now(UTC)
DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "b">]>'


@pytest.fixture(scope="module")
def facilities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("facilities")
    register = FacilityRegister(folder)
    authority = tmp_path_factory.mktemp("authority")
    prepare_facilities(register, authority, {FACILITY: "Bệnh viện Thử A", EXPIRED: "Bệnh viện Thử B"})
    past = NOW - timedelta(days=30)
    key, certificate = TestAuthority(authority, NOW).issue("Bệnh viện Thử B", "9999999999", past, NOW)
    register.file(EXPIRED, SIGNING_KEY).write_bytes(key)
    register.file(EXPIRED, SIGNING_CERTIFICATE).write_bytes(certificate)
    return folder


class Bus:
    """Two stages at work, and the two ends a test looks at."""

    def __init__(self, producer: Any, consumer: Any, serde: Serde, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._producer, self._consumer, self._serde, self.pool = producer, consumer, serde, pool
        self._answers: dict[str, list[Any]] = {}

    async def close(self, *visits: VisitClosed) -> None:
        for visit in visits:
            sent = {"value": self._serde.encode(visit), "headers": headers(visit, datetime.now(UTC))}
            await self._producer.send_and_wait(visit.topic, key=visit.key.encode(), **sent)

    async def answer(self, ma_lk: str, number: int = 1) -> list[Any]:
        """The first `number` events about a visit after it closed."""

        async def arrived() -> list[Any]:
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    kind = {event.topic: event for event in (VisitRejected, VisitSigned)}[record.topic]
                    event: Any = await self._serde.decode(kind, record.value, record.headers)
                    self._answers.setdefault(event.ma_lk, []).append(event)
            found = self._answers.get(ma_lk, [])
            return found if len(found) >= number else []

        found: list[Any] = await eventually(arrived, timeout=60, message=f"{number} answers about {ma_lk}")
        return found

    async def codes(self, ma_lk: str) -> list[str]:
        (rejected,) = await self.answer(ma_lk)
        assert isinstance(rejected, VisitRejected)
        for finding in rejected.findings:
            assert all((finding.message_vi, finding.message_en, finding.mend_vi, finding.mend_en)), finding.code
        return [finding.code for finding in rejected.findings]


@asynccontextmanager
async def _stages(settings: Settings) -> AsyncIterator[Bus]:
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(Registry(settings.schema_registry_url))
        pool = await stack.enter_async_context(asyncpg.create_pool(settings.database_url, min_size=1, max_size=6))
        async with pool.acquire() as connection:
            await declare_shards(connection)
        serde = Serde(registry)
        await serde.prepare(VisitClosed)
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, max_request_size=40 * MIB)
        consumer = AIOKafkaConsumer(
            VisitRejected.topic,
            VisitSigned.topic,
            bootstrap_servers=settings.kafka_bootstrap_servers,
            max_partition_fetch_bytes=40 * MIB,
        )
        for client in (producer, consumer):
            await client.start()
            stack.push_async_callback(client.stop)
        await consumer.seek_to_end()
        running = []
        for build in (validate_stage, sign_stage):
            parts = Parts(settings, pool, Serde(registry))
            loop = Loop(build(parts), settings.kafka_bootstrap_servers, parts.serde, poison_per_minute=10_000)
            running.append((loop, asyncio.create_task(loop.run())))
        yield Bus(producer, consumer, serde, pool)
        for loop, task in running:
            loop.stop()
            await task


@pytest.fixture
async def bus(
    declared: None, kafka: str, database_url: str, schema_registry: str, facilities: Path, tmp_path: Path
) -> AsyncIterator[Bus]:
    settings = Settings(
        home=tmp_path,
        facilities=facilities,
        kafka_bootstrap_servers=kafka,
        database_url=database_url,
        schema_registry_url=schema_registry,
    )
    async with _stages(settings) as found:
        yield found


def sample(ma_lk: str, facility: str = FACILITY, seed: int = 7) -> Any:
    return new_dossier(
        seed,
        facility=facility,
        kind=VisitKind.EXAM,
        insured=True,
        discharged_at=NOW - timedelta(minutes=30),
        size=6,
        ma_lk=ma_lk,
    )


def tables_of(made: Any) -> tuple[TableFile, ...]:
    return tuple(TableFile(kind, content) for kind, content in made.tables)


def closed(
    ma_lk: str,
    tables: Sequence[TableFile] = (),
    envelope: bytes | None = None,
    facility: str = FACILITY,
    revision: int = 1,
) -> VisitClosed:
    return VisitClosed(facility, ma_lk, revision, NOW, tuple(tables), envelope)


def envelope_of(tables: Sequence[TableFile], facility: str = FACILITY) -> bytes:
    return write_envelope(facility, date(2026, 11, 24), tables)


def with_xml1(tables: Sequence[TableFile], old: bytes, new: bytes) -> list[TableFile]:
    return [TableFile(t.kind, t.content.replace(old, new, 1)) if t.kind == "XML1" else t for t in tables]


@pytest.fixture
def prefix() -> str:
    return f"VS{datetime.now(UTC):%H%M%S%f}"


async def test_every_bad_input_is_rejected_with_its_code_and_the_good_ones_pass(bus: Bus, prefix: str) -> None:
    def tables(name: str) -> tuple[TableFile, ...]:
        return tables_of(sample(f"{prefix}-{name}"))

    def whole(name: str) -> bytes:
        return envelope_of(tables(name))

    def xml1(name: str) -> bytes:
        return next(table.content for table in tables(name) if table.kind == "XML1")

    def inner(name: str, content: bytes) -> bytes:
        return whole(name).replace(b64encode(xml1(name)), b64encode(content))

    hoso = whole("two-hoso")[whole("two-hoso").index(b"<HOSO>") : whole("two-hoso").index(b"</HOSO>") + 7]
    long_name = f"{prefix}-".ljust(101, "L")
    bad: dict[str, tuple[bytes | Sequence[TableFile], str]] = {
        "not-xml": (b"this is not XML", "ENV-001"),
        "outer-doctype": (whole("outer-doctype").replace(b"<GIAMDINHHS>", DOCTYPE + b"<GIAMDINHHS>"), "ENV-001"),
        "inner-doctype": (inner("inner-doctype", DOCTYPE + b"<TONG_HOP>&a;</TONG_HOP>"), "ENV-008"),
        "base64": (whole("base64").replace(b64encode(xml1("base64")), b"***"), "ENV-008"),
        "declared-utf16": (whole("declared-utf16").replace(b'"utf-8"', b'"utf-16"'), "ENV-001"),
        "written-utf16": (
            whole("written-utf16").decode().replace("utf-8", "utf-16").encode("utf-16"),
            "ENV-001",
        ),
        "control": (whole("control").replace(b"01999", b"<![CDATA[\x0101999]]>", 1), "ENV-001"),
        "missing": ([table for table in tables("missing") if table.kind != "XML1"], "ENV-006"),
        "two-hoso": (whole("two-hoso").replace(hoso, hoso + hoso), "ENV-004"),
    }
    for name, (content, _) in bad.items():
        given = {"envelope": content} if isinstance(content, bytes) else {"tables": content}
        await bus.close(closed(f"{prefix}-{name}", **given))
        await bus.close(closed(f"{prefix}-{name}-good", tables(f"{name}-good")))
    await bus.close(closed(long_name, with_xml1(tables("malk"), f"{prefix}-malk".encode(), long_name.encode())))
    stranger = f"{prefix}-stranger"
    await bus.close(closed(stranger, tables_of(sample(stranger, "79999")), facility="79999"))

    found = {name: await bus.codes(f"{prefix}-{name}") for name in bad}
    assert {name: code in found[name] for name, (_, code) in bad.items()} == dict.fromkeys(bad, True), found
    assert "ENV-013" in await bus.codes(long_name)
    assert "FAC-001" in await bus.codes(stranger)
    for name in bad:
        (signed,) = await bus.answer(f"{prefix}-{name}-good")
        assert isinstance(signed, VisitSigned)


async def test_20_mb_pass_and_21_mb_do_not(bus: Bus, prefix: str) -> None:
    most, more = f"{prefix}-20", f"{prefix}-21"
    await bus.close(closed(most, tables_of(padded(sample(most), 20 * MIB))))
    await bus.close(closed(more, tables_of(padded(sample(more), 21 * MIB))))
    assert await bus.codes(more) == ["SIZE-001"]
    (signed,) = await bus.answer(most)
    assert isinstance(signed, VisitSigned)
    assert len(b64encode(signed.envelope)) <= 20 * MIB


async def test_the_same_revision_again_is_the_same_event_and_with_other_bytes_a_conflict(bus: Bus, prefix: str) -> None:
    visit = f"{prefix}-again"
    tables = tables_of(sample(visit))
    await bus.close(closed(visit, tables), closed(visit, tables))
    first, second = await bus.answer(visit, 2)
    assert isinstance(first, VisitSigned)
    assert second == first
    other = tables_of(sample(visit, seed=8))
    await bus.close(closed(visit, other), closed(visit, other, revision=2))
    *_, rejected, corrected = await bus.answer(visit, 4)
    kinds = {type(event): event for event in (rejected, corrected)}
    assert [finding.code for finding in kinds[VisitRejected].findings] == ["REV-001"]
    assert kinds[VisitSigned].revision == 2


async def test_an_expired_certificate_holds_its_own_visits_only(bus: Bus, prefix: str) -> None:
    held, other = f"{prefix}-held", f"{prefix}-other"
    await bus.close(closed(held, tables_of(sample(held, EXPIRED)), facility=EXPIRED))
    await bus.close(closed(other, tables_of(sample(other))))
    await bus.answer(other)

    async def told() -> list[asyncpg.Record]:
        return await bus.pool.fetch("select key, topic from outbox where key = $1", f"{EXPIRED}|{held}")

    (row,) = await eventually(told, timeout=30)
    assert row["topic"] == "visit.held.v1"
    hold = await bus.pool.fetchrow("select reason, topic, value from hold where ma_lk = $1", held)
    assert hold is not None
    assert (hold["reason"], hold["topic"]) == ("CERTIFICATE_EXPIRED", VisitValidated.topic)
    assert hold["value"], "the record is kept, so that it can come again"
