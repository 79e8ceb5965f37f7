"""facility reconcile on real parts: every outcome by name, what is still in a spool, and what nobody ever sent."""

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import NAMESPACE_OID, uuid5

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from events.his import Adapter, RefusedError
from events.topics import VISIT_CLOSED
from infra.embedded.parts import Addresses
from streams.adapters.timeline import PostgresTimeline
from streams.domain.dead_letter import Place, aside_headers
from streams.domain.story import StoryLine
from streams.errors import Reason
from tests.support.commands import Answer, healthbook, started
from tests.support.eventually import eventually
from tests.support.his import Bus, dossier, set_limit, some_facility

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Command: TypeAlias = Callable[..., Awaitable[Answer]]
NOON = datetime(2026, 11, 2, 5, tzinfo=UTC)
DAY = "2026-11-02"

pytestmark = pytest.mark.usefixtures("declared")


@pytest.fixture
def facility() -> str:
    return some_facility()


@pytest.fixture
def reconcile(kafka: str, database_url: str, facility: str) -> Command:
    async def run(*arguments: object, day: str = DAY) -> Answer:
        parts = {"database_url": database_url, "kafka_bootstrap_servers": kafka}
        return await healthbook("facility", "reconcile", facility, "--day", day, *arguments, **parts)

    return run


def told(answer: Answer) -> Any:
    """The document of an answer, whether it balances or not."""
    return Answer(0, answer.stdout, answer.stderr).json


class Story:
    """What the bus knows of one facility's day."""

    def __init__(self, pool: Pool, facility: str) -> None:
        self._pool, self._facility = pool, facility

    async def tell(self, ma_lk: str, *types: str, revision: int = 1, at: datetime = NOON, **detail: Any) -> None:
        lines = [
            StoryLine(self.id(ma_lk, kind, revision), self._facility, ma_lk, revision, kind, at, detail)
            for kind in ("visit.closed.v1", *types)
        ]
        await PostgresTimeline(self._pool).add(lines)

    def id(self, ma_lk: str, kind: str, revision: int = 1) -> Any:
        return uuid5(NAMESPACE_OID, f"{self._facility}|{ma_lk}|{kind}|{revision}")

    async def submission(self, ma_lk: str, state: str, revision: int = 1, reason: str | None = None) -> int:
        number: int = await self._pool.fetchval(
            "insert into submission (facility, ma_lk, revision, closed_at, standard, visit_type, insured,"
            " person_key_kind, envelope, envelope_sha256, payload_sha256, certificate_serial, due_at, give_up_at,"
            " state, reason) values ($1, $2, $3, $4, '3176', '01', true, 'CCCD', '', '', '', '', $4, $4, $5, $6)"
            " returning id",
            *(self._facility, ma_lk, revision, NOON, state, reason),
        )
        return number

    async def attempt(self, submission: int, result: str, code: str) -> None:
        await self._pool.execute(
            "insert into submission_attempt (submission, number, started_at, endpoint, base64_bytes, envelope_sha256,"
            " certificate_serial, probe, result, code) values ($1, 1, $2, '', 0, '', '', false, $3, $4)",
            *(submission, NOON, result, code),
        )

    async def hold(self, ma_lk: str, held_by: str, reason: str) -> None:
        await self._pool.execute(
            "insert into hold (facility, ma_lk, revision, held_by, reason, held_at, topic, value)"
            " values ($1, $2, 1, $3, $4, $5, 'visit.validated.v1', '')",
            *(self._facility, ma_lk, held_by, reason, NOON),
        )


VALIDATED = ("visit.validated.v1",)
SIGNED = (*VALIDATED, "visit.signed.v1")
ACCEPTED = (*SIGNED, "visit.accepted.v1")


