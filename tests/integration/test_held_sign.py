"""What sign holds: released, its kept record comes again and is signed, or is held again; abandoned, its clock ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from events.deadline import DeadlineState
from events.envelope import event_id, headers, read_headers, traceparent
from events.serde import Serde
from events.visit import TableFile, VisitClosed, VisitHeld, VisitSigned, VisitValidated
from streams.adapters import facilities
from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.facilities import SIGNING_CERTIFICATE, SIGNING_KEY, FacilityRegister
from streams.adapters.holds import PostgresHolds
from streams.adapters.judge import RegisteredJudge
from streams.config import Settings
from streams.domain.dossier.history import EarlierDossiers
from streams.domain.dossier.sample import VisitKind, new_dossier
from streams.errors import RetryLater
from streams.runtime.processes import sign_work
from streams.runtime.service import Health
from streams.simulators.pki import TestAuthority, prepare_facilities
from streams.sla.clocks import shipped
from streams.sla.facts import Facts
from streams.stages.validate import decide
from tests.support.commands import Answer, healthbook
from tests.support.eventually import eventually

FACILITY = "48999"
NOW = datetime.now(UTC).replace(microsecond=0)
WHY = ("--reason", "certificate renewed")


class Bench:
    """`sign` at work, what goes in and what comes out, and a facility whose certificate has ended."""

    def __init__(self, settings: Settings, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde, clients: Any) -> None:
        self.settings, self.pool, self._serde = settings, pool, serde
        self._producer, self._consumer = clients
        self._register = FacilityRegister(settings.facilities_dir)
        self._authority = TestAuthority(settings.home, NOW)
        self._came: list[VisitSigned] = []
        self.certificate(NOW - timedelta(days=1))

    def certificate(self, until: datetime) -> None:
        key, certificate = self._authority.issue("Bệnh viện Thử B", "9999999999", NOW - timedelta(days=60), until)
        self._register.file(FACILITY, SIGNING_KEY).write_bytes(key)
        self._register.file(FACILITY, SIGNING_CERTIFICATE).write_bytes(certificate)

    async def renewed(self, until: datetime) -> Any:
        """As an operator does it, while `sign` runs."""
        key, certificate = self._authority.issue("Bệnh viện Thử B", "9999999999", NOW - timedelta(days=2), until)
        names = {"--key": "new-key.pem", "--certificate": "new.pem"}
        files = {option: self.settings.home / name for option, name in names.items()}
        files["--key"].write_bytes(key)
        files["--certificate"].write_bytes(certificate)
        given = [item for pair in files.items() for item in pair]
        register = str(self.settings.facilities_dir)
        added = await healthbook("certificate", "add", FACILITY, *given, "--output", "json", facilities=register)
        return added.json

    async def validated(self, ma_lk: str, revision: int = 1) -> VisitValidated:
        made = new_dossier(
            revision,
            facility=FACILITY,
            kind=VisitKind.EXAM,
            insured=True,
            discharged_at=NOW - timedelta(minutes=30),
            size=6,
            ma_lk=ma_lk,
        )
        tables = tuple(TableFile(kind, content) for kind, content in made.tables)
        visit = VisitClosed(FACILITY, ma_lk, revision, NOW - timedelta(minutes=20), tables=tables)
        judge = RegisteredJudge(self._register, 2**24)
        found = decide(visit, "", judge.judge(visit, judge.open(visit, NOW), EarlierDossiers()), conflict=False)
        assert isinstance(found, VisitValidated), found
        sent = {"value": self._serde.encode(found), "headers": headers(found, NOW)}
        await self._producer.send_and_wait(found.topic, key=found.key.encode(), **sent)
        return found

    async def held(self, visit: VisitValidated, times: int = 1) -> list[VisitHeld]:
        async def told() -> list[VisitHeld]:
            rows = await self.pool.fetch("select value from outbox where key = $1 order by seq", visit.key)
            found = [await self._serde.decode(VisitHeld, row["value"]) for row in rows]
            return found if len(found) >= times else []

        return await eventually(told, timeout=40, message=f"{visit.ma_lk} is held {times} times")

    async def signed(self, visit: VisitValidated, times: int = 1) -> list[VisitSigned]:
        async def came() -> list[VisitSigned]:
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    meta = read_headers(record.headers)
                    event = await self._serde.decode(VisitSigned, record.value, record.headers)
                    assert meta is not None
                    assert meta.id == str(event_id(event))
                    self._came.append(event)
            found = [event for event in self._came if event.key == visit.key]
            return found if len(found) >= times else []

        return await eventually(came, timeout=40, message=f"{visit.ma_lk} is signed {times} times")

    async def state(self, visit: VisitValidated) -> tuple[str, str]:
        row = await self.pool.fetchrow(
            "select state, reason from hold where ma_lk = $1 and revision = $2", visit.ma_lk, visit.revision
        )
        assert row is not None
        return row["state"], row["reason"]


@pytest.fixture
async def bench(
    declared: None,
    kafka: str,
    database_url: str,
    schema_registry: str,
    pool: "asyncpg.Pool[asyncpg.Record]",
    serde: Serde,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Bench]:
    monkeypatch.setattr(facilities, "LOOK_AGAIN", 0.0)  # a renewed certificate counts at once
    settings = Settings(
        home=tmp_path,
        facilities=tmp_path / "facilities",
        kafka_bootstrap_servers=kafka,
        database_url=database_url,
        schema_registry_url=schema_registry,
        poison_per_minute=100_000,
    )
    prepare_facilities(FacilityRegister(settings.facilities_dir), tmp_path, {FACILITY: "Bệnh viện Thử B"})
    limit = {"max_partition_fetch_bytes": 40 * 2**20}
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka) as producer,
        AIOKafkaConsumer(VisitSigned.topic, bootstrap_servers=kafka, **limit) as consumer,
    ):
        await consumer.seek_to_end()
        async with signing(settings):
            yield Bench(settings, pool, serde, (producer, consumer))


@asynccontextmanager
async def signing(settings: Settings) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    working = asyncio.ensure_future(sign_work(settings)(Health(), stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(working, 60)


Command: TypeAlias = Callable[..., Awaitable[Answer]]


@pytest.fixture
def command(database_url: str) -> Command:
    async def run(*arguments: object) -> Answer:
        return await healthbook(*arguments, database_url=database_url)

    return run


@pytest.fixture
def ma_lk() -> str:
    return f"HS{datetime.now(UTC):%H%M%S%f}"


async def test_a_released_visit_is_signed_once_a_new_certificate_is_added(
    bench: Bench, command: Command, ma_lk: str
) -> None:
    visit = await bench.validated(ma_lk)
    assert [told.reason for told in await bench.held(visit)] == ["CERTIFICATE_EXPIRED"]
    (listed,) = (await command("held", "list", "--stage", "sign", "--output", "json")).json
    assert (listed["ma_lk"], listed["reason"]) == (ma_lk, "CERTIFICATE_EXPIRED")
    kept = await bench.pool.fetchval("select headers from hold where ma_lk = $1", ma_lk)
    assert traceparent(visit) in kept, "the record comes again with its own headers"

    added = await bench.renewed(NOW + timedelta(days=300))
    assert (added["days_left"], added["key"]) == (299, "given")
    done = await command("held", "release", FACILITY, ma_lk, *WHY, "--output", "json")
    assert (done.json["stage"], done.json["state"]) == ("sign", "READY")
    (signed,) = await bench.signed(visit)
    assert (signed.revision, signed.closed_at) == (visit.revision, visit.closed_at)
    assert signed.certificate_serial == added["serial"], "sign took it while it ran"
    assert await bench.state(visit) == ("ENDED", "CERTIFICATE_EXPIRED")
    refused = await command("held", "release", FACILITY, ma_lk, *WHY)
    assert refused.code == 1


async def test_released_too_early_it_is_held_again_and_told_again(bench: Bench, command: Command, ma_lk: str) -> None:
    visit = await bench.validated(ma_lk)
    await bench.held(visit)
    assert (await command("held", "release", FACILITY, ma_lk, *WHY)).code == 0
    first, second = await bench.held(visit, times=2)
    assert (first.hold, second.hold) == (1, 2)
    assert event_id(first) != event_id(second)

    async def waits_again() -> bool:
        return await bench.state(visit) == ("HELD", "CERTIFICATE_EXPIRED")

    await eventually(waits_again)
    bench.certificate(NOW + timedelta(days=300))
    assert (await command("held", "release", FACILITY, ma_lk, *WHY)).code == 0
    assert len(await bench.signed(visit)) == 1


async def test_a_crash_before_the_return_is_noted_brings_the_same_event_again(
    bench: Bench, command: Command, ma_lk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = await bench.validated(ma_lk)
    await bench.held(visit)
    bench.certificate(NOW + timedelta(days=300))
    came = 0
    gone = PostgresHolds.gone

    async def first_is_lost(self: PostgresHolds, *arguments: Any) -> None:
        nonlocal came
        came += 1
        if came == 1:

            async def taken_up() -> bool:
                return (await bench.state(visit))[0] == "ENDED"

            # As if it had died here, and sign were slow: the hold still says that its record is to come.
            await eventually(taken_up)
            await bench.pool.execute("update hold set state = 'READY' where ma_lk = $1", ma_lk)
            raise RetryLater("database")
        await gone(self, *arguments)

    monkeypatch.setattr(PostgresHolds, "gone", first_is_lost)
    assert (await command("held", "release", FACILITY, ma_lk, *WHY)).code == 0
    first, second = await bench.signed(visit, times=2)
    assert first == second
    assert (await bench.state(visit))[0] == "ENDED"


async def test_a_newer_revision_that_is_signed_ends_the_hold_of_the_older_one(
    bench: Bench, command: Command, ma_lk: str
) -> None:
    visit = await bench.validated(ma_lk)
    await bench.held(visit)
    bench.certificate(NOW + timedelta(days=300))
    newer = await bench.validated(ma_lk, revision=2)
    assert [event.revision for event in await bench.signed(newer)] == [2]
    refused = await command("held", "release", FACILITY, ma_lk, "--revision", 1, *WHY)
    assert refused.code == 1
    assert "revision 1 of it is not held" in refused.stderr
    assert (await bench.state(visit))[0] == "ENDED"


async def test_an_abandoned_visit_is_not_due_and_may_be_taken_back(bench: Bench, command: Command, ma_lk: str) -> None:
    visit = await bench.validated(ma_lk)
    other = await bench.validated(f"{ma_lk}-other")
    await bench.held(visit)
    await bench.held(other)
    clocks = PostgresDeadlines(bench.pool, shipped)
    await clocks.learn([Facts(FACILITY, item.ma_lk, 1, closed_at=item.closed_at) for item in (visit, other)])

    async def clock(item: VisitValidated) -> tuple[DeadlineState, str | None]:
        while await clocks.look():
            pass
        (found,) = await clocks.of_visit(FACILITY, item.ma_lk)
        return found.state, found.reason

    assert (await command("held", "abandon", FACILITY, ma_lk, *WHY)).code == 0
    assert await clock(visit) == (DeadlineState.NOT_DUE, "ABANDONED")
    assert await clock(other) == (DeadlineState.BREACHED, None), "nobody decided about it"
    bench.certificate(NOW + timedelta(days=300))
    assert (await command("held", "release", FACILITY, ma_lk, "--revision", 1, *WHY)).code == 0
    assert len(await bench.signed(visit)) == 1
    assert await clock(visit) == (DeadlineState.BREACHED, None)
    decided = await bench.pool.fetch("select act, held_by, reason from decision order by id")
    assert [tuple(row) for row in decided] == [("ABANDONED", "sign", WHY[1]), ("RELEASED", "sign", WHY[1])]


async def test_what_publish_holds_is_nobodys_decision(bench: Bench, command: Command, ma_lk: str) -> None:
    await bench.pool.execute(
        "insert into hold (facility, ma_lk, revision, held_by, reason, held_at, topic, value)"
        " values ($1, $2, 1, 'publish', 'WITHHOLDING_LIST', now(), 'visit.accepted.v1', '')",
        FACILITY,
        ma_lk,
    )
    (listed,) = (await command("held", "list", "--facility", FACILITY, "--output", "json")).json
    assert "publish goes on by itself" in listed["waits_for"]
    for act in ("release", "abandon"):
        refused = await command("held", act, FACILITY, ma_lk, *WHY)
        assert refused.code == 1
        assert "mend the list" in refused.stderr
    assert (await command("held", "list", "--reason", "CERTIFICATE_EXPIRED", "--output", "json")).json == []
