"""What `benchmarks.outage` runs on: parts, a register of facilities, signed dossiers, a gateway, a dispatcher."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg

from events.registry import Registry
from events.serde import Serde
from events.topics import OUTBOX_TOPICS
from events.visit import PersonKeyKind, TableFile, VisitAccepted, VisitHeld, VisitRefused, VisitSigned
from infra.embedded.parts import Parts
from streams.adapters import postgres
from streams.adapters.attempts import Limits, PostgresAttempts
from streams.adapters.facilities import FacilityRegister
from streams.adapters.gateway import GatewayClient
from streams.adapters.ledger import PostgresLedger
from streams.adapters.outbox import Outbox, declare_shards
from streams.adapters.signer import SoftwareKeySigner
from streams.domain.dossier.envelope import write_envelope
from streams.domain.dossier.sample import VisitKind, new_dossier
from streams.domain.dossier.standard import standard_on
from streams.runtime.dispatcher import Dispatcher
from streams.runtime.outage_watch import OutageWatch
from streams.simulators.pki import prepare_facilities

OUTAGE = timedelta(hours=72)
TARGET, HORIZON = timedelta(minutes=15), timedelta(hours=24)


class Bench:
    """Database, register and dossiers that the cases share."""

    def __init__(self, home: Path, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde) -> None:
        self.home, self.pool, self.serde = home, pool, serde
        self.register = FacilityRegister(home / "facilities")
        self.facilities = [f"019{number:02}" for number in range(12)]
        prepare_facilities(self.register, home / "accounts", {code: f"Bệnh viện {code}" for code in self.facilities})
        self.ledger = PostgresLedger(pool, lambda closed: closed + TARGET, HORIZON)
        self._signer = SoftwareKeySigner(self.register, lambda: datetime.now(UTC))
        sample = new_dossier(
            1,
            facility=self.facilities[0],
            kind=VisitKind.EXAM,
            insured=True,
            discharged_at=datetime.now(UTC) - OUTAGE - timedelta(hours=1),
            size=60,
            ma_lk="BENCH-0000000",
        )
        self._tables = sample.tables

    async def visit(self, facility: str, number: int, closed: datetime) -> VisitSigned:
        """One dossier under another name, signed by its facility."""
        ma_lk = f"BENCH-{number:07}"
        names = ((b"BENCH-0000000", ma_lk), (f">{self.facilities[0]}<".encode(), f">{facility}<"))
        tables = []
        for kind, content in self._tables:
            for old, new in names:
                content = content.replace(old, new.encode())
            tables.append(TableFile(kind, content))
        envelope = write_envelope(facility, closed.date(), tables)
        signed = await self._signer.sign(facility, envelope, f"id-{number}")
        return VisitSigned(
            facility=facility,
            ma_lk=ma_lk,
            revision=1,
            closed_at=closed,
            standard=standard_on(closed.date()).name,
            visit_type="01",
            insured=True,
            person_key_kind=PersonKeyKind.BHYT,
            envelope=signed.content,
            envelope_sha256=signed.sha256,
            payload_sha256=signed.payload_sha256,
            certificate_serial=signed.certificate_serial,
        )

    async def add(self, facilities: int, first: int, closed: Sequence[datetime]) -> None:
        """Visits closed at these instants, of so many facilities in turn."""
        for start in range(0, len(closed), 100):
            batch = enumerate(closed[start : start + 100], first + start)
            names = self.facilities[:facilities]
            await self.ledger.add([await self.visit(names[number % len(names)], number, at) for number, at in batch])

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[str]:
        """The simulator, which nobody can reach at first."""
        ready = self.home / f"gateway-{time.monotonic_ns()}.json"
        options = ("--accounts", self.home / "accounts", "--fault", "send_down", "--ready-file", ready)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams", "simulate", "gateway", *map(str, options)),
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            while not ready.exists():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.1)
            yield json.loads(ready.read_text(encoding="utf-8"))["url"]
        finally:
            process.terminate()
            await process.wait()

    @asynccontextmanager
    async def dispatching(self, url: str, rate: float) -> AsyncIterator[None]:
        """One dispatcher, as the process `forward` has it."""
        async with GatewayClient(url, self.register) as client:
            dispatcher = Dispatcher(
                self.ledger,
                PostgresAttempts(self.pool, Outbox(self.serde)),
                client,
                partial(OutageWatch, self.pool),
                Limits(rate=rate),
                parallel=32,
            )
            stopping = asyncio.Event()
            running = asyncio.create_task(dispatcher.run(stopping))
            try:
                yield
            finally:
                stopping.set()
                await running


@asynccontextmanager
async def opened(parts: Path) -> AsyncIterator[Bench]:
    """Parts in a home of their own, until the block is left."""
    with tempfile.TemporaryDirectory(prefix="healthbook-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)  # noqa: ASYNC240 - PostgreSQL's user must be able to enter it
        async with Parts(home, downloads=parts) as addresses, Registry(addresses.schema_registry) as registry:
            for topic in OUTBOX_TOPICS:
                await registry.register(topic.name, topic.compatibility)
            serde = Serde(registry)
            await serde.prepare(VisitAccepted, VisitRefused, VisitHeld)
            async with await postgres.connect(addresses.database, 12) as pool:
                await postgres.migrate(pool)
                async with pool.acquire() as connection:
                    await declare_shards(connection)
                yield Bench(home, pool, serde)
