"""What every process has: the words of trouble reach the exit status, however deep the task groups are."""

import asyncio

import pytest

from streams.errors import Fatal
from streams.runtime.service import Health, _until_done


async def test_fatal_from_a_group_within_a_group_is_fatal() -> None:
    async def inner() -> None:
        raise Fatal("a person must look")

    async def work(_health: Health, _stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(nested())

    async def nested() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(inner())

    with pytest.raises(Fatal, match="a person must look"):
        await _until_done(work, Health(), asyncio.Event())
