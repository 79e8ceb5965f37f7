"""What a three-day outage costs: minutes until the backlog is gone, share late, most requests in a second.

    .venv/bin/python -m benchmarks.outage [hospital] [hospital-slowly] [province] [claims]

Real PostgreSQL and registry, the gateway simulator in a process of its own, one dispatcher in this one, dossiers of 60
rows that are really signed and really verified. The outage is begun by the dispatcher itself; then everything is moved
72 h into the past and the backlog is put into the ledger at once.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import click
import structlog

from benchmarks.machine import describe
from benchmarks.outage_system import HORIZON, OUTAGE, TARGET, Bench, opened
from streams import garbage
from streams.adapters.attempts import Limits, PostgresAttempts
from streams.adapters.outbox import Outbox

REPOSITORY = Path(__file__).parent.parent
FIRST = 12  # visits that find the outage
_TRUNCATE = "truncate submission, submission_attempt, decision, outage, outage_act, outbox"
_PAST = (
    "update submission_attempt set started_at = started_at - $1::interval",
    "update outage set from_at = from_at - $1::interval",
    "update submission set next_attempt_at = next_attempt_at - $1::interval, closed_at = closed_at - $1::interval, "
    "due_at = due_at - $1::interval, give_up_at = give_up_at - $1::interval, added_at = added_at - $1::interval",
)
# As if each had come in when it was closed, with the horizon of then.
_AS_CLOSED = "update submission set added_at = closed_at, give_up_at = closed_at + $1::interval where attempts = 0"
_MANY = """
insert into submission (
    facility, ma_lk, revision, closed_at, standard, visit_type, insured, person_key_kind, envelope, envelope_sha256,
    payload_sha256, certificate_serial, due_at, give_up_at
)
select ($2::text[])[1 + number % array_length($2::text[], 1)], 'MANY-' || number, revision, closed_at, standard,
    visit_type, insured, person_key_kind, '', envelope_sha256, payload_sha256, certificate_serial,
    due_at - number * interval '1 millisecond', give_up_at
from submission, generate_series(1, $1::int) as number
"""
# $2: when the gateway was back; from then on each second is $3 seconds of the story.
_FIGURES = """
select state, count(*) as number, count(*) filter (where answered - closed > $1) as late,
    max(answered - closed) as longest
