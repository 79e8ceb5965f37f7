"""Ledger, gateway simulator and dispatcher of one test of forward; looks at the gateway only through `/_sim`."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

import aiohttp
import asyncpg

from events.serde import Serde
from events.visit import TableFile, VisitAccepted, VisitClosed, VisitHeld, VisitRefused, VisitSigned, VisitValidated
from streams.adapters.attempts import Limits, PostgresAttempts
from streams.adapters.facilities import FacilityRegister
from streams.adapters.gateway import GatewayClient
from streams.adapters.judge import RegisteredJudge
from streams.adapters.ledger import PostgresLedger, attempts_of
from streams.adapters.outbox import Outbox
from streams.adapters.signer import SoftwareKeySigner
from streams.domain.dossier.history import EarlierDossiers
from streams.domain.dossier.sample import Trait, VisitKind, new_dossier
from streams.runtime.dispatcher import Dispatcher
from streams.runtime.outage_watch import OutageWatch
from streams.simulators.gateway.clock import VirtualClock
from streams.simulators.gateway.server import GatewaySimulator
from streams.stages.sign import sign
from streams.stages.validate import decide
from tests.support import gateway_simulator as kit
from tests.support.eventually import eventually

FACILITY, OTHER = "01999", "48999"
DISCHARGED = datetime.now(UTC) - timedelta(minutes=30)
"""One moment for all: the same visit again has the same content, also when a minute has passed meanwhile."""
_INSTANTS = {
    "submission": ("closed_at", "due_at", "give_up_at", "next_attempt_at", "added_at", "changed_at", "lease_until"),
    "submission_attempt": ("started_at",),
    "outage": ("from_at", "until_at"),
}
FINAL = {"ACCEPTED", "REFUSED", "HELD", "SUPERSEDED", "NOT_DUE"}


def in_a_quarter_of_an_hour(closed_at: datetime) -> datetime:
    """When the receipt is due."""
    return closed_at + timedelta(minutes=15)


@dataclass
class Bench:
    """Ledger, gateway and dispatcher of one test."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    register: FacilityRegister
    serde: Serde
    simulator: GatewaySimulator
    horizon: timedelta = timedelta(days=1)

    @property
    def ledger(self) -> PostgresLedger:
        return PostgresLedger(self.pool, in_a_quarter_of_an_hour, self.horizon)

    def validated(
        self,
        seed: int,
        *,
        facility: str = FACILITY,
        revision: int = 1,
        closed: datetime | None = None,
        discharged: datetime | None = None,
        advice: int = 0,
        traits: Collection[Trait] = (),
    ) -> VisitValidated:
        """An invented visit that passed validation; another `advice` is another content of it."""
        sample = new_dossier(
            seed + 1000 * advice,
            facility=facility,
            kind=VisitKind.EXAM,
            insured=True,
            discharged_at=discharged or DISCHARGED,
            size=6,
            ma_lk=f"TEST-{seed}",
            traits=traits,
        )
        tables = tuple(TableFile(kind, content) for kind, content in sample.tables)
        visit = VisitClosed(facility, sample.ma_lk, revision, closed or _now(), tables=tables, envelope=None)
        judge = RegisteredJudge(self.register, 2**24)
        verdict = judge.judge(visit, judge.open(visit, _now()), EarlierDossiers())
        validated = decide(visit, "", verdict, conflict=False)
        assert isinstance(validated, VisitValidated), validated
        return validated

    async def sign(self, visit: VisitValidated) -> VisitSigned:
        done = await sign(visit, SoftwareKeySigner(self.register, _now), _now)
        assert isinstance(done, VisitSigned), done
        return done

    async def signed(self, seed: int, **given: Any) -> VisitSigned:
        """`validated`, signed by the facility."""
        return await self.sign(self.validated(seed, **given))

    @asynccontextmanager
    async def dispatching(
        self, *, timeout: float = 10.0, parallel: int = 16, max_base64_bytes: int = 20 * 1024 * 1024, **limits: Any
    ) -> AsyncIterator[Dispatcher]:
        client = GatewayClient(self.simulator.url, self.register, timeout=timeout, max_base64_bytes=max_base64_bytes)
        async with client:
            dispatcher = Dispatcher(
                self.ledger,
                PostgresAttempts(self.pool, Outbox(self.serde)),
                client,
                partial(OutageWatch, self.pool),
                Limits(**{"per_facility": 5, "rate": 500.0, "lease": timedelta(seconds=30), **limits}),
                parallel=parallel,
                scale=0.01,
            )
            stopping = asyncio.Event()
            running = asyncio.create_task(dispatcher.run(stopping))
            try:
                yield dispatcher
            finally:
                stopping.set()
                await asyncio.wait_for(running, 30)

    async def states(self) -> dict[tuple[str, int], str]:
        rows = await self.pool.fetch("select ma_lk, revision, state from submission")
        return {(row["ma_lk"], row["revision"]): row["state"] for row in rows}

    async def settled(self, *visits: VisitSigned) -> dict[tuple[str, int], str]:
        """Once these visits (by default all) have their last word: the states of all."""
        named = {(visit.ma_lk, visit.revision) for visit in visits}

        async def look() -> dict[tuple[str, int], str]:
            found = await self.states()
            waited_for = {key: state for key, state in found.items() if key in named or not named}
            assert set(waited_for.values()) <= FINAL, found
            return found

        return await eventually(look, timeout=60, message="every revision has its last word")

    async def events(self) -> Counter[str]:
        return Counter(row["topic"] for row in await self.pool.fetch("select topic from outbox"))

    async def told(self, visit: VisitSigned) -> list[VisitAccepted | VisitRefused | VisitHeld]:
        """The events about one revision, in the order in which they leave."""
        types: Mapping[str, Any] = {kind.topic: kind for kind in (VisitAccepted, VisitRefused, VisitHeld)}
        rows = await self.pool.fetch("select topic, value from outbox where key = $1 order by created_at", visit.key)
        found = [await self.serde.decode(types[row["topic"]], row["value"]) for row in rows]
        return [event for event in found if event.revision == visit.revision]

    async def attempts(self, visit: VisitSigned) -> list[dict[str, Any]]:
        """Of this revision, oldest first."""
        found = await attempts_of(self.pool, visit.facility, visit.ma_lk)
        return [attempt for attempt in found if attempt["revision"] == visit.revision]

    # ---- the gateway, from outside ----------------------------------------------------------------------------------

    async def sim(self, path: str, document: Any = None, *, method: str = "GET") -> Any:
        """`/_sim/…` of the simulator."""
        url = f"{self.simulator.url}/_sim/{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=document) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def fault(self, name: str, **options: Any) -> None:
        await self.sim("faults", {"fault": name, **options}, method="POST")

    async def window(self, name: str) -> None:
        """The gateway's sending window from now on."""
        await self.sim("rules", {"window": name}, method="POST")

    async def pass_time(self, by: timedelta) -> None:
        """The gateway's clock goes on, and with it our waits between attempts."""
        await self.sim("clock", {"advance": by.total_seconds()}, method="POST")
        await self.pool.execute("update submission set next_attempt_at = next_attempt_at - $1::interval", by)

    async def earlier(self, by: timedelta) -> None:
        """All that happened so far happened that much earlier: time passed, for ledger and outages."""
        for table, columns in _INSTANTS.items():
            moved = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
            await self.pool.execute(f"update {table} set {moved}", by)  # noqa: S608 - constants

    async def mend(self) -> None:
        """The gateway is well again."""
        await self.sim("faults", method="DELETE")

    async def versions(self, visit: VisitSigned) -> list[dict[str, Any]]:
        """What the gateway holds of a visit, oldest first."""
        found: list[dict[str, Any]] = await self.sim(f"hoso?maCSKCB={visit.facility}&maLK={visit.ma_lk}")
        return found

    async def answers(self, operation: str) -> dict[str, int]:
        """How often the gateway answered a function with what."""
        stats = await self.sim("stats")
        found: dict[str, int] = stats["answers"].get(operation, {})
        return found

    async def took(self) -> int:
        """How often a session was asked for."""
        return sum((await self.answers("take")).values())

    def caller(self, code: str) -> kit.Facility:
        """A facility that calls the gateway by itself, past the product."""
        return kit.Facility(code, self.simulator.url, self.register.gateway_password_hash(code))

    async def accepted(self, *visits: VisitSigned, receipts: int = 1) -> None:
        """Each is accepted, told once, and the gateway has one effective version of it, from so many receipts of the
        same bytes."""
        for visit in visits:
            (event,) = await self.told(visit)
            assert isinstance(event, VisitAccepted), event
            versions = await self.versions(visit)
            assert [version["state"] for version in versions] == ["replaced"] * (receipts - 1) + ["current"]
            assert {version["sha256"] for version in versions} == {visit.envelope_sha256}
            assert event.transaction_code in {version["maGiaoDich"] for version in versions}
            assert (await self.states())[visit.ma_lk, visit.revision] == "ACCEPTED"
            attempts = await self.attempts(visit)
            assert {attempt["envelope_sha256"] for attempt in attempts} == {visit.envelope_sha256}
            assert [attempt["code"] for attempt in attempts].count("200") == 1


class Benches(Protocol):
    """The fixture `bench`."""

    def __call__(
        self,
        *faults: str,
        horizon: timedelta = ...,
        profile: str = ...,
        rules: Mapping[str, str] | None = ...,
        seed: int = ...,
        clock: VirtualClock | None = ...,
    ) -> AbstractAsyncContextManager[Bench]: ...


def _now() -> datetime:
    return datetime.now(UTC)
