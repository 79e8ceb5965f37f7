"""Kills its own process at one crash point. Nothing of this is in the product: the libraries are wrapped instead.

Each wrapper sits on the call of a library that makes an effect durable, and finds on the stack whose effect it is.
`Trap.unnamed` collects effects that have no name in `table.py`: what `effects.py` overlooked in the sources.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from functools import partial, partialmethod
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import aiohttp
import aiokafka
import asyncpg.transaction

from tests.crashpoints.effects import HELPERS, writes
from tests.crashpoints.exemptions import exempt
from tests.crashpoints.points import Effect, Moment, Point, Site
from tests.crashpoints.table import STEPS

T = TypeVar("T")

_ASSIGNED = "select pg_current_xact_id_if_assigned() is not null"
"""Whether the transaction changed anything: one that only looked is no effect."""


class Trap:
    """Armed with a point, or with None: then it only looks for effects without a name."""

    def __init__(self, process: str, point: Point | None, marker: Path, unnamed: Path) -> None:
        self._process = process
        self._point = point
        self._marker = marker
        self._unnamed = unnamed
        self._known = {step.site for step in STEPS if step.process == process}

    def at(self, moment: Moment, site: Site) -> None:
        """Does not return where this process shall die."""
        if self._point is not None and (moment, site) == (self._point.moment, self._point.step.site):
            self._marker.write_text(str(self._point), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # of another thread: not one step further
        if site.place and site not in self._known and not exempt(site):
            with self._unnamed.open("a", encoding="utf-8") as file:
                file.write(f"{self._process}: {site}\n")

    def set(self) -> None:
        """Wraps the libraries."""
        self._set_in_kafka()
        self._set_in_postgres()
        self._set_in_http()
        self._set_on_disk()

    async def _around(self, effect: Effect, work: Callable[[], Awaitable[T]]) -> T:
        site = Site(_place(sys._getframe(1)), effect)
        self.at(Moment.BEFORE, site)
        done = await work()
        self.at(Moment.AFTER, site)
        return done

    def _set_in_kafka(self) -> None:
        producer, consumer = aiokafka.AIOKafkaProducer, aiokafka.AIOKafkaConsumer
        send, start, commit_transaction, commit = (
            producer.send,
            producer.start,
            producer.commit_transaction,
            consumer.commit,
        )

        async def sending(own: Any, *args: Any, **more: Any) -> "asyncio.Future[Any]":
            site = Site(_place(sys._getframe(1)), Effect.SEND)
            self.at(Moment.BEFORE, site)
            answer: asyncio.Future[Any] = await send(own, *args, **more)
            answer.add_done_callback(partial(self._acknowledged, site))
            return answer

        async def starting(own: Any) -> None:
            if own._txn_manager is None or own._txn_manager.transactional_id is None:
                await start(own)
            else:
                await self._around(Effect.FENCE, partial(start, own))

        async def committing_transaction(own: Any) -> None:
            await self._around(Effect.TRANSACTION, partial(commit_transaction, own))

        async def committing(own: Any, *args: Any) -> None:
            await self._around(Effect.OFFSETS, partial(commit, own, *args))

        producer.send, producer.start, producer.commit_transaction = sending, starting, committing_transaction
        consumer.commit = committing

    def _acknowledged(self, site: Site, answer: "asyncio.Future[Any]") -> None:
        if not answer.cancelled() and answer.exception() is None:
            self.at(Moment.AFTER, site)

    def _set_in_postgres(self) -> None:
        transaction, connection = asyncpg.transaction.Transaction, asyncpg.Connection
        leave = transaction.__aexit__

        async def leaving(own: Any, kind: Any, error: Any, trace: Any) -> None:
            if kind is None and await own._connection.fetchval(_ASSIGNED):
                await self._around(Effect.COMMIT, partial(leave, own, kind, error, trace))
            else:
                await leave(own, kind, error, trace)

        async def stating(own: Any, sql: str, *args: Any, original: Any, **more: Any) -> Any:
            if own.is_in_transaction() or not writes(sql):
                return await original(own, sql, *args, **more)
            async with own.transaction():  # what commits by itself commits in our sight
                return await original(own, sql, *args, **more)

        setattr(transaction, "__aexit__", leaving)  # noqa: B010 - mypy takes no assignment to a method
        for name in ("execute", "fetch", "fetchrow", "fetchval"):
            setattr(connection, name, partialmethod(stating, original=getattr(connection, name)))

    def _set_in_http(self) -> None:
        request = aiohttp.ClientSession._request

        async def requesting(own: Any, method: str, *args: Any, **more: Any) -> Any:
            if method == "GET":
                return await request(own, method, *args, **more)
            return await self._around(Effect.POST, partial(request, own, method, *args, **more))

        setattr(aiohttp.ClientSession, "_request", requesting)  # noqa: B010

    def _set_on_disk(self) -> None:
        trap = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                alone = writes(sql) and not self.in_transaction
                return trap._around_disk(alone or sql == "COMMIT", partial(super().execute, sql, *args))

            def executescript(self, script: str) -> sqlite3.Cursor:
                return trap._around_disk(True, partial(super().executescript, script))

        def moving(path: Path, *args: Any, original: Callable[..., Any], **more: Any) -> Any:
            site = Site(_place(sys._getframe(1)), Effect.FILE)
            trap.at(Moment.BEFORE, site)
            done = original(path, *args, **more)
            trap.at(Moment.AFTER, site)
            return done

        setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))  # noqa: B010
        for name in ("rename", "replace", "unlink"):
            setattr(Path, name, partialmethod(moving, original=getattr(Path, name)))

    def _around_disk(self, effect: bool, work: Callable[[], T]) -> T:
        site = Site(_place(sys._getframe(2)), Effect.DISK)
        if effect:
            self.at(Moment.BEFORE, site)
        done = work()
        if effect:
            self.at(Moment.AFTER, site)
        return done


def _place(frame: FrameType | None) -> str:
    """The nearest function of the product on the stack that is no mere helper; a library's own business has none."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        place = f"{module}:{frame.f_code.co_qualname.split('.<locals>')[0]}"
        if module.startswith(("streams.", "events.")) and place not in HELPERS:
            return place
        frame = frame.f_back
    return ""
