"""What `dossier check` found, as a file: HTML to print, CSV or XLSX for a spreadsheet, JSON for a program."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from html import escape
from pathlib import Path
from typing import Any

from streams.cli import sheets
from streams.domain.dossier.findings import rule_texts

Result = Mapping[str, Any]
"""One dossier's verdict as `dossier check --output json` has it."""

SUFFIXES = (".html", ".json", *sheets.SUFFIXES)
_COLUMNS = (
    *("path", "facility", "standard", "rejected", "code", "severity", "table", "row", "field", "expected", "found"),
    *("message_vi", "mend_vi", "message_en", "mend_en", "source"),
)
_WORDS: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "title": "Kết quả kiểm tra hồ sơ",
        "judged": "Kiểm tra theo ngày",
        "dossiers": "hồ sơ",
        "rejected": "bị từ chối",
        "passed": "đạt",
        "by_rule": "Theo quy tắc",
        "rule": "Quy tắc",
        "severity": "Mức độ",
        "critical": "nghiêm trọng",
        "warning": "cảnh báo",
        "findings": "lỗi",
        "place": "Vị trí",
        "message": "Nội dung",
        "mend": "Cách sửa",
        "source": "Căn cứ",
        "more": "và {count} lỗi khác không liệt kê",
        "unchecked": "Chưa kiểm tra vì chưa nạp danh mục",
        "clean": "Không có lỗi.",
    },
    "en": {
        "title": "Dossiers checked",
        "judged": "Judged as on",
        "dossiers": "dossiers",
        "rejected": "rejected",
        "passed": "passed",
        "by_rule": "By rule",
        "rule": "Rule",
        "severity": "Severity",
        "critical": "critical",
        "warning": "warning",
        "findings": "findings",
        "place": "Where",
        "message": "What",
        "mend": "How to mend it",
        "source": "Source",
        "more": "and {count} more that are not listed",
        "unchecked": "Not checked, the list is not loaded",
        "clean": "Nothing is wrong.",
    },
}
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { border: 1px solid #999; padding: .3rem .5rem; }
th, td { text-align: left; vertical-align: top; } th { background: #eee; } td.n { text-align: right; }
td.c { white-space: nowrap; }
.critical { color: #a00000; font-weight: 600; } .warning { color: #6b4a00; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } tr, h2 { break-inside: avoid; } }
"""


def by_rule(results: Sequence[Result]) -> list[dict[str, Any]]:
    """For each rule: in how many dossiers, how often; those of most dossiers first."""
    dossiers: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    severity: dict[str, str] = {}
    for result in results:
        codes = [item["code"] for item in result["findings"]]
        findings.update(codes)
        dossiers.update(set(codes))
        severity.update({item["code"]: str(item["severity"]) for item in result["findings"]})
    return [
        {"rule": code, "severity": severity[code], "dossiers": count, "findings": findings[code]}
        for code, count in sorted(dossiers.items(), key=lambda item: (-item[1], item[0]))
    ]


def write_report(path: Path, results: Sequence[Result], lang: str, on: date) -> None:
    """The form follows the suffix (`SUFFIXES`). Raises OSError."""
    if path.suffix in sheets.SUFFIXES:
        sheets.write_sheet(path, list(_rows(results)), _COLUMNS)
    elif path.suffix == ".json":
        document = {"judged_on": on.isoformat(), "by_rule": by_rule(results), "dossiers": list(results)}
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n", encoding="utf-8")
    else:
        path.write_text("\n".join(_html(results, _WORDS[lang], lang, on)) + "\n", encoding="utf-8")


def _source(code: str) -> str:
    text = rule_texts().get(code)
    return text.source if text else ""


def _rows(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """One for each finding; a dossier without one has a row too, so that none is missing."""
    for result in results:
        for item in result["findings"] or [{}]:
            yield {**result, **item, "source": _source(item.get("code", ""))}


def _html(results: Sequence[Result], words: Mapping[str, str], lang: str, on: date) -> Iterator[str]:
    rejected = sum(result["rejected"] for result in results)
    yield f'<!doctype html>\n<html lang="{lang}">\n<head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{words['title']}</title><style>{_STYLE}</style></head>\n<body>\n<h1>{words['title']}</h1>"
    made = datetime.now().astimezone()
    yield (
        f"<p>{words['judged']} {on:%d/%m/%Y} · {len(results)} {words['dossiers']} · {rejected} {words['rejected']} · "
        f"{len(results) - rejected} {words['passed']} · {made:%d/%m/%Y %H:%M}</p>"
    )
    rules = by_rule(results)
    if rules:
        yield f"<h2>{words['by_rule']}</h2>\n<table>"
        yield _head(words, "rule", "severity", "dossiers", "findings", "source")
        for row in rules:
            yield (
                f"<tr><td class=c>{row['rule']}</td>"
                f"<td class={row['severity']}>{words[row['severity']]}</td>"
                f"<td class=n>{row['dossiers']}</td><td class=n>{row['findings']}</td>"
                f"<td>{escape(_source(row['rule']))}</td></tr>"
            )
        yield "</table>"
    lists = sorted({name for result in results for name in result.get("not_judged", {}).values()})
    if lists:
        yield f"<p>{words['unchecked']}: {escape(', '.join(lists))}</p>"
    for result in results:
        yield from _dossier(result, words, lang)
    yield "</body>\n</html>"


def _dossier(result: Result, words: Mapping[str, str], lang: str) -> Iterator[str]:
    verdict = words["rejected" if result["rejected"] else "passed"]
    yield f"<h2>{escape(result['path'])}: {verdict}</h2>"
    if not result["findings"]:
        yield f"<p>{words['clean']}</p>"
        return
    yield "<table>" + _head(words, "rule", "severity", "place", "message", "mend")
    for item in result["findings"]:
        place = " · ".join(str(part) for part in (item["table"], item["row"], item["field"]) if part is not None)
        severity = str(item["severity"])
        yield (
            f"<tr><td class=c>{escape(item['code'])}</td><td class={severity}>{words[severity]}</td>"
            f"<td>{escape(place)}</td>"
            f"<td>{escape(item[f'message_{lang}'])}</td><td>{escape(item[f'mend_{lang}'])}</td></tr>"
        )
    yield "</table>"
    if result["findings_omitted"]:
        yield f"<p>… {words['more'].format(count=result['findings_omitted'])}</p>"


def _head(words: Mapping[str, str], *names: str) -> str:
    return "<tr>" + "".join(f"<th>{words[name]}</th>" for name in names) + "</tr>"
