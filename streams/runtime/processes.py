"""Wiring: every process of the bus by its name, with its adapters. Nothing connects at import."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg

from events.deadline import DeadlineChanged
from events.envelope import Event
from events.health_book import HealthBookEntry, HealthBookReminder
from events.registry import Registry, RegistryUnreachableError
from events.serde import Serde
from events.visit import VisitAccepted, VisitClosed, VisitHeld, VisitRefused, VisitRejected, VisitSigned, VisitValidated
from streams.adapters import kafka, postgres
from streams.adapters.attempts import Limits, PostgresAttempts
from streams.adapters.certificates import CertificateEnds
from streams.adapters.clocks import FolderClocks
from streams.adapters.code_lists import FolderLists
from streams.adapters.deadline_figures import PostgresFigures
from streams.adapters.deadline_news import PostgresNews
from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.facilities import FacilityRegister
from streams.adapters.flow import PostgresFlow
from streams.adapters.gateway import GatewayClient
from streams.adapters.holds import PostgresHolds
from streams.adapters.judge import RegisteredJudge
from streams.adapters.ledger import PostgresLedger
from streams.adapters.outbox import Outbox, backlog, declare_shards
from streams.adapters.relay import Relay
from streams.adapters.revisions import PostgresRevisions
from streams.adapters.rhythms import PostgresRhythms
from streams.adapters.signer import SoftwareKeySigner
from streams.adapters.timeline import PostgresTimeline
from streams.config import Settings
from streams.domain.dossier.moments import VIETNAM
from streams.errors import RetryLater
from streams.runtime.backlog import Backlog
from streams.runtime.deadline_gauges import Gauges
from streams.runtime.deadlines import DeadlineProcessor, Store
from streams.runtime.dispatcher import Dispatcher
from streams.runtime.flow import FlowProcessor
from streams.runtime.loop import Loop, Received, Stage, each
from streams.runtime.measure import backlog_shown, faust_backlog, repeated, show_backlog
from streams.runtime.outage_watch import OutageWatch
from streams.runtime.processor import Host, Processor, application
from streams.runtime.publisher import Publisher
from streams.runtime.released import Released
from streams.runtime.service import Health, Work
from streams.sla.calendar import LIST as DAYS_OFF
from streams.sla.calendar import is_working_day
from streams.sla.clocks import CLOSED_TO_RECEIPT, due
from streams.stages.forward import record
from streams.stages.record import RECORDED, story_line
from streams.stages.sign import sign
from streams.stages.validate import validate


@dataclass(frozen=True)
class Parts:
    """What a process has to work with."""

    settings: Settings
    pool: "asyncpg.Pool[asyncpg.Record]"
    serde: Serde


@asynccontextmanager
async def connected(settings: Settings, connections: int = 8) -> AsyncIterator[Parts]:
    """Database and registry. Raises RetryLater while one is away."""
    async with Registry(settings.schema_registry_url) as registry:
        name = settings.instance or "healthbook"
        pool = await postgres.connect(settings.database_url, connections, settings.transaction_idle, name)
        try:
            yield Parts(settings, pool, Serde(registry))
        finally:
            await pool.close()


def stage_work(settings: Settings, build: Callable[[Parts], Stage]) -> Work:
    """A stage on the batch loop as the work of a process."""

    async def work(health: Health, stopping: asyncio.Event) -> None:
        async with connected(settings) as parts:
            loop = _loop(parts, build(parts))
            health.progress = lambda: loop.progress
            show_backlog(loop.name, lambda: loop.backlog)
            running = asyncio.create_task(loop.run())
            health.ready = True
            stop = asyncio.create_task(stopping.wait())
            await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
            loop.stop()
            stop.cancel()
            await running

    return work


def _loop(parts: Parts, stage: Stage) -> Loop:
    return Loop(
        stage,
        parts.settings.kafka_bootstrap_servers,
        parts.serde,
        batch_records=parts.settings.batch_records,
        poison_per_minute=parts.settings.poison_per_minute,
        membership=_membership(parts.settings),
    )


def _membership(settings: Settings) -> kafka.Membership:
    return kafka.Membership(settings.kafka_session, settings.instance)


async def _prepared(serde: Serde, *events: type[Event]) -> None:
    try:
        await serde.prepare(*events)
    except (RegistryUnreachableError, LookupError) as error:
        raise RetryLater(f"schema registry: {error}") from None


def validate_stage(parts: Parts) -> Stage:
    """visit.closed.v1 → visit.validated.v1 | visit.rejected.v1"""
    facilities = parts.settings.facilities_dir
    lists = FolderLists(parts.settings.lists_dir, facilities)
    judge = RegisteredJudge(FacilityRegister(facilities), parts.settings.dossier_max_bytes, lists)
    handle = each(partial(validate, revisions=PostgresRevisions(parts.pool), judge=judge, now=_now))
    return Stage("validate", (VisitClosed,), (VisitValidated, VisitRejected), handle)


def sign_stage(parts: Parts) -> Stage:
    """visit.validated.v1 → visit.signed.v1; what cannot be signed is held, through the outbox."""
    signer = SoftwareKeySigner(FacilityRegister(parts.settings.facilities_dir), _now)
    holds = PostgresHolds(parts.pool, Outbox(parts.serde))
    answer = each(partial(sign, signer=signer, now=_now))

    async def handle(batch: Sequence[Received[Any]]) -> Sequence[Event | None]:
        answers = await answer(batch)
        pairs = list(zip(batch, answers, strict=True))
        await holds.add([(told, item.record) for item, told in pairs if isinstance(told, VisitHeld)])
        await holds.end("sign", [told for told in answers if isinstance(told, VisitSigned)])
        return [None if isinstance(told, VisitHeld) else told for told in answers]

    return Stage("sign", (VisitValidated,), (VisitSigned, VisitHeld), handle)


def sign_work(settings: Settings) -> Work:
    """The stage, and beside it what a person released of its holds."""

    async def work(health: Health, stopping: asyncio.Event) -> None:
        async with connected(settings) as parts:
            loop = _loop(parts, sign_stage(parts))
            producer = kafka.producer(settings.kafka_bootstrap_servers, "sign-released")
            await kafka.start(producer, "sign")
            released = Released("sign", PostgresHolds(parts.pool, Outbox(parts.serde)), producer)
            health.progress = lambda: loop.progress
            show_backlog(loop.name, lambda: loop.backlog)
            health.ready = True
            try:
                async with repeated(CertificateEnds(settings.facilities_dir).show, seconds=60):
                    await _beside(loop, released.bring_back(), stopping)
            finally:
                await producer.stop()

    return work


def forward_work(settings: Settings) -> Work:
    """visit.signed.v1 → the ledger, and the ledger → the gateway: its answers leave through the outbox."""

    async def work(health: Health, stopping: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            parts = await stack.enter_async_context(connected(settings, connections=12))
            await _prepared(parts.serde, VisitAccepted, VisitRefused, VisitHeld)
            known = FolderClocks(settings)
            ledger = PostgresLedger(
                parts.pool,
                lambda closed_at: due(CLOSED_TO_RECEIPT, closed_at, known()),
                timedelta(seconds=settings.send_horizon),
            )
            gateway = await stack.enter_async_context(
                GatewayClient(
                    settings.gateway_url,
                    FacilityRegister(settings.facilities_dir),
                    timeout=settings.gateway_timeout,
                    max_base64_bytes=settings.dossier_max_bytes,
                )
            )
            dispatcher = Dispatcher(
                ledger,
                PostgresAttempts(parts.pool, Outbox(parts.serde)),
                gateway,
                partial(OutageWatch, parts.pool),
                Limits(settings.gateway_per_facility, settings.gateway_rate, timedelta(seconds=settings.gateway_lease)),
                parallel=settings.gateway_parallel,
                scale=settings.retry_scale,
            )

            async def handle(batch: Sequence[Received[VisitSigned]]) -> Sequence[None]:
                await record([item.event for item in batch], ledger)
                return [None] * len(batch)

            stage = Stage("forward", (VisitSigned,), (VisitAccepted, VisitRefused, VisitHeld), handle)
            loop = _loop(parts, stage)
            health.progress = lambda: min(loop.progress, dispatcher.progress)
            show_backlog(loop.name, lambda: loop.backlog + dispatcher.backlog)
            health.ready = True
            async with asyncio.TaskGroup() as group:
                group.create_task(loop.run())
                group.create_task(dispatcher.run(stopping))
                await stopping.wait()
                loop.stop()

    return work


def publish_work(settings: Settings) -> Work:
    """visit.accepted.v1 → health-book.entry.v1, by the outbox; what may not be shown yet is held, and tried again."""

    async def work(health: Health, stopping: asyncio.Event) -> None:
        async with connected(settings) as parts:
            publisher = Publisher(settings, parts.pool, parts.serde)
            stage = Stage("publish", (VisitAccepted,), (HealthBookEntry, VisitHeld), publisher.handle)
            loop = _loop(parts, stage)
            health.progress = lambda: loop.progress
            show_backlog(loop.name, lambda: loop.backlog)
            health.ready = True
            await _beside(loop, publisher.try_again(), stopping)

    return work


def record_stage(parts: Parts) -> Stage:
    """Every topic about a visit → the timeline."""
    timeline = PostgresTimeline(parts.pool)

    async def handle(batch: Sequence[Received[Any]]) -> Sequence[None]:
        await timeline.add(
            [story_line(item.event, item.meta.time if item.meta else item.timestamp, item.timestamp) for item in batch]
        )
        return [None] * len(batch)

    return Stage("record", RECORDED, (), handle)


def relay_work(settings: Settings) -> Work:
    """The relay as the work of a process."""

    async def work(health: Health, stopping: asyncio.Event) -> None:
        async with connected(settings, connections=24) as parts:
            async with parts.pool.acquire() as connection:
                await declare_shards(connection)
            relay = Relay(parts.pool, settings.kafka_bootstrap_servers, settings.outbox_keep, settings.relay_lease)
            health.progress = lambda: relay.progress

            async def waiting() -> Backlog:
                return Backlog(*await backlog(parts.pool))

            async with backlog_shown("relay", waiting):
                await _until(stopping, health, relay.run())

    return work


def processor_work(settings: Settings, build: Callable[[Parts, Any], Processor], *writes: type[Event]) -> Work:
    """A processor on Faust as the work of a process; `build` gets a producer for what it `writes`."""

    async def work(health: Health, stopping: asyncio.Event) -> None:
        async with connected(settings) as parts:
            await _prepared(parts.serde, *writes)
            producer = kafka.producer(settings.kafka_bootstrap_servers, "processor")
            await kafka.start(producer, "processor")
            try:
                processor = build(parts, producer)
                host = Host(processor, parts.serde, producer, settings.poison_per_minute)
                health.progress = lambda: host.progress
                folder = settings.home / "faust"
                app = application(host, processor, settings.kafka_bootstrap_servers, folder, _membership(settings))
                await app.start()
                health.ready = True
                async with backlog_shown(processor.name, lambda: faust_backlog(app, host.oldest)):
                    await stopping.wait()
                await app.stop()
            finally:
                await producer.stop()

    return work


def deadlines_processor(parts: Parts, producer: Any) -> Processor:
    """The events that move a clock → deadline.changed.v1, health-book.reminder.v1."""
    settings = parts.settings
    known = FolderClocks(settings)
    lists = FolderLists(settings.lists_dir, settings.facilities_dir)
    store = Store(
        PostgresDeadlines(parts.pool, known, decreed=partial(lists.on, DAYS_OFF)),
        PostgresNews(parts.pool),
        Gauges(PostgresFigures(parts.pool), known),
    )
    return DeadlineProcessor(store, parts.serde, producer)


def flow_processor(parts: Parts, producer: Any) -> Processor:
    """Every step of a visit → counts of what passes, closed = sum of outcomes, who is silent: tables and metrics."""
    del producer  # it writes no topic
    lists = FolderLists(parts.settings.lists_dir, parts.settings.facilities_dir)
    decreed = partial(lists.on, DAYS_OFF)
    return FlowProcessor(
        PostgresFlow(parts.pool),
        PostgresRhythms(parts.pool),
        lambda at: is_working_day(at.astimezone(VIETNAM).date(), decreed),
    )


async def _beside(loop: Loop, endless: Coroutine[Any, Any, None], stopping: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run())
        other = group.create_task(endless)
        await stopping.wait()
        loop.stop()
        other.cancel()


async def _until(stopping: asyncio.Event, health: Health, work: Awaitable[None]) -> None:
    running = asyncio.ensure_future(work)
    health.ready = True
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not running.done():
        running.cancel()
        await asyncio.wait({running})
        return
    await running


def _now() -> datetime:
    return datetime.now(UTC)


PROCESSES: dict[str, Callable[[Settings], Work]] = {
    "validate": lambda settings: stage_work(settings, validate_stage),
    "sign": sign_work,
    "forward": forward_work,
    "publish": publish_work,
    "record": lambda settings: stage_work(settings, record_stage),
    "relay": relay_work,
    "deadlines": lambda settings: processor_work(settings, deadlines_processor, DeadlineChanged, HealthBookReminder),
    "flow": lambda settings: processor_work(settings, flow_processor),
}
"""Every process of the bus by its name."""
