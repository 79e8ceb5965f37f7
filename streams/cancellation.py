"""Cancellation that a library swallowed is made to count."""

import asyncio


def heed_cancellation() -> None:
    """Raises CancelledError when this task was asked to end.

    For loops that try again after an error: asyncpg and aiokafka may answer a cancellation with an error of their own
    (seen with asyncpg while its server was being killed), and a loop that took it for trouble would never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
