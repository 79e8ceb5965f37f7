"""What a dispatcher does about outages: finds them, tells them as metrics, and starts with care after one."""

import time

import asyncpg
import structlog

from streams.adapters.outage_finder import OutageFinder
from streams.adapters.outages import running
from streams.domain.outage import Outage, Side
from streams.metrics import OUTAGE_OPEN
from streams.runtime.breakers import Breakers

log = structlog.get_logger()

LOOK_SECONDS = 1.0


class OutageWatch:
    """Looks at the ledger of outages now and then. It keeps nothing that must survive.

    Sending itself pauses in the claim (`streams/adapters/attempts.py`), to the moment and for all dispatchers.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", breakers: Breakers) -> None:
        self._pool = pool
        self._finder = OutageFinder(pool)
        self._breakers = breakers
        self.maintenance = False
        """A maintenance of the gateway lasts: nobody has to look although nothing is sent."""

    async def begin(self) -> None:
        """A dispatcher that starts in an outage asks with one send whether it is over, not with all at once."""
        if _of_gateway(await running(self._pool)):
            self._breakers.doubt(time.monotonic())

    async def look(self) -> None:
        """Once. Raises RetryLater while the database is away."""
        outages = await running(self._pool)
        _tell(outages)
        now, gateway = time.monotonic(), _of_gateway(outages)
        self.maintenance = any(outage.announced for outage in gateway)
        if self.maintenance:
            self._breakers.doubt(now)  # what is sent first when it ends finds out whether all may follow
        elif self._breakers.failing(now) or any(outage.proof for outage in gateway):
            changed = await self._finder.look(failing=self._breakers.failing(now))
            if changed is not None:
                ended = changed.until_at and changed.until_at.isoformat()
                log.warning("outage", outage=changed.id, began=changed.from_at.isoformat(), ended=ended)


def _of_gateway(outages: list[Outage]) -> list[Outage]:
    return [outage for outage in outages if outage.subject is Side.GATEWAY]


def _tell(outages: list[Outage]) -> None:
    running_now = {(outage.subject, outage.announced) for outage in outages}
    for subject in Side:
        for announced in (True, False):
            OUTAGE_OPEN.labels(subject, str(announced).lower()).set((subject, announced) in running_now)
