"""The VNeID simulator in a process that a test can kill: bootstrap, registry, both topics, state file."""

import asyncio
import sys
from pathlib import Path

from streams.simulators.vneid.simulator import VneidSimulator
from streams.simulators.vneid.subscriber import Channels


async def main() -> None:
    *channels, state = sys.argv[1:]
    async with VneidSimulator(Channels(*channels), seed=7, median_delay=1.0, state=Path(state)) as simulator:
        await simulator.ended.wait()


asyncio.run(main())