async def every_outcome(story: Story) -> dict[str, tuple[str, str | None, str | None]]:
    """Tells of one visit for each outcome; what is expected of it: outcome, stage, reason."""
    await story.tell("AT-VALIDATE")
    await story.tell("AT-SIGN", *VALIDATED)
    await story.tell("AT-DISPLAY", *ACCEPTED, "health-book.entry.v1", state="ACTIVE")
    await story.tell("SHOWN", *ACCEPTED, "health-book.displayed.v1")
    await story.tell("REJECTED", "visit.rejected.v1", findings=[{"code": "X3-008", "severity": "critical"}])
    await story.tell("REFUSED", *SIGNED, "visit.refused.v1", code="123")
    await story.tell(
        "LATE", *ACCEPTED, "health-book.displayed.v1", "visit.late-verdict.v1", findings=[{"code": "E-48"}]
    )
    await story.tell("NOBODY", *ACCEPTED, "deadline.changed.v1", state="NOT_DUE", reason="NO_IDENTIFIER")
    await story.tell("DEAD", *VALIDATED)
    await story.tell("RETRIED", *SIGNED)
    await story.attempt(await story.submission("RETRIED", "WAITING"), "TEMPORARY", "503")
    await story.tell("FOLLOWS", *SIGNED)
    await story.tell("FOLLOWS", *SIGNED, revision=2)
    await story.submission("FOLLOWS", "OVERTAKEN")
    await story.submission("FOLLOWS", "READY", revision=2)
    await story.tell("HELD-SIGN", *VALIDATED)
    await story.hold("HELD-SIGN", "sign", "CERTIFICATE_EXPIRED")
    await story.tell("HELD-GATEWAY", *SIGNED)
    await story.submission("HELD-GATEWAY", "HELD", reason="GATEWAY_WINDOW")
    await story.tell("OLD", *SIGNED)
    await story.submission("OLD", "SUPERSEDED")
    await story.tell("SAME", *SIGNED)
    await story.submission("SAME", "NOT_DUE", reason="SAME_CONTENT")
    return {
        "AT-VALIDATE": ("pending", "validate", None),
        "AT-SIGN": ("pending", "sign", None),
        "AT-DISPLAY": ("pending", "display", None),
        "SHOWN": ("displayed", None, None),
        "REJECTED": ("rejected", "validate", "X3-008"),
        "REFUSED": ("refused", "forward", "123"),
        "LATE": ("late-verdict", "forward", "E-48"),
        "NOBODY": ("not-due", None, "NO_IDENTIFIER"),
        "DEAD": ("dead-letter", "sign", "UNEXPECTED"),
        "RETRIED": ("pending", "forward", "TEMPORARY 503"),
        "FOLLOWS": ("pending", "forward", None),
        "HELD-SIGN": ("held", "sign", "CERTIFICATE_EXPIRED"),
        "HELD-GATEWAY": ("held", "forward", "GATEWAY_WINDOW"),
        "OLD": ("superseded", "forward", None),
        "SAME": ("not-due", "forward", "SAME_CONTENT"),
    }


