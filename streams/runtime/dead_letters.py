"""Dead letters: a record that its reader cannot use goes to `<topic>.dlq`, whole, with the reason in its headers."""

import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

from events.topics import DLQ_SUFFIX
from streams.adapters import kafka
from streams.domain.dead_letter import Place, aside_headers
from streams.errors import Fatal, Reason, RetryLater
from streams.metrics import DEAD_LETTERS

_REMEMBERED = 2000
_KEPT_HEADERS = ("content-type", "traceparent", "__value_schema_id")


class DeadLetters:
    """The dead letters of one stage. Beyond a limit in a minute it stops the stage: then it is us who are broken."""

    def __init__(self, stage: str, producer: Any, per_minute: int) -> None:
        self._stage = stage
        self._producer = producer
        self._per_minute = per_minute
        self._recent: deque[float] = deque()
        self._put: deque[tuple[str, int, int]] = deque(maxlen=_REMEMBERED)

    async def put(self, record: Any, reason: Reason) -> None:
        """Returns when the broker has it. Raises RetryLater; Fatal beyond the limit, with nothing put aside.

        A batch that comes again brings its bad records again: they are put aside, and counted, once. One that is too
        large for the broker is put aside without its value; where the whole of it lies, its headers tell.
        """
        where = (record.topic, record.partition, record.offset)
        if where in self._put:
            return
        self._count()
        # Of the origin's headers only those that are ours: a foreign one may say anything.
        kept = [
            (name, value)
            for name, value in record.headers
            if value is not None and (name.startswith("ce_") or name in _KEPT_HEADERS)
        ]
        headers = kept + aside_headers(Place(*where), self._stage, reason, datetime.now(UTC))
        try:
            try:
                await self._send(record, record.value, headers)
            except kafka.TOO_LARGE:
                await self._send(record, None, headers)
        except kafka.AWAY as error:
            raise RetryLater(f"dead letter: {type(error).__name__}") from error
        self._put.append(where)
        DEAD_LETTERS.labels(record.topic, self._stage, str(reason)).inc()

    async def _send(self, record: Any, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        await self._producer.send_and_wait(record.topic + DLQ_SUFFIX, key=record.key, value=value, headers=headers)

    def _count(self) -> None:
        now = time.monotonic()
        self._recent.append(now)
        while self._recent[0] < now - 60:
            self._recent.popleft()
        if len(self._recent) > self._per_minute:
            raise Fatal(
                f"{self._stage}: more than {self._per_minute} dead letters within a minute. Look at them with"
                " `healthbook dlq list` before starting again; the limit is HEALTHBOOK_POISON_PER_MINUTE"
            )
