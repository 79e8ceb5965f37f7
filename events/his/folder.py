"""The folder adapter: a HIS that can write files needs no more than a folder (INTERFACE §3, docs/his-adapter.md).

Polls, because network shares send no notifications. An item is taken when two looks find it unchanged, leaves for
`done/` when the broker has it, for `failed/` when it cannot be handed over. Killed at any moment, the next start goes
on: the same bytes are the same revision, so handing over again changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from events.his.adapter import WAITING, Adapter, Receipt
from events.his.errors import DossierError, HisError, RefusedError, SpoolFullError
from events.his.inbox import Inbox, Item
from events.his.report import Report

logger = logging.getLogger("healthbook.his")


@dataclass(slots=True)
class Counts:
    """How many items ended in `done/` and in `failed/` since the start, and how many still wait."""

    done: int = 0
    failed: int = 0
    waiting: int = 0


class FolderAdapter:
    """Hands over what appears below `folder`, through an open `adapter`; `told` hears of each item's end."""

    def __init__(self, folder: Path, adapter: Adapter, told: Callable[[Report], None] = lambda _: None) -> None:
        self._inbox = Inbox(folder)
        self._adapter = adapter
        self._told = told
        self._handed: dict[Path, tuple[Item, Receipt]] = {}
        self._full = False
        self.counts = Counts()

    async def run(self, poll: float = 1.0, *, once: bool = False) -> Counts:
        """Looks every `poll` seconds, for ever, or until nothing is left to do (`once`).

        Raises SpoolError, and OSError when the folders cannot be made. A share that is away for a while is waited for.
        """
        await asyncio.to_thread(self._inbox.make)
        # What is empty at one look only may just be about to be written.
        idle = 0
        while not (once and idle > 1):
            try:
                await self.look()
            except OSError as error:
                logger.warning("folder cannot be read or written: %s", type(error).__name__)
                self.counts.waiting = 1
            idle = 0 if self.counts.waiting else idle + 1
            if not (once and idle > 1):
                await asyncio.sleep(poll)
        return self.counts

    async def look(self) -> None:
        """One round: take, hand over, move what the broker has. Raises SpoolError, OSError."""
        await asyncio.to_thread(self._inbox.make)  # a share that came back may be empty
        left = 0 if self._full else await asyncio.to_thread(self._inbox.claim)
        items = await asyncio.to_thread(self._inbox.taken)
        self._full = False
        for item in items:
            if item.path not in self._handed and not self._full:
                try:
                    await self._hand_over(item)
                except OSError as error:  # one that cannot be read or moved holds up no other
                    logger.warning("an item cannot be handed over yet: %s", type(error).__name__)
        for item, receipt in list(self._handed.values()):
            try:
                await self._follow(item, receipt)
            except OSError as error:  # somebody holds this one open; the others need not wait for it
                logger.warning("an item cannot be moved yet: %s", type(error).__name__)
        self.counts.waiting = left + len(await asyncio.to_thread(self._inbox.taken))

    async def _hand_over(self, item: Item) -> None:
        try:
            receipt = await self._adapter.close_visit(item.path)
        except DossierError as error:
            await self._finish(item, Report(self._adapter.facility, datetime.now(UTC), error))
        except SpoolFullError as error:
            # It stays where it is: the next look tries again.
            logger.warning("nothing more is taken until there is room: %s", error.code)
            self._full = True
        else:
            self._handed[item.path] = (item, receipt)

    async def _follow(self, item: Item, receipt: Receipt) -> None:
        state = await self._adapter.state(receipt)
        if state == WAITING:
            return
        refused = None if state is None else RefusedError(state, ())
        if await self._finish(item, self._report(receipt, refused)) and refused:
            await self._adapter.drop(receipt)  # the dossier itself is in failed/
        self._handed.pop(item.path, None)

    def _report(self, receipt: Receipt, error: HisError | None) -> Report:
        return Report(
            self._adapter.facility,
            datetime.now(UTC),
            error,
            receipt.ma_lk,
            receipt.revision,
            str(receipt.event_id),
            receipt.repeated,
            receipt.ignored,
        )

    async def _finish(self, item: Item, report: Report) -> bool:
        """Moves the item to its end. One that somebody changed meanwhile is handed over anew instead."""
        folder = self._inbox.done if report.error is None else self._inbox.failed
        if not await asyncio.to_thread(self._inbox.finish, item, report, folder):
            return False
        if report.error is None:
            self.counts.done += 1
        else:
            self.counts.failed += 1
        self._told(report)
        return True