async def put_aside(kafka: str, facility: str, story: Story) -> None:
    """A dead letter of a visit that is known, and one of which nothing but the key could be read."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for ma_lk, topic, stage, reason in (
            ("DEAD", "visit.validated.v1", "sign", Reason.UNEXPECTED),
            ("UNREAD", "visit.closed.v1", "validate", Reason.NOT_AVRO),
        ):
            await producer.send_and_wait(
                f"{topic}.dlq",
                key=f"{facility}|{ma_lk}".encode(),
                value=b"\0",
                headers=[
                    ("ce_id", str(story.id(ma_lk, topic)).encode()),
                    ("ce_source", b"/healthbook/test"),
                    ("ce_type", topic.encode()),
                    ("ce_time", NOON.isoformat().encode()),
                    *aside_headers(Place(topic, 0, random.randrange(10**9, 10**12)), stage, reason, NOON),
                ],
            )


async def test_every_visit_of_the_list_is_explained_by_name(
    pool: Pool, kafka: str, facility: str, reconcile: Command, tmp_path: Path
) -> None:
    story = Story(pool, facility)
    expected = await every_outcome(story)
    await put_aside(kafka, facility, story)
    outage = await pool.fetchval(
        "insert into outage (subject, from_at, found_by, cause) values ('gateway', $1, 'attempts', 'no answer')"
        " returning id",
        NOON,
    )
    expected["UNREAD"] = ("dead-letter", "validate", "NOT_AVRO")
    await story.tell("UNLISTED")
    await story.tell("NEXT-DAY", at=NOON + timedelta(days=1))
    listed = tmp_path / "closed.txt"
    listed.write_text("\n".join([*expected, "NEVER-SENT"]), encoding="utf-8")

    answer = await reconcile("--closed", listed, "--output", "json")
    assert answer.code == 1
    document = told(answer)
    found = {row["ma_lk"]: row for row in document["visits"]}
    assert {ma_lk: (found[ma_lk]["outcome"], found[ma_lk]["stage"], found[ma_lk]["reason"]) for ma_lk in expected} == (
        expected
    )
    out = f"the end of outage {outage} (gateway, since 2026-11-02 12:00), then "
    assert found["FOLLOWS"]["waits_for"] == out + "the answer to revision 1, which is in flight"
    assert found["RETRIED"]["waits_for"] == out + "its next attempt"
    assert (found["NEVER-SENT"]["outcome"], found["NEVER-SENT"]["stage"]) == ("missing", "his")
    assert [row["ma_lk"] for row in document["visits"] if not row["listed"]] == ["UNLISTED"]
    assert document["closed"] == len(expected) + 1
    assert sum(document["outcomes"].values()) == document["closed"] + document["unlisted"]
    assert "NEXT-DAY" not in found

    # Without what is missing on either side it balances.
    listed.write_text("\n".join([*expected, "UNLISTED"]), encoding="utf-8")
    balanced = await reconcile("--closed", listed)
    assert balanced.code == 0, balanced.stderr
    assert all(ma_lk in balanced.stdout for ma_lk in expected)
    sheet = tmp_path / "reconciled.csv"
    assert (await reconcile("--closed", listed, "--out", sheet)).code == 0
    assert len(sheet.read_text(encoding="utf-8-sig").splitlines()) == len(expected) + 2


async def test_a_day_of_which_nobody_tells_and_a_part_that_is_away_are_told_apart(
    reconcile: Command, facility: str, database_url: str, tmp_path: Path
) -> None:
    answer = await reconcile()
    assert answer.code == 1
    assert "--closed" in answer.stderr
    (tmp_path / "closed.txt").write_text("V1", encoding="utf-8")
    away = {"database_url": database_url, "kafka_bootstrap_servers": "127.0.0.1:1"}
    arguments = ("facility", "reconcile", facility, "--day", DAY, "--closed", tmp_path / "closed.txt")
    assert (await healthbook(*arguments, **away)).code == 3


@pytest.mark.timeout(240)
async def test_what_is_still_in_a_spool_is_missing_before_us_and_a_lost_spool_is_survived(
    parts: Addresses, pool: Pool, database_url: str, facility: str, reconcile: Command, tmp_path: Path
) -> None:
    """A real adapter, a broker that refuses one dossier, and the processes that write down what they are told."""
    bus = Bus(parts)
    today = (datetime.now(UTC) + timedelta(hours=7)).date().isoformat()
    spool = tmp_path / "spool"

    async def hand_over(*visits: tuple[str, int], refused: bool = False) -> None:
        async with Adapter(facility, spool, parts.kafka, parts.schema_registry) as his:
            for ma_lk, size in visits:
                await his.close_visit(dossier(ma_lk, size=size))
            if refused:
                with pytest.raises(RefusedError):
                    await his.flush()
            else:
                await his.flush()

    async def counted(closed: int) -> None:
        total = "select coalesce(sum(closed), 0) from day_count where facility = $1"
        await eventually(lambda: _is(pool.fetchval(total, facility), closed), timeout=90)

    async def recorded(number: int) -> None:
        lines = "select count(*) from timeline where facility = $1"
        await eventually(lambda: _is(pool.fetchval(lines, facility), number), timeout=90)

    settings = {
        "home": str(tmp_path / "home"),
        "database_url": database_url,
        "kafka_bootstrap_servers": parts.kafka,
        "schema_registry_url": parts.schema_registry,
        "poison_per_minute": "100000",  # other tests put what they like on the shared topics
    }
    processes = [await started("stage", name, **settings) for name in ("flow", "record")]
    try:
        await set_limit(bus, 100_000)
        await hand_over(("V1", 0), ("V2", 0), ("V3", 0), ("LARGE", 400_000), refused=True)
        await counted(4)
        await recorded(3)
        answer = await reconcile("--output", "json", day=today)
        assert answer.code == 1
        document = told(answer)
        assert (document["closed"], document["outcomes"]) == (4, {"pending": 3, "missing": 1})
        (missing,) = [row for row in document["visits"] if row["outcome"] == "missing"]
        assert (missing["ma_lk"], missing["stage"], missing["reason"]) == ("LARGE", "spool", "BUS_TOO_LARGE")

        (tmp_path / "closed.csv").write_text("MA_LK;REVISION\nV1;\nV3;\nLARGE;\nNEVER;\n", encoding="utf-8")
        document = told(await reconcile("--closed", tmp_path / "closed.csv", "--output", "json", day=today))
        where = {row["ma_lk"]: (row["listed"], row["outcome"], row["stage"]) for row in document["visits"]}
        assert where == {
            "V1": (True, "pending", "validate"),
            "V2": (False, "pending", "validate"),
            "V3": (True, "pending", "validate"),
            "LARGE": (True, "missing", "spool"),
            "NEVER": (True, "missing", "his"),
        }

        # The machine of the HIS burns down with its spool; from its own records the HIS hands the visit over again.
        await asyncio.to_thread(shutil.rmtree, spool)
        await set_limit(bus, VISIT_CLOSED.max_bytes)
        await hand_over(("LARGE", 400_000))
        await counted(5)
        await recorded(4)
        answer = await reconcile("--output", "json", day=today)
        assert answer.code == 0, answer.stderr
        assert told(answer)["outcomes"] == {"pending": 4, "superseded": 1}
    finally:
        await set_limit(bus, VISIT_CLOSED.max_bytes)
        for process in processes:
            process.terminate()
            await asyncio.wait_for(process.communicate(), 30)


async def _is(answer: Awaitable[Any], wanted: Any) -> bool:
    return bool(await answer == wanted)
