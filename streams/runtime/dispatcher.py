"""The dispatcher: says when an attempt is made, and by whom (DESIGN §4, GATEWAY §12).

Claims due revisions in batches, sends each as one task, writes results in batches. It holds nothing that must survive:
after a crash the leases of its attempts end, and another dispatcher sends the same bytes again.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from streams import tracing
from streams.adapters.attempts import LEASE_EXPIRED, LEASE_LOST, Limits, PostgresAttempts
from streams.adapters.coalescer import Coalescer
from streams.adapters.ledger import PostgresLedger
from streams.cancellation import heed_cancellation
from streams.domain.breaker import LONGEST, PAUSE, Breaker, Position
from streams.domain.gateway_result import Reply, ResultClass
from streams.domain.submission import Later, Result, State, Submission, backoff
from streams.errors import RetryLater
from streams.metrics import BREAKER_OPEN, EVENTS, HELD
from streams.runtime.backlog import Backlog
from streams.runtime.breakers import NOT_SENT, Breakers
from streams.runtime.outage_watch import LOOK_SECONDS, OutageWatch
from streams.stages.forward import Gateway, forward, outcome

T = TypeVar("T")

log = structlog.get_logger()

STAGE = "forward"
PACE_SECONDS = 0.02  # between two claims while there is work: places that became free are filled together
POLL_SECONDS = 0.1  # between two looks for work
SWEEP_SECONDS = 1.0
MEASURE_SECONDS = 5.0


class Dispatcher:
    """Sends what the ledger owes. Any number of them may run: limits, fences and leases are in the database.

    `parallel` bounds the sends of this process, `scale` multiplies waiting times (tests), `chance` draws the jitter.
    """

    def __init__(
        self,
        ledger: PostgresLedger,
        attempts: PostgresAttempts,
        gateway: Gateway,
        watch: Callable[[Breakers], OutageWatch],
        limits: Limits,
        *,
        parallel: int,
        scale: float = 1.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._attempts = attempts
        self._gateway = gateway
        self._limits = limits
        self._parallel = parallel
        self._scale = scale
        self._chance = chance
        self._in_flight: dict[tuple[int, int], _Flight] = {}
        pause, longest = PAUSE * scale, LONGEST * scale
        self._breakers = Breakers(Breaker(3, pause, longest), Breaker(10, pause, longest))
        self._watch = watch(self._breakers)
        self._mine = Coalescer(attempts.mine)
        self._finish = Coalescer(attempts.finish)
        self.progress = time.monotonic()
        self.backlog = Backlog()

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set; then waits for the answers to what is in flight, and writes them."""
        await self._insist(self._watch.begin)
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(self._every(LOOK_SECONDS, self._watch.look)),
                group.create_task(self._every(SWEEP_SECONDS, self._sweep)),
                group.create_task(self._every(MEASURE_SECONDS, self._measure)),
                group.create_task(self._every(self._limits.lease.total_seconds() / 3, self._renew)),
            ]
            sends: set[asyncio.Task[None]] = set()
            while not stopping.is_set():
                self.progress = time.monotonic()
                # The database began the lease after this moment: ours ends first, whatever its clock says.
                until = asyncio.get_running_loop().time() + self._limits.lease.total_seconds()
                claimed = await self._insist(self._claim)
                for submission in claimed:
                    flight = _Flight(submission, until)
                    self._in_flight[flight.key] = flight
                    task = group.create_task(self._attempt(flight))
                    sends.add(task)
                    task.add_done_callback(sends.discard)
                await asyncio.sleep(PACE_SECONDS if claimed else POLL_SECONDS)
            if sends:
                await asyncio.wait(sends)
            for task in background:
                task.cancel()

    async def _claim(self) -> list[Submission]:
        now = time.monotonic()
        position = self._breakers.gateway(now)
        BREAKER_OPEN.set(self._breakers.away(now) and not self._watch.maintenance)
        free = self._parallel - len(self._in_flight)
        if position is not Position.CLOSED:
            free = 1 if position is Position.HALF_OPEN and not self._in_flight else 0
        if free <= 0:
            return []
        return await self._attempts.claim(
            free,
            self._limits,
            self._breakers.stopped(now),
            self._breakers.probing(now),
            probe=position is Position.HALF_OPEN,
        )

    async def _attempt(self, flight: "_Flight") -> None:
        try:
            result = await self._send(flight)
            if result.reply.code != NOT_SENT:
                tracing.attempted(result)
            self._breakers.note(flight.submission, result.reply, time.monotonic())
            await self._conclude(result)
        finally:
            del self._in_flight[flight.key]

    async def _send(self, flight: "_Flight") -> Result:
        submission = flight.submission
        if not await self._insist(lambda: self._mine(submission)):
            return Result(submission, Reply(ResultClass.TEMPORARY, NOT_SENT), Later())
        try:
            # A send that outlives its lease could land behind a newer revision, which another dispatcher sends then.
            async with asyncio.timeout_at(flight.until) as flight.bound:
                try:
                    return await forward(submission, self._gateway)
                finally:
                    flight.bound = None  # a bound that was left cannot be moved any more
        except TimeoutError:
            return _judged(submission, LEASE_LOST)
        except Exception as error:  # noqa: BLE001 - one dossier that our client cannot bear must not stop the others
            log.error("attempt failed by our own fault", visit=submission.visit.key, error=type(error).__name__)
            return _judged(submission, "CLIENT_ERROR")

    async def _conclude(self, result: Result) -> None:
        """Writes what an attempt brought, together with whatever else is ready to be written."""
        submission, reply = result.submission, result.reply
        left = submission.due_at - submission.started_at
        wait = backoff(submission.attempt, self._chance(), self._scale, left)
        if isinstance(result.outcome, Later):
            wait = max(wait, result.outcome.at_least)
        state = await self._insist(lambda: self._finish((result, wait)))
        log.info(
            "attempt",
            visit=submission.visit.key,
            revision=submission.visit.revision,
            attempt=submission.attempt,
            result=reply.result,
            code=reply.code,
            state=state or "fence lost",
            seconds=round(reply.duration.total_seconds(), 3),
        )
        _count(result, state)

    async def _sweep(self) -> None:
        """An attempt without a result whose lease has ended is UNKNOWN, not "not sent" (GATEWAY §12.3)."""
        for submission in await self._attempts.expired():
            await self._conclude(_judged(submission, LEASE_EXPIRED))

    async def _renew(self) -> None:
        flights = list(self._in_flight.values())
        if flights:
            until = asyncio.get_running_loop().time() + self._limits.lease.total_seconds()
            kept = await self._attempts.renew([flight.submission for flight in flights], self._limits.lease)
            for flight in flights:
                if flight.key in kept:
                    flight.renewed(until)

    async def _measure(self) -> None:
        waiting, oldest, held = await self._ledger.backlog()
        self.backlog = Backlog(waiting, oldest)
        HELD.clear()
        for reason, number in held.items():
            HELD.labels(reason).set(number)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._insist(work)
            await asyncio.sleep(seconds)

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does it; while the database is away, again and again: waiting is no reason to be restarted."""
        while True:
            try:
                return await work()
            except RetryLater as trouble:
                heed_cancellation()
                self.progress = time.monotonic()
                log.warning("waiting for a part", cause=str(trouble), seconds=trouble.after)
                await asyncio.sleep(trouble.after)


class _Flight:
    """An attempt that this process makes, and until when it is certainly ours (seconds of the event loop's clock)."""

    def __init__(self, submission: Submission, until: float) -> None:
        self.submission = submission
        self.until = until
        self.bound: asyncio.Timeout | None = None

    @property
    def key(self) -> tuple[int, int]:
        return self.submission.id, self.submission.attempt

    def renewed(self, until: float) -> None:
        """The database gave the lease again."""
        self.until = until
        if self.bound is not None and not self.bound.expired():
            self.bound.reschedule(until)


def _judged(submission: Submission, code: str) -> Result:
    reply = Reply(ResultClass.UNKNOWN, code, duration=timedelta())
    return Result(submission, reply, outcome(submission, reply))


def _count(result: Result, state: State | None) -> None:
    if isinstance(result.outcome, Later) or state != result.happening.value:
        return
    EVENTS.labels(STAGE, result.outcome.topic).inc()
