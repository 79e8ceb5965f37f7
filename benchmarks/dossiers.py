"""What judging a dossier costs: parse + XSD + all rules, beside parse + XSD alone, which nobody can avoid.

.venv/bin/python -m benchmarks.dossiers [--files 10000]
"""

import argparse
import ctypes
import multiprocessing
import multiprocessing.connection
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from benchmarks.machine import describe
from events.visit import TableFile
from events.xml import parse
from streams import garbage
from streams.domain.dossier import xsd
from streams.domain.dossier.sample import Sample, Size, VisitKind, new_dossier
from streams.domain.dossier.standard import standard_on
from streams.domain.dossier.verdict import judge
from streams.simulators.dossier_files import write_dossier

ENDED = datetime(2026, 11, 2, 3, tzinfo=UTC)
NOW = ENDED + timedelta(hours=1)


_TINY = [
    TableFile(*table)
    for table in new_dossier(
        1, facility="01999", kind=VisitKind.EXAM, insured=True, discharged_at=ENDED, size=Size.TINY
    ).tables
]


def main() -> None:
    """Prints the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=10_000, help="dossiers for `dossier check`")
    files = options.parse_args().files
    garbage.seldom()  # as every process of the product
    print(describe())
    for name, kind, rows, times in (
        ("outpatient", VisitKind.EXAM, 60, 300),
        ("long stay", VisitKind.INPATIENT, 1280, 20),
    ):
        sample = new_dossier(1, facility="01999", kind=kind, insured=True, discharged_at=ENDED, size=rows)
        _judged(name, sample, times)
    if files:
        _checked(files)


def _judged(name: str, sample: Sample, times: int) -> None:
    tables = [TableFile(kind, content) for kind, content in sample.tables]
    standard = standard_on(ENDED.date())

    def kernel() -> None:
        for table in tables:
            xsd.compiled(standard, table.kind).validate(parse(table.content))

    def whole() -> None:
        judge(tables, now=NOW)

    bare, full = _cpu(kernel, times), _cpu(whole, times)
    memory = _peak(tables)
    grown = f"{memory / 2**20:.1f} MB, {memory / sample.size:.1f} times its size"
    print(
        f"{name}: {sample.size / 1024:.0f} KB of tables; parse + XSD {bare * 1e3:.2f} ms, with all rules"
        f" {full * 1e3:.2f} ms CPU ({full / bare:.2f} times); memory {grown}"
    )


def _cpu(work: Callable[[], None], times: int) -> float:
    work()  # schemas are compiled, lists are read
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - start) / times)
    return best


def _peak(tables: list[TableFile]) -> int:
    """Bytes by which a fresh process grows at most while it judges the tables, trees of libxml2 included."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_growth, args=(tables, send))
    child.start()
    grown: int = receive.recv()
    child.join()
    return grown


def _growth(tables: list[TableFile], send: "multiprocessing.connection.Connection") -> None:
    judge(_TINY, now=NOW)  # schemas and lists are read once
    ctypes.CDLL(None).malloc_trim(0)  # what starting has freed is given back, so that judging has to ask for its own
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was that of starting (man 5 proc)
    before = psutil.Process().memory_info().rss
    judge(tables, now=NOW)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    send.send(int(status["VmHWM"].split()[0]) * 1024 - before)


def _checked(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kinds = tuple(VisitKind)
        for number in range(count):
            sample = new_dossier(
                number, facility="01999", kind=kinds[number % len(kinds)], insured=True, discharged_at=ENDED
            )
            write_dossier(Path(folder) / f"{number:05}.xml", sample, "envelope")
        start = time.monotonic()
        command = [sys.executable, "-m", "streams", "dossier", "check", folder, "--report", f"{folder}/.report.csv"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - start
    print(f"dossier check: {count} envelopes in {seconds:.1f} s, {count / seconds:.0f} a second")


if __name__ == "__main__":
    main()
