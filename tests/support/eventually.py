"""Waiting in tests: on a condition, with a deadline, never for luck."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

Found = TypeVar("Found")

INTERVAL = 0.05


@overload
async def eventually(
    condition: Callable[[], Awaitable[Found]], *, timeout: float = 20.0, message: str = ""
) -> Found: ...
@overload
async def eventually(condition: Callable[[], Found], *, timeout: float = 20.0, message: str = "") -> Found: ...
async def eventually(condition: Callable[[], Any], *, timeout: float = 20.0, message: str = "") -> Any:
    """The first truthy answer of `condition`, plain or async. AssertionError when there is none in `timeout` seconds.

    An AssertionError inside `condition` counts as "not yet", so that a condition may be written as asserts; the last
    one is shown. Any other exception is an error of the test and is raised at once.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            answer = condition()
            last = await answer if inspect.isawaitable(answer) else answer
            if last:
                return last
        except AssertionError as not_yet:
            last = not_yet
        if time.monotonic() > deadline:
            raise AssertionError(f"{message or 'the condition'} did not come true in {timeout:g} s; last: {last!r}")
        await asyncio.sleep(INTERVAL)


def eventually_sync(condition: Callable[[], Found], *, timeout: float = 20.0, message: str = "") -> Found:
    """The same for tests without an event loop."""
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            if answer := condition():
                return answer
            last = answer
        except AssertionError as not_yet:
            last = not_yet
        if time.monotonic() > deadline:
            raise AssertionError(f"{message or 'the condition'} did not come true in {timeout:g} s; last: {last!r}")
        time.sleep(INTERVAL)
