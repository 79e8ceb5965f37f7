"""Late verdicts in PostgreSQL: each line once, an event for what is new, the officer's list, and nothing of others."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from events.serde import Serde
from events.topics import VISIT_LATE_VERDICT
from events.visit import GatewayFinding, PersonKeyKind, VisitLateVerdict, VisitRefused, VisitSigned
from streams.adapters.facility_errors import facility_errors
from streams.adapters.ledger import PostgresLedger
from streams.adapters.outbox import Outbox
from streams.adapters.timeline import PostgresTimeline
from streams.adapters.verdicts import PostgresVerdicts
from streams.domain.feedback import About, ToldFinding
from streams.stages.record import story_line
from tests.support.forward_bench import in_a_quarter_of_an_hour

CLOSED = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
TOLD = CLOSED + timedelta(hours=24)
DAYS = timedelta(days=3)


class Portal:
    """The error lists, and what this installation made of them."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde) -> None:
        self.pool = pool
        self._serde = serde
        self._verdicts = PostgresVerdicts(pool, Outbox(serde))

    async def tell(self, *lines: ToldFinding) -> dict[str, int]:
        return {str(what): number for what, number in (await self._verdicts.add(lines)).items() if number}

    async def sent(self, ma_lk: str, revision: int, result: str, code: str | None) -> None:
        """A revision that the gateway answered so."""
        ledger = PostgresLedger(self.pool, in_a_quarter_of_an_hour, timedelta(days=1))
        none = PersonKeyKind.NONE
        await ledger.add(
            [VisitSigned("01999", ma_lk, revision, CLOSED, "3176", "01", True, none, b"x", "a", f"{revision}", "1")]
        )
        await self.pool.execute(
            "insert into submission_attempt (submission, number, started_at, endpoint, base64_bytes, envelope_sha256,"
            " certificate_serial, probe, result, transaction_code)"
            " select id, 1, $3, '', 1, 'a', '1', false, $4, $5 from submission where ma_lk = $1 and revision = $2",
            ma_lk,
            revision,
            CLOSED + revision * timedelta(minutes=1),
            result,
            code,
        )

    async def events(self) -> list[VisitLateVerdict]:
        rows = await self.pool.fetch("select value from outbox where topic = $1 order by seq", VISIT_LATE_VERDICT.name)
        return [await self._serde.decode(VisitLateVerdict, row["value"], []) for row in rows]


@pytest.fixture
def portal(pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde) -> Portal:
    return Portal(pool, serde)


def line(ma_lk: str, code: str = "E-48", transaction: str = "", told_at: datetime = TOLD, **where: Any) -> ToldFinding:
    places = {"table": "XML3", "row": 1, "field": "THANH_TIEN_BV", **where}
    return ToldFinding("01999", ma_lk, transaction, told_at, GatewayFinding(code=code, message="không khớp", **places))


async def test_a_list_that_comes_twice_is_told_once_and_what_it_adds_later_too(portal: Portal) -> None:
    await portal.sent("V1", 1, "ACCEPTED", "G1")
    lines = [line("V1", transaction="G1"), line("V1", transaction="G1", row=2)]
    assert await portal.tell(*lines) == {About.ACCEPTED: 2}
    assert await portal.tell(*lines, line("V1", transaction="G1", row=3)) == {About.ACCEPTED: 1, About.KNOWN: 2}
    first, second = await portal.events()
    assert [item.row for item in first.findings] == [1, 2]
    assert [item.row for item in second.findings] == [3]
    assert (first.revision, first.number, second.number, first.told_at) == (1, 1, 2, TOLD)


async def test_each_time_and_each_revision_has_a_verdict_of_its_own(portal: Portal) -> None:
    await portal.sent("V1", 1, "ACCEPTED", "G1")
    await portal.sent("V1", 2, "ACCEPTED", "G2")
    later = TOLD + timedelta(hours=24)
    await portal.tell(line("V1", transaction="G1"), line("V1", told_at=later), line("V1", "E-6", "G2", told_at=later))
    assert sorted((item.revision, item.number, item.told_at) for item in await portal.events()) == [
        (1, 1, TOLD),
        (2, 1, later),
        (2, 2, later),
    ]


async def test_a_long_verdict_fits_its_topic(portal: Portal) -> None:
    await portal.sent("V1", 1, "ACCEPTED", "G1")
    lines = [line("V1", row=row) for row in range(1, 1001)]
    long = [replace(item, finding=replace(item.finding, message="ỗ" * 1000)) for item in lines]
    assert await portal.tell(*long) == {About.ACCEPTED: 1000}
    sizes = [len(row["value"]) for row in await portal.pool.fetch("select value from outbox")]
    assert max(sizes) < VISIT_LATE_VERDICT.max_bytes
    assert sorted(item.row or 0 for event in await portal.events() for item in event.findings) == list(range(1, 1001))


async def test_the_officer_sees_every_line_once_and_the_refusal_it_explains_no_more(portal: Portal) -> None:
    await portal.sent("V1", 1, "ACCEPTED", "G1")
    for ma_lk in ("R1", "R2"):
        await portal.sent(ma_lk, 1, "PERMANENT_DATA", None)
        refused = VisitRefused(
            "01999", ma_lk, 1, CLOSED, "3176", "123", "PERMANENT_DATA", "x", CLOSED, 1, "Sửa.", "Mend."
        )
        await PostgresTimeline(portal.pool).add([story_line(refused, CLOSED)])
    other = replace(line("V1"), facility="48999")
    told = await portal.tell(line("V1", "A"), line("R1", "B"), line("R1", "C"), line("not ours", "D"), other)
    assert told == {About.ACCEPTED: 1, About.REFUSED: 2, About.FOREIGN: 2}
    assert [event.ma_lk for event in await portal.events()] == ["V1"]
    found = await facility_errors(portal.pool, "01999", CLOSED, CLOSED + DAYS)
    assert Counter((row["ma_lk"], row["code"]) for row in found) == Counter(
        [("V1", "A"), ("R1", "B"), ("R1", "C"), ("not ours", "D"), ("R2", "123")]
    )
    assert {row["facility"] for row in found} == {"01999"}
    assert all(row["mend_vi"] and row["from"] == "gateway" for row in found)


async def test_a_line_about_a_sending_without_an_answer_waits_for_the_answer(portal: Portal) -> None:
    await portal.sent("V1", 1, "UNKNOWN", None)
    assert await portal.tell(line("V1")) == {About.UNANSWERED: 1}
    assert not await portal.events()
    await portal.pool.execute("update submission_attempt set result = 'ACCEPTED'")
    assert await portal.tell(line("V1")) == {About.ACCEPTED: 1}
    assert len(await portal.events()) == 1


async def test_a_crash_leaves_neither_line_nor_event(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    await portal.sent("V1", 1, "ACCEPTED", "G1")

    async def crash(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "put", crash)
        with pytest.raises(SystemExit):
            await portal.tell(line("V1"))
    assert await portal.tell(line("V1")) == {About.ACCEPTED: 1}
    assert len(await portal.events()) == 1
