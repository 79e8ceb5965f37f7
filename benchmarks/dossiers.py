"""What judging a dossier costs: parse + XSD + all rules, beside parse + XSD alone, which nobody can avoid.

.venv/bin/python -m benchmarks.dossiers [--files 10000]
"""

import argparse
import multiprocessing
import multiprocessing.connection
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.machine import describe
from events.visit import TableFile
from events.xml import parse
from streams.domain.dossier import xsd
from streams.domain.dossier.sample import Sample, VisitKind, new_dossier
from streams.domain.dossier.standard import standard_on
from streams.domain.dossier.verdict import judge
from streams.simulators.dossier_files import write_dossier

ENDED = datetime(2026, 11, 2, 3, tzinfo=UTC)
NOW = ENDED + timedelta(hours=1)


def main() -> None:
    """Prints the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=10_000, help="dossiers for `dossier check`")
    files = options.parse_args().files
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
    memory = _peak(whole)
    print(
        f"{name}: {sample.size / 1024:.0f} KB of tables; parse + XSD {bare * 1e3:.2f} ms, with all rules"
        f" {full * 1e3:.2f} ms CPU ({full / bare:.2f} times); {memory / sample.size:.1f} times its size in memory"
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


def _peak(work: Callable[[], None]) -> int:
    """Bytes by which the most that a process ever held grows, trees of libxml2 included: in a process of its own."""
    receive, send = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_growth, args=(work, send))
    child.start()
    grown: int = receive.recv()
    child.join()
    return grown


def _growth(work: Callable[[], None], send: "multiprocessing.connection.Connection") -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    send.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


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
