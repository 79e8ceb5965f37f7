"""`healthbook dossier check`: what validation would say about a dossier, without a bus."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import click

from events.his.errors import DossierError
from events.his.source import DossierInput, read_dossier
from events.visit import CHECK_IN, Finding, Severity
from streams import garbage
from streams.adapters.code_lists import FolderLists
from streams.cli.config import settings_or_fail
from streams.cli.dossier_report import SUFFIXES, by_rule, write_report
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option
from streams.domain.dossier.checkin import checkin_row, judge_checkin
from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.standard import standard_on
from streams.domain.dossier.verdict import Verdict, judge

_WORDS: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "rejected": "BỊ TỪ CHỐI",
        "passed": "ĐẠT",
        "standard": "chuẩn",
        "critical": "nghiêm trọng",
        "warning": "cảnh báo",
        "more": "và {count} lỗi khác không liệt kê",
        "ignored": "Bỏ qua, không thuộc hồ sơ: {names}",
        "signature": "Chữ ký trong phong bì chưa được kiểm tra (ENV-010).",
        "total": "{count} hồ sơ, {rejected} bị từ chối.",
        "future": "Theo quy tắc của ngày {day}: {rejected} trong {count} hồ sơ của chuẩn khác sẽ bị từ chối.",
        "checkin": "check-in",
        "coverage": "Chưa kiểm tra {count} quy tắc vì chưa nạp danh mục: {lists}.",
    },
    "en": {
        "rejected": "REJECTED",
        "passed": "PASSED",
        "standard": "standard",
        "critical": "critical",
        "warning": "warning",
        "more": "and {count} more that are not listed",
        "ignored": "Ignored, no part of the dossier: {names}",
        "signature": "The signature in the envelope was not checked (ENV-010).",
        "total": "{count} dossiers, {rejected} rejected.",
        "future": "By the rules of {day}: {rejected} of {count} dossiers of another standard would be rejected.",
        "checkin": "check-in",
        "coverage": "{count} rules not checked, lists not loaded: {lists}.",
    },
}


@click.command("check")
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Judge as at the end of this day, and by its rules.")
@click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True, help="Language of the texts.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also writes everything to this file: .html to print, .csv or .xlsx, .json.",
)
@click.option("--facility", help="Who hands them over, 5 characters: FAC-003 and ENV-002 are judged too.")
@output_option
def dossier_check(
    paths: tuple[Path, ...], on: datetime | None, lang: str, report: Path | None, facility: str | None, output: str
) -> None:
    """Judges dossiers: each PATH is a folder of table files, an envelope, a zip, or a folder of such.

    Needs no running part. Exit code 1 when one of them would be rejected. With --on, visits of a day that has another
    standard are judged by their own rules, and once more by those of the day: would it take them?
    """
    if report is not None and report.suffix not in SUFFIXES:
        raise click.UsageError(f"--report: the name must end in {', '.join(SUFFIXES)}")
    settings = settings_or_fail()
    found = [dossier for path in paths for dossier in dossiers_in(path)]
    check = Check(on.date() if on else None, facility, settings.lists_dir, settings.facilities_dir)
    results = list(_progress(check.all(found), len(found)))
    if report is not None:
        try:
            write_report(report, results, lang, check.on or datetime.now(VIETNAM).date())
        except OSError as error:
            fail(f"{report} cannot be written: {error.strerror}", Exit.NO)
    if output == "json":
        emit_json(results)
    else:
        for result in results:
            click.echo("\n".join(_lines(result, lang)))
        click.echo("".join(_coverage(results, lang)), nl=False)
        if len(results) > 1:
            rejected = sum(result["rejected"] for result in results)
            emit_rows(by_rule(results), ("rule", "severity", "dossiers", "findings"), output)
            click.echo(_WORDS[lang]["total"].format(count=len(results), rejected=rejected))
        if others := [result["by_the_rules_of_on"] for result in results if "by_the_rules_of_on" in result]:
            refused = sum(other["rejected"] for other in others)
            click.echo(_WORDS[lang]["future"].format(day=check.on, count=len(others), rejected=refused))
            emit_rows(by_rule(others), ("rule", "severity", "dossiers", "findings"), output)
    if any(result["rejected"] for result in results):
        raise SystemExit(int(Exit.NO))


_TABLE_FILE = re.compile(r"XML[0-9]{1,2}(-[0-9]+)?\.xml", re.IGNORECASE)
_AT_ONCE = 20
"""Fewer dossiers than that are judged before a second process has started."""


def dossiers_in(path: Path) -> Iterator[Path]:
    """The path itself when it is one dossier, else every one below it, by name."""
    if not path.is_dir():
        yield path
        return
    inside = sorted(item for item in path.iterdir() if not item.name.startswith("."))
    if any(_TABLE_FILE.fullmatch(item.name) for item in inside):
        yield path
        return
    below = [
        dossier
        for item in inside
        if item.is_dir() or item.suffix.lower() in (".xml", ".zip")
        for dossier in dossiers_in(item)
    ]
    yield from below or [path]


@dataclass(frozen=True, slots=True)
class Check:
    """How to judge; goes to other processes as it is."""

    on: date | None
    facility: str | None
    lists: Path
    facilities: Path

    def all(self, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        """The verdicts in the order of `paths`, on all processors when there are many."""
        if len(paths) <= _AT_ONCE:
            yield from map(self, paths)
            return
        with ProcessPoolExecutor(initializer=garbage.seldom) as pool:
            yield from pool.map(self, paths, chunksize=8)

    def __call__(self, path: Path) -> dict[str, Any]:
        """The verdict on one dossier."""
        try:
            given = read_dossier(path)
        except DossierError as error:
            return _unreadable(path, error)
        tables = [table for table in given.tables if table.kind != CHECK_IN]
        checkin = next((table.content for table in given.tables if table.kind == CHECK_IN), None)
        verdict = judge(
            given.envelope or tables,
            now=datetime.now(UTC),
            on=self.on,
            facility=self.facility,
            lists=_lists(self.lists, self.facilities),
            checkin=None if checkin is None else checkin_row(checkin),
        )
        result = _result(path, given, verdict)
        if self.on is not None and standard_on(self.on).name != verdict.standard:
            other = judge(
                given.envelope or tables,
                now=datetime.now(UTC),
                on=self.on,
                rules_of=self.on,
                facility=self.facility,
                lists=_lists(self.lists, self.facilities),
            )
            result["by_the_rules_of_on"] = {
                "standard": other.standard,
                "rejected": other.rejected,
                "findings": [asdict(item) for item in other.findings],
                "findings_omitted": other.findings_omitted,
            }
        if checkin is not None:
            result["checkin_findings"] = [asdict(item) for item in judge_checkin(checkin, now=datetime.now(UTC))]
        return result


@cache
def _lists(common: Path, facilities: Path) -> FolderLists:
    return FolderLists(common, facilities)


def _progress(results: Iterable[dict[str, Any]], count: int) -> Iterable[dict[str, Any]]:
    """A bar on standard error, where somebody sits in front of it and has to wait."""
    if count <= _AT_ONCE or not sys.stderr.isatty():
        return results
    from rich.console import Console  # rich costs 0.1 s to import: only for people
    from rich.progress import track

    return track(results, "dossiers", count, console=Console(stderr=True))


def _result(path: Path, given: DossierInput, verdict: Verdict) -> dict[str, Any]:
    return {
        "path": str(path),
        "rejected": verdict.rejected,
        "standard": verdict.standard,
        "facility": verdict.facility,
        "visit_type": verdict.visit_type,
        "insured": verdict.insured,
        "person_key_kind": str(verdict.person_key_kind),
        "rows": dict(verdict.rows),
        "findings": [asdict(item) for item in verdict.findings],
        "findings_omitted": verdict.findings_omitted,
        "ignored": list(given.ignored),
        "not_judged": {**({"ENV-010": "certificates"} if verdict.signed else {}), **verdict.not_judged},
    }


def _unreadable(path: Path, error: DossierError) -> dict[str, Any]:
    """The files are not a dossier: one finding, in the words of the adapter SDK."""
    item = Finding(
        code=error.code,
        severity=Severity.CRITICAL,
        table=error.where,
        row=None,
        field=None,
        message_vi=error.message_vi,
        message_en=error.message_en,
        expected=None,
        found=None,
        mend_vi=error.mend_vi,
        mend_en=error.mend_en,
    )
    return {"path": str(path), "rejected": True, "findings": [asdict(item)], "findings_omitted": 0}


def _lines(result: Mapping[str, Any], lang: str) -> Iterator[str]:
    """The verdict for a person."""
    words = _WORDS[lang]
    findings = result["findings"]
    counts = Counter(str(item["severity"]) for item in findings)
    standard = f", {words['standard']} {result['standard']}" if "standard" in result else ""
    counted = "".join(f", {count} {words[severity]}" for severity, count in sorted(counts.items()))
    yield f"{result['path']}: {words['rejected' if result['rejected'] else 'passed']}{standard}{counted}"
    for item in findings:
        yield f"  {item['code']} ({words[str(item['severity'])]}) {item[f'message_{lang}']}"
        yield f"      → {item[f'mend_{lang}']}"
    for item in result.get("checkin_findings", ()):
        yield f"  {item['code']} ({words['checkin']}) {item[f'message_{lang}']}"
    if result["findings_omitted"]:
        yield f"  … {words['more'].format(count=result['findings_omitted'])}"
    if result.get("ignored"):
        yield f"  {words['ignored'].format(names=', '.join(result['ignored']))}"
    if "ENV-010" in result.get("not_judged", {}):
        yield f"  {words['signature']}"


def _coverage(results: Sequence[Mapping[str, Any]], lang: str) -> Iterator[str]:
    """Once for all: which rules were neither passed nor failed, for want of a list (RULES §1)."""
    missing = {code: lists for result in results for code, lists in result.get("not_judged", {}).items()}
    missing.pop("ENV-010", None)
    if missing:
        lists = sorted({name for names in missing.values() for name in names.split(", ")})
        yield _WORDS[lang]["coverage"].format(count=len(missing), lists=", ".join(lists)) + "\n"
