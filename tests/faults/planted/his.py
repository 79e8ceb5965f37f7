"""Mistakes in what a hospital plugs in."""

from collections.abc import Sequence
from typing import Any

from events.his.publisher import Publisher
from events.serde import Serde
from events.visit import VisitClosed


def spool_forgets_early() -> None:
    """What is on its way counts as arrived."""
    round_ = Publisher._round

    async def forgotten_first(
        self: Publisher, producer: Any, serde: Serde, batch: Sequence[tuple[int, VisitClosed]]
    ) -> None:
        await self._settle([position for position, _ in batch], {})
        await round_(self, producer, serde, batch)

    Publisher._round = forgotten_first  # type: ignore[method-assign]
