"""The Java parts on disk: resolved by Maven once, shared by every home that names the same folder.

A part's folder carries the hash of `pom.xml` in its name and gets that name by a rename when it is whole. So its
being there proves that it is complete and current: a second start downloads nothing, a changed pom makes a new
folder.
"""

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

from infra.embedded import debian
from infra.embedded.failure import PartFailed
from infra.embedded.java import find_java
from infra.embedded.locks import one_at_a_time
from infra.embedded.process import run_to_end

POM = Path(__file__).parent.parent / "maven" / "pom.xml"
GOALS = {"kafka": "copy-dependencies", "registry": "unpack-dependencies"}
ATTEMPTS = 2  # a dropped connection in 200 MB is no reason to fail a first start


async def resolve_all(downloads: Path) -> None:
    """All parts side by side, for images and caches that want them before the first start."""
    await asyncio.gather(*(resolve(part, downloads) for part in GOALS))


async def resolve(part: str, downloads: Path, pom: Path = POM) -> Path:
    """The folder of `part` ("kafka": jars; "registry": the unpacked application), downloaded when it is not there yet.

    Another `pom` with a profile of the part's name is for parts that only tests need. Raises PartFailed when Maven is
    missing or cannot get it.
    """
    folder = _folder(part, downloads, pom)
    if folder.exists():
        return folder
    async with one_at_a_time(folder.with_name(f".{part}.lock")):
        if not folder.exists():
            await _download(part, folder, pom)
    return folder


def _folder(part: str, downloads: Path, pom: Path) -> Path:
    """Absolute: Maven takes a relative one for a folder beside its pom."""
    return downloads.resolve() / f"{part}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"


async def _download(part: str, folder: Path, pom: Path) -> None:
    maven = await _maven(folder.parent)
    unfinished = folder.with_name(f".{part}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    goal = GOALS.get(part, "copy-dependencies")
    command = [maven, "-q", "-B", "-f", str(pom), "-P", part, f"dependency:{goal}", "-DincludeScope=runtime"]
    command += [f"-DoutputDirectory={unfinished / part}", f"-DmarkersDirectory={unfinished / 'markers'}"]
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await run_to_end(folder.parent, f"maven-{part}", command, env=_java_for_maven())
            break
        except PartFailed:
            if attempt == ATTEMPTS:
                raise
    (unfinished / part).rename(folder)
    shutil.rmtree(unfinished)


async def _maven(downloads: Path) -> str:
    async with one_at_a_time(downloads / ".maven.lock"):
        if not shutil.which("mvn"):
            await debian.install("maven", home=downloads)
    if found := shutil.which("mvn"):
        return found
    raise PartFailed("maven", "Kafka and the schema registry are resolved by `mvn`; install the Debian package maven")


def _java_for_maven() -> dict[str, str]:
    """Maven itself runs on any Java; ours is lent only where there is no other."""
    if shutil.which("java") or "JAVA_HOME" in os.environ:
        return {}
    return {"JAVA_HOME": str(find_java().program.parents[1])}
