"""Mistakes in the relay."""

import os
from collections.abc import Mapping
from typing import Any

import asyncpg

from streams.adapters import kafka, relay
from streams.adapters.relay import Relay, Shard


def position_from_memory() -> None:
    """After trouble it goes on behind what it knew when it began the last batch, and not behind what the log holds."""
    remembered: dict[str, tuple[int, int]] = {}
    send, position = Relay._send, Relay._position

    async def sent(self: Relay, producer: Any, shard: Shard, rows: list[asyncpg.Record]) -> tuple[int, int]:
        remembered[str(shard)] = rows[0]["seq"] - 1, 0
        return await send(self, producer, shard, rows)

    async def recalled(self: Relay, shard: Shard, floor: Mapping[str, int]) -> tuple[int, int]:
        if str(shard) not in remembered:
            remembered[str(shard)] = await position(self, shard, floor)
        return remembered[str(shard)]

    Relay._send, Relay._position = sent, recalled  # type: ignore[method-assign]


def position_from_database() -> None:
    """The position is written after the commit; a relay that dies between the two sends again."""

    async def asked(self: Relay, shard: Shard, floor: Mapping[str, int]) -> tuple[int, int]:
        return floor["seq"], floor["next_offset"]

    Relay._position = asked  # type: ignore[method-assign]


def transactional_id_per_process() -> None:
    """Nobody fences the transaction that a predecessor left open."""
    producer = kafka.producer

    def own(bootstrap: str, client_id: str, **more: Any) -> Any:
        if "transactional_id" in more:
            more["transactional_id"] += f"-{os.getpid()}"
        return producer(bootstrap, client_id, **more)

    relay.kafka.producer = own  # type: ignore[attr-defined]
