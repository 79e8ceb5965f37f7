"""publish with its adapters, and the visits that it may not show yet."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import structlog

from events.registry import RegistryUnreachableError
from events.serde import Serde, UndecodableError
from events.visit import VisitAccepted
from streams.adapters.facility_policies import FolderPolicies
from streams.adapters.holds import PostgresHolds
from streams.adapters.identities import PostgresIdentities
from streams.adapters.outbox import Outbox
from streams.adapters.publications import LedgerDossiers, PostgresPublications
from streams.config import Settings
from streams.errors import RetryLater
from streams.runtime.loop import Received
from streams.stages.publish import STAGE, held, publish_all

log = structlog.get_logger()

_AT_ONCE = 5000  # accepted visits are small; one facility's must not hide another's


class Publisher:
    """Publishes batches; what a broken privacy list holds up is held, and tried again until the list can be read."""

    def __init__(self, settings: Settings, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde) -> None:
        outbox = Outbox(serde)
        self._serde = serde
        self._dossiers = LedgerDossiers(pool)
        self._facilities = FolderPolicies(settings.facilities_dir)
        self._identities = PostgresIdentities(pool)
        self._publications = PostgresPublications(pool, outbox)
        self._holds = PostgresHolds(pool, outbox)
        self._pause = settings.hold_retry

    async def handle(self, batch: Sequence[Received[VisitAccepted]]) -> Sequence[None]:
        """The batch is published or held, durably, when it returns."""
        reasons = [held(item.event, self._facilities, datetime.now(UTC)) for item in batch]
        pairs = list(zip(batch, reasons, strict=True))
        await self._holds.add([(why, item.record) for item, why in pairs if why is not None])
        await self._publish([item.event for item, why in pairs if why is None])
        return [None] * len(batch)

    async def try_again(self) -> None:
        """For ever: what is held goes on by itself once its facility's list can be read."""
        while True:
            await asyncio.sleep(self._pause)
            try:
                values = await self._holds.waiting(STAGE, _AT_ONCE)
                visits = [await self._serde.decode(VisitAccepted, value) for value in values]
                mended = [visit for visit in visits if held(visit, self._facilities, datetime.now(UTC)) is None]
            except (RetryLater, RegistryUnreachableError, UndecodableError) as error:
                log.warning("held visits could not be tried again", error=type(error).__name__)
                continue
            for visit in mended:
                await self._go_on(visit)

    async def _go_on(self, visit: VisitAccepted) -> None:
        try:
            await self._publish([visit])
            await self._holds.end(STAGE, [visit])
        except Exception as error:  # noqa: BLE001 - it stays held; neither the flow nor the other visits wait for it
            log.warning("a held visit could not be published", visit=visit.key, error=type(error).__name__)

    async def _publish(self, visits: Sequence[VisitAccepted]) -> None:
        if visits:
            await publish_all(visits, self._dossiers, self._facilities, self._identities, self._publications)
