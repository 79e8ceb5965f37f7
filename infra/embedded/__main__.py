"""`python -m infra.embedded`: the parts of HEALTHBOOK_HOME in the foreground, their addresses as JSON on stdout.

`python -m infra.embedded download` only fetches the jars, for images and caches. SIGTERM and Ctrl-C end it, also
while it starts; exit status 3 means that a part cannot run.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from infra.embedded.failure import HomeBusy, PartFailed
from infra.embedded.jars import resolve_all
from infra.embedded.parts import Parts


async def serve(home: Path, downloads: Path) -> None:
    parts = Parts(home, downloads=downloads, brokers=int(os.environ.get("HEALTHBOOK_KAFKA_BROKERS", "1")))
    async with parts as addresses:
        sys.stdout.write(json.dumps(asdict(addresses)) + "\n")
        sys.stdout.flush()
        await parts.keep_running()


async def until_asked_to_end(home: Path, downloads: Path) -> None:
    serving = asyncio.create_task(serve(home, downloads))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        return  # asked to end, and everything has ended


def main() -> int:
    home = Path(os.environ.get("HEALTHBOOK_HOME", "var"))
    downloads = Path(os.environ.get("HEALTHBOOK_PARTS", home / "parts"))
    try:
        if sys.argv[1:] == ["download"]:
            asyncio.run(resolve_all(downloads))
        else:
            asyncio.run(until_asked_to_end(home, downloads))
    except (PartFailed, HomeBusy) as failure:
        sys.stderr.write(f"{failure}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
