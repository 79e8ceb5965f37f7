"""Parts that tell by HTTP, at /-/ready, when they are ready: Prometheus and Alertmanager."""

import asyncio

import aiohttp

from infra.embedded.failure import PartFailed
from infra.embedded.process import Child

READY_WITHIN = 30.0


async def once_ready(child: Child, url: str) -> tuple[Child, str] | None:
    """Both, once it is ready; None when it does not become so, and stopped then."""
    try:
        await child.ready(lambda: _answers(url), READY_WITHIN)
    except PartFailed:
        await child.stop()
        return None
    except asyncio.CancelledError:
        await child.stop()
        raise
    return child, url


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/-/ready") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
