"""What a hospital system plugs in: hand a closed visit over, and forget about it (INTERFACE §4)."""

import asyncio
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from events.his.addresses import find_addresses
from events.his.errors import DossierError, RefusedError
from events.his.publisher import Publisher
from events.his.source import DossierInput, Source, read_dossier, visit_key
from events.his.spool import DEFAULT_LIMIT, HandOver, SpoolLoad
from events.his.store import Store

WAITING = "WAITING"
_MOST_REVISION = 2**62
"""Below the largest integer of SQLite and Avro, so that there is room for the next one."""
_EARLIEST, _AHEAD = datetime(2000, 1, 1, tzinfo=UTC), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The visit is durable in the spool. `repeated`: exactly this was handed over before, nothing new is sent.
    `ignored` names the files beside the dossier that are no part of it.
    """

    event_id: UUID
    revision: int
    ma_lk: str
    repeated: bool = False
    ignored: tuple[str, ...] = ()
    position: int | None = field(default=None, repr=False, compare=False)


class SharedAdapter:
    """Connection of any number of facilities to the bus, with one spool between them.

    `spool` is a folder for this process alone, `spool_limit` the most bytes of dossiers that may wait in it, `name`
    what the broker's log calls this client. Addresses not given come from HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS and
    HEALTHBOOK_SCHEMA_REGISTRY_URL, else from the system that runs under HEALTHBOOK_HOME; the bus may be away, also at
    the start. Use it as `async with`; leaving ends the sending at once, what is left goes out the next time.
    """

    def __init__(
        self,
        spool: str | os.PathLike[str],
        bootstrap_servers: str | None = None,
        schema_registry: str | None = None,
        *,
        spool_limit: int = DEFAULT_LIMIT,
        name: str = "shared",
    ) -> None:
        self._store = Store(Path(spool), spool_limit)
        self._publisher = Publisher(
            self._store, lambda: find_addresses(bootstrap_servers, schema_registry), f"healthbook-his-{name}"
        )

    async def __aenter__(self) -> Self:
        """Opens the spool. Raises SpoolError, SpoolFullError; never fails because the bus is away."""
        await self._store.open()
        self._publisher.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._publisher.stop()
        await self._store.close()

    async def hand_over(
        self,
        facility: str,
        source: Source,
        *,
        revision: int | None = None,
        closed_at: datetime | None = None,
        again: bool = False,
    ) -> Receipt:
        """Hands one dossier of `facility` over; durable on this machine when it returns, on the bus soon after.

        `source`: a folder of table files, a zip of them or an envelope (path or bytes), or `{"XML1": bytes, …}`.
        `revision`: the rising number of the HIS; without it the spool gives one, and the same bytes again are the same
        revision. `closed_at`: aware, not in the future; without it now. `again`: what was handed over before is sent
        once more, as the same revision, after it was rejected or held for a reason outside of the dossier. Many calls
        at once share the disk's work. Raises DossierError, SpoolFullError, SpoolError; then nothing was taken.
        """
        _check_facility(facility)
        if revision is not None and not 0 < revision <= _MOST_REVISION:
            raise DossierError("REVISION")
        if closed_at is not None and (
            closed_at.tzinfo is None or not _EARLIEST <= closed_at <= datetime.now(UTC) + _AHEAD
        ):
            raise DossierError("CLOSED_AT")
        self.check()
        dossier, ma_lk, digest = await asyncio.to_thread(_read, source)
        placed = await self._store.put(
            HandOver(facility, ma_lk, revision, closed_at or datetime.now(UTC), digest, dossier, again)
        )
        self._publisher.wake()
        return Receipt(placed.event_id, placed.revision, ma_lk, placed.repeated, dossier.ignored, placed.position)

    async def flush(self) -> None:
        """Returns when everything handed over before is on the bus; waits as long as the bus is away.

        Raises RefusedError when the broker will never take some of it (all the rest is on the bus then), SpoolError.
        """
        last = await self._store.last()
        while True:
            moved = self._publisher.moved
            if not await self._store.waiting(last):
                break
            self.check()
            await moved.wait()
        refused = await self._store.refused()
        if refused:
            raise RefusedError(refused[0].reason, tuple((item.facility, item.ma_lk, item.revision) for item in refused))

    async def state(self, receipt: Receipt) -> str | None:
        """`WAITING`, the code of RefusedError when the broker will never take it, or None: it is on the bus."""
        return None if receipt.position is None else await self._store.reason(receipt.position)

    async def drop(self, receipt: Receipt) -> None:
        """Gives up a refused entry, because a person keeps the dossier elsewhere; handed over again it is new."""
        if receipt.position is not None:
            await self._store.drop(receipt.position)

    async def load(self) -> SpoolLoad:
        """What is in the spool now, of all facilities together."""
        return await self._store.load()

    def check(self) -> None:
        """Raises SpoolError when the spool can no longer be used: nothing is sent any more then."""
        self._publisher.check()

    @property
    def trouble(self) -> str | None:
        """Why nothing reaches the bus at the moment (BUS_AWAY, REGISTRY_AWAY, …), None when it does."""
        return self._publisher.trouble


class Adapter(SharedAdapter):
    """Connection of one facility to the bus, with its spool: `facility` is MA_CSKCB (5 characters)."""

    def __init__(
        self,
        facility: str,
        spool: str | os.PathLike[str],
        bootstrap_servers: str | None = None,
        schema_registry: str | None = None,
        *,
        spool_limit: int = DEFAULT_LIMIT,
    ) -> None:
        _check_facility(facility)
        self.facility = facility
        super().__init__(spool, bootstrap_servers, schema_registry, spool_limit=spool_limit, name=facility)

    async def close_visit(
        self,
        source: Source,
        *,
        revision: int | None = None,
        closed_at: datetime | None = None,
        again: bool = False,
    ) -> Receipt:
        """Hands one dossier of this facility over; see `hand_over`."""
        return await self.hand_over(self.facility, source, revision=revision, closed_at=closed_at, again=again)


def _check_facility(code: str) -> None:
    if not (len(code) == 5 and code.isascii() and code.isalnum()):
        raise DossierError("FACILITY_CODE")


def _read(source: Source) -> tuple[DossierInput, str, bytes]:
    dossier = read_dossier(source)
    return dossier, visit_key(dossier), dossier.digest
