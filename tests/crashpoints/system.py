"""The system that a round runs in: real parts, the gateway simulator, and every stage as a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer

from events.registry import Registry
from events.topics import TOPICS
from infra.embedded.parts import Addresses
from streams.adapters import held, postgres, topic_admin
from streams.adapters.facilities import SIGNING_KEY, FacilityRegister
from streams.adapters.held import Decision
from streams.adapters.outbox import declare_shards
from streams.domain.submission import Happening
from streams.simulators.gateway.server import GatewaySimulator
from streams.simulators.pki import prepare_facilities
from tests.crashpoints.children import Life, Nursery
from tests.crashpoints.outcome import Log, Outside
from tests.crashpoints.points import Point
from tests.crashpoints.workload import FACILITIES, HIDDEN, KEYLESS, Dossier, Round, closed_in, hand_over
from tests.support.eventually import eventually

STAGES = ("validate", "sign", "forward", "publish", "relay", "record")
HIS = "his"
ENDED_WITHIN = 60.0
READERS = {
    "visit.closed.v1": ("validate", "record"),
    "visit.validated.v1": ("sign", "record"),
    "visit.signed.v1": ("forward", "record"),
    "visit.accepted.v1": ("publish", "record"),
}
"""Topics that get a record which nobody can read, and who must put it aside."""

_SETTINGS = {
    "HEALTHBOOK_GATEWAY_LEASE": "1.5",  # what is waited for is the recovery, not the patience of production
    "HEALTHBOOK_RETRY_SCALE": "0.01",
    "HEALTHBOOK_HOLD_RETRY": "0.3",
    "HEALTHBOOK_INSTANCE": "crash-points",  # a member that comes back under its name is not waited for
    "HEALTHBOOK_POISON_PER_MINUTE": "100000",
}
_HELD = "select ma_lk from hold where ma_lk like $1 and state = 'HELD'"
_SLOW = {"fault": "latency", "seconds": 1.2, "count": 1, "on": "send"}
"""Of one send in each round, so that its lease has to be renewed."""


@dataclass
class Bus:
    """One system, in which round follows round."""

    home: Path
    nursery: Nursery
    outside: Outside
    kafka: str
    _rounds: int = 0
    _poison: set[tuple[str, str, str]] = field(default_factory=set)

    async def round(self, *scripts: Sequence[Point], patience: float = ENDED_WITHIN) -> None:
        """Each script is the deaths of one process; everything else lives. All must end well, within `patience`."""
        self._rounds += 1
        deaths = {script[0].process: script for script in scripts if script}
        await _Round(self, self._rounds, deaths, patience).run()

    async def poison(self, mark: str) -> None:
        """A record on each topic that its readers cannot read."""
        async with AIOKafkaProducer(bootstrap_servers=self.kafka) as producer:
            for topic, readers in READERS.items():
                value = f"poison {mark}".encode()
                await producer.send_and_wait(topic, value, key=mark.encode())
                self._poison |= {(topic, reader, sha256(value).hexdigest()) for reader in readers}

    async def all_is_well(self, journal: Path, spools: Path) -> bool:
        """See `Outside.all_is_well`."""
        return await self.outside.all_is_well(closed_in(journal), self._poison, spools)

    async def slow_down(self) -> None:
        """The gateway takes its time over one send."""
        url = f"{self.outside.gateway}/_sim/faults"
        async with aiohttp.ClientSession() as http, http.post(url, json=_SLOW) as answer:
            assert answer.status == 200, await answer.text()

    async def release(self, facility: str, ma_lk: str) -> None:
        """A person's `held release`."""
        decision = Decision(Happening.RELEASED, "a test", "the key is there again")
        await held.decide(self.outside.pool, (facility, ma_lk), None, decision, timedelta(days=1), dry_run=False)

    def spoil(self) -> None:
        """One facility's key cannot be used, another one's privacy list cannot be read."""
        key = self._file(KEYLESS, SIGNING_KEY)
        key.rename(key.with_suffix(".kept"))
        self._file(HIDDEN, "withholding.csv").write_text("not,a,list\n", encoding="utf-8")

    def mend(self) -> None:
        """Both can be used again; harmless when they can."""
        key = self._file(KEYLESS, SIGNING_KEY)
        if not key.exists():
            key.with_suffix(".kept").rename(key)
        self._file(HIDDEN, "withholding.csv").unlink(missing_ok=True)

    def _file(self, facility: str, name: str) -> Path:
        return self.home / "facilities" / facility / name


