"""What a million running clocks cost: events a second, the look for what is due, the gauges, memory and disk.

.venv/bin/python -m benchmarks.deadlines [--clocks 1000000]

The store of the processor `deadlines` on real PostgreSQL, without Kafka and Faust: those cost the same for any number.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from benchmarks.machine import describe
from infra.embedded import postgres as embedded
from streams.adapters import postgres
from streams.adapters.deadline_figures import PostgresFigures
from streams.adapters.deadline_news import PostgresNews
from streams.adapters.deadlines import PostgresDeadlines
from streams.runtime.deadline_gauges import Gauges
from streams.sla.clocks import shipped
from streams.sla.facts import Facts

BATCH = 500
"""As Faust brings them."""
SHOWN = "receipt-to-shown"

# Received over the last eleven hours, so that none is due before the measurement is over.
_FILL = """
with visit as (
    select lpad((n % 12000)::text, 5, '0') as facility, 'M' || n as ma_lk,
        statement_timestamp() - n * interval '11 hours' / $1::bigint as at
    from generate_series(1, $1::bigint) as n
), known as (
    insert into deadline_facts (facility, ma_lk, revision, closed_at, received_at)
    select facility, ma_lk, 1, at, at from visit
)
insert into deadline (clock, facility, ma_lk, revision, started_at, due_at, state, late, next_look_at, announced)
select 'receipt-to-shown', facility, ma_lk, 1, at, at + interval '24 hours', 'RUNNING', false, at + interval '12 hours',
    true
from visit
"""
_COUNT = "insert into deadline_count values ('receipt-to-shown', 'RUNNING', true, $1)"
_SIZE = "select pg_total_relation_size('deadline') + pg_total_relation_size('deadline_facts')"


def main() -> None:
    """Prints the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clocks", type=int, default=1_000_000, help="running clocks")
    clocks: int = options.parse_args().clocks
    print(describe())
    with tempfile.TemporaryDirectory(prefix="healthbook-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        asyncio.run(_measure(home, clocks))


async def _measure(home: Path, clocks: int) -> None:
    child, url = await embedded.start(home)
    try:
        pool = await postgres.connect(url, 4)
        await postgres.migrate(pool)
        begun = time.perf_counter()
        await pool.execute(_FILL, clocks, timeout=1200)
        await pool.execute(_COUNT, clocks)
        await pool.execute("vacuum analyze", timeout=1200)
        size = await pool.fetchval(_SIZE)
        print(f"{clocks:,} running clocks: {size / 2**20:,.0f} MB, filled in {time.perf_counter() - begun:.0f} s")
        await _figures(pool)
        await pool.close()
    finally:
        await child.stop()


async def _figures(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    store, news = PostgresDeadlines(pool, shipped), PostgresNews(pool)
    gauges = Gauges(PostgresFigures(pool), shipped)
    _tell("look, nothing is due", await _times(store.look, 100))
    _tell("ask what is to be told", await _times(news.unannounced, 100))
    _tell("ask what is to be offered again", await _times(news.unoffered, 100))
    _tell("the gauges", await _times(gauges.measure, 10))
    _tell("the predictions", await _times(gauges.predict, 10))
    now = datetime.now(UTC)
    before = await store.of_visit("00001", "M1")
    await _events(store, "closed", [_new(n, closed_at=now) for n in range(20_000)])
    await _events(store, "received", [_new(n, closed_at=now, received_at=now) for n in range(20_000)])
    await _events(store, "shown, of the running", [_old(n, displayed_at=now) for n in range(1, 20_001)])
    assert before[0].running
    assert not (await store.of_visit("00001", "M1"))[0].running
    await pool.execute(
        "update deadline set next_look_at = statement_timestamp() where ma_lk in (select 'M' || n from"
        " generate_series(100001, 101000) as n)"
    )
    _tell("look, 1,000 visits are due", await _times(store.look, 1))
    rss = psutil.Process().memory_info().rss
    print(f"memory of the process: {rss / 2**20:.0f} MB, whatever the number of clocks")


def _new(number: int, **known: Any) -> Facts:
    return Facts(f"{number % 12000:05d}", f"N{number}", 1, **known)


def _old(number: int, **known: Any) -> Facts:
    return Facts(f"{number % 12000:05d}", f"M{number}", 1, **known)


async def _events(store: PostgresDeadlines, what: str, facts: list[Facts]) -> None:
    begun, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(facts), BATCH):
        await store.learn(facts[start : start + BATCH])
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(f"{what}: {len(facts) / seconds:,.0f} events/s, {cpu / len(facts) * 1000:.2f} ms CPU of the process each")


async def _times(work: Callable[[], Awaitable[Any]], times: int) -> list[float]:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        await work()
        found.append((time.perf_counter() - begun) * 1000)
    return found


def _tell(what: str, milliseconds: list[float]) -> None:
    print(f"{what}: median {statistics.median(milliseconds):.1f} ms, most {max(milliseconds):.1f} ms")


if __name__ == "__main__":
    main()