from (
    select state,
        least(closed_at, $2) + greatest(closed_at - $2::timestamptz, '0') * $3::float8 as closed,
        $2 + (attempt.started_at + duration - $2::timestamptz) * $3::float8 as answered
    from submission left join submission_attempt as attempt on submission = id and number = attempts
) as told group by state
"""


@dataclass(frozen=True)
class Case:
    """`clock`: seconds of the story in one second of ours; `scale`: its visits and sends for one of ours."""

    name: str
    facilities: int
    visits_per_second: float
    rate: float
    clock: float = 1.0
    scale: float = 1.0

    @property
    def backlog(self) -> int:
        """Visits closed in the outage, as many as we need."""
        return round(OUTAGE.total_seconds() / self.clock * self.visits_per_second / self.scale)


CASES = {
    "hospital": Case("hospital, 2,000 visits a day", 1, 2000 / 86400, 200.0),
    "hospital-slowly": Case("hospital, at most 10 sends/s", 1, 2000 / 86400, 10.0),
    "province": Case("province, 60 visits/s", 12, 60.0, 200.0, clock=1000.0, scale=10.0),
}


@dataclass(frozen=True)
class Drained:
    """What one case came to; times are those of the story."""

    case: Case
    visits: int
    accepted: int
    held: int
    late: int
    longest: timedelta
    drained_after: timedelta
    most_sends: int
    sends_per_second: float


async def drain(bench: Bench, case: Case) -> Drained:
    """The outage, 72 hours, and what happens when the gateway is back."""
    await bench.pool.execute(_TRUNCATE)
    rate = case.rate / case.scale
    async with bench.gateway() as url, aiohttp.ClientSession() as http:
        await bench.add(case.facilities, 0, [_now()] * FIRST)
        async with bench.dispatching(url, rate):
            await _until(bench, "select count(*) = 0 from outage")
        for statement in _PAST:
            await bench.pool.execute(statement, OUTAGE)
        begin, step = _now() - OUTAGE, OUTAGE / case.backlog
        await bench.add(case.facilities, FIRST, [begin + step * number for number in range(case.backlog)])
        await bench.pool.execute(_AS_CLOSED, HORIZON)
        await http.delete(f"{url}/_sim/faults")
        back = _now()
        async with bench.dispatching(url, rate):
            arriving = asyncio.create_task(_arrive(bench, case, FIRST + case.backlog))
            await _until(bench, _more_than(max(1, round(case.visits_per_second / case.scale))))
            drained_after = (_now() - back) * case.clock
            arriving.cancel()
            await asyncio.wait({arriving})
            await _until(bench, _more_than(0))
        stats = await (await http.get(f"{url}/_sim/stats")).json()
    rows = {row["state"]: row for row in await bench.pool.fetch(_FIGURES, TARGET, back, case.clock)}
    accepted = rows["ACCEPTED"]
    return Drained(
        case=case,
        visits=sum(row["number"] for row in rows.values()),
        accepted=accepted["number"],
        held=rows["HELD"]["number"] if "HELD" in rows else 0,
        late=accepted["late"],
        longest=accepted["longest"],
        drained_after=drained_after,
        most_sends=stats["maxSendsPerSecond"],
        sends_per_second=accepted["number"] / (drained_after / case.clock).total_seconds(),
    )


async def _arrive(bench: Bench, case: Case, first: int) -> None:
    """Hospitals go on to close visits while the backlog drains."""
    every, began = case.scale / case.visits_per_second, time.monotonic()
    for number in range(10**6):
        await asyncio.sleep(max(0.0, began + number * every - time.monotonic()))
        await bench.add(case.facilities, first + number, [_now()])


async def claims(bench: Bench, backlog: int) -> list[str]:
    """Milliseconds of one claim while so many visits wait: the usual one, and that of a probe."""
    attempts, told = PostgresAttempts(bench.pool, Outbox(bench.serde)), []
    for waiting in (1000, backlog):
        await bench.pool.execute(_TRUNCATE)
        await bench.add(1, 0, [_now()])
        await bench.pool.execute(_MANY, waiting - 1, bench.facilities)
        await bench.pool.execute("analyze submission")
        for name, probe in (("usual", False), ("probe", True)):
            took = []
            for _ in range(15):
                began = time.perf_counter()
                await attempts.claim(1, Limits(rate=10**6), [], [], probe=probe)
                took.append(time.perf_counter() - began)
                await bench.pool.execute("update submission set state = 'WAITING' where state = 'SENDING'")
            told.append(f"| {waiting:,} | {name} | {1000 * sorted(took)[len(took) // 2]:.1f} |")
    return told


def _more_than(number: int) -> str:
    """The query that says whether more visits than that wait."""
    waiting = "state in ('READY', 'WAITING', 'SENDING', 'OVERTAKEN')"
    return f"select count(*) > {number} from submission where {waiting}"  # noqa: S608 - put together from constants


async def _until(bench: Bench, busy: str) -> None:
    while await bench.pool.fetchval(busy):  # noqa: ASYNC110 - the database says when
        await asyncio.sleep(0.5)


def _now() -> datetime:
    return datetime.now(UTC)


async def _main(names: Sequence[str], backlog: int, parts: Path) -> None:
    structlog.configure(processors=[_silent])
    async with opened(parts) as bench:
        for case in (CASES[name] for name in names if name in CASES):
            click.echo(_line(await drain(bench, case)))
        if "claims" in names:
            click.echo("\n".join(await claims(bench, backlog)))


def _silent(*_: Any) -> Any:
    raise structlog.DropEvent


def _line(done: Drained) -> str:
    rate = done.case.rate / done.case.scale
    return (
        f"| {done.case.name} | {done.visits:,} | {done.drained_after.total_seconds() / 60:,.1f} min "
        f"| {done.sends_per_second:.1f}/s | {done.most_sends} of {rate:g} | {done.late / done.visits:.1%} "
        f"| {done.longest.total_seconds() / 3600:.1f} h | {done.accepted:,} | {done.held} |"
    )


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*CASES, "claims"]))
@click.option("--backlog", default=1_000_000, show_default=True, help="Visits in the ledger for `claims`.")
@click.option("--parts", type=click.Path(path_type=Path), default=REPOSITORY / "var" / "parts", help="Downloaded jars.")
def main(names: tuple[str, ...], backlog: int, parts: Path) -> None:
    """Prints, in Markdown: what a three-day outage comes to."""
    garbage.seldom()
    click.echo(f"{describe()}\n")
    asyncio.run(_main(names or (*CASES, "claims"), backlog, parts))


if __name__ == "__main__":
    main()
