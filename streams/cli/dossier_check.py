"""`healthbook dossier check`: what validation would say about a dossier, without a bus."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from events.his.errors import DossierError
from events.his.source import DossierInput, read_dossier
from events.visit import Finding, Severity
from streams.adapters.code_lists import FolderLists
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, output_option
from streams.domain.dossier.codelists import Lists
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
        "coverage": "{count} rules not checked, lists not loaded: {lists}.",
    },
}


@click.command("check")
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Judge as at the end of this day.  [default: now]")
@click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True, help="Language of the texts.")
@output_option
def dossier_check(paths: tuple[Path, ...], on: datetime | None, lang: str, output: str) -> None:
    """Judges dossiers: each PATH is a folder of table files, an envelope or a zip.

    Exit code 1 when one of them would be rejected.
    """
    settings = settings_or_fail()
    lists = FolderLists(settings.lists_dir, settings.facilities_dir)
    results = [_check(path, on.date() if on else None, lists) for path in paths]
    if output == "json":
        emit_json(results)
    else:
        for result in results:
            click.echo("\n".join(_lines(result, lang)))
    if any(result["rejected"] for result in results):
        raise SystemExit(int(Exit.NO))


def _check(path: Path, on: date | None, lists: Lists) -> dict[str, Any]:
    try:
        given = read_dossier(path)
    except DossierError as error:
        return _unreadable(path, error)
    verdict = judge(
        given.tables if given.envelope is None else given.envelope, now=datetime.now(UTC), on=on, lists=lists
    )
    return _result(path, given, verdict)


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
    if result["findings_omitted"]:
        yield f"  … {words['more'].format(count=result['findings_omitted'])}"
    if result.get("ignored"):
        yield f"  {words['ignored'].format(names=', '.join(result['ignored']))}"
    missing = result.get("not_judged", {})
    if "ENV-010" in missing:
        yield f"  {words['signature']}"
    lists = sorted({name for code, names in missing.items() if code != "ENV-010" for name in names.split(", ")})
    if lists:
        yield f"  {words['coverage'].format(count=len(missing), lists=', '.join(lists))}"