class _Round:
    """One round: spoil, hand over, mend, hand over more, until every death is died and every visit has ended."""

    def __init__(self, bus: Bus, number: int, scripts: dict[str, Sequence[Point]], patience: float) -> None:
        self._bus = bus
        self._number = number
        self._scripts = scripts
        self._patience = patience
        self._visits = Round(number, datetime.now(UTC) - timedelta(minutes=30))
        self.spools = bus.home / f"spools-{number}"
        self.journal = bus.home / f"closed-{number}.jsonl"
        self._lives: list[Life] = []

    async def run(self) -> None:
        self._bus.spoil()
        try:
            self._lives = [Life(self._bus.nursery, stage, self._scripts.get(stage, ())) for stage in STAGES]
            async with asyncio.TaskGroup() as group:
                for life in self._lives:
                    group.create_task(life.live())
                group.create_task(self._work())
            await eventually(self._all_is_well, timeout=self._patience, message=f"round {self._number} ends well")
            await asyncio.gather(*(life.drain() for life in self._lives))
        finally:
            for life in self._lives:
                life.kill()
            self._bus.mend()

    async def _all_is_well(self) -> bool:
        for life in self._lives:
            life.check()
        return await self._bus.all_is_well(self.journal, self.spools)

    async def _work(self) -> None:
        await self._stir("first")
        await self._hand_over(self._visits.first(), self._scripts.get(HIS, ()))
        await eventually(self._held, timeout=self._patience, message="what must be held is held")
        self._bus.mend()
        await self._bus.release(KEYLESS, self._visits.ma_lk("released"))
        await self._hand_over(self._visits.then())
        if any(len(script) > 1 for script in self._scripts.values()):
            await eventually(lambda: all(life.begun for life in self._lives), timeout=self._patience)
            await self._stir("more")
            await self._hand_over(self._visits.more())

    async def _stir(self, mark: str) -> None:
        """What no visit brings: a slow gateway, and records that nobody can read."""
        await self._bus.slow_down()
        await self._bus.poison(f"{self._number}-{mark}")

    async def _held(self) -> bool:
        found = await self._bus.outside.pool.fetch(_HELD, f"{self._visits.ma_lk('')}%")
        return {row["ma_lk"] for row in found} == {self._visits.ma_lk(n) for n in ("released", "replaced", "hidden")}

    async def _hand_over(self, dossiers: Sequence[Dossier], deaths: Sequence[Point] = ()) -> None:
        """The HIS hands over, dies at each point in turn, and hands over again what it has no receipt for."""
        body = partial(hand_over, dossiers, self.spools, self.journal)
        for point in deaths:
            await self._bus.nursery.start(HIS, body, point).died_at(point)
        child = self._bus.nursery.start(HIS, body, None)
        assert await child.ended(self._patience, "everything is handed over") == 0, child.last_words()


@asynccontextmanager
async def system(addresses: Addresses, home: Path) -> AsyncIterator[Bus]:
    """Parts that are ready for rounds; every effect of a child that has no name in the table fails at the end."""
    register = FacilityRegister(home / "facilities")
    prepare_facilities(register, home / "accounts", FACILITIES)
    await topic_admin.apply(addresses.kafka)
    async with Registry(addresses.schema_registry) as registry:
        for topic in TOPICS:
            await registry.register(topic.name, topic.compatibility)
    async with (
        asyncpg.create_pool(addresses.database, min_size=1, max_size=2) as pool,
        GatewaySimulator(home / "accounts") as simulator,
    ):
        await postgres.migrate(pool)
        async with pool.acquire() as connection:
            await declare_shards(connection)
        environment = _SETTINGS | {
            "HEALTHBOOK_HOME": str(home),
            "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka,
            "HEALTHBOOK_SCHEMA_REGISTRY_URL": addresses.schema_registry,
            "HEALTHBOOK_DATABASE_URL": addresses.database,
            "HEALTHBOOK_GATEWAY_URL": simulator.url,
        }
        log = Log(addresses.kafka)
        try:
            yield Bus(home, Nursery(home, environment), Outside(log, pool, simulator.url), addresses.kafka)
        finally:
            log.close()
