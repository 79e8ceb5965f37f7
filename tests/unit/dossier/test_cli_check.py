"""`healthbook dossier check`: folder, envelope and zip; exit code; both languages; JSON for programs."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from lxml import etree

from events.visit import TableFile
from streams.cli.dossier_check import dossier_check
from streams.cli.dossier_report import write_report
from streams.domain.dossier.envelope import write_envelope
from streams.domain.dossier.sample import DEFECTS, VisitKind, defective_dossier, new_dossier
from streams.domain.dossier.sample.checkin import new_checkin
from streams.domain.dossier.sample.edits import put
from tests.unit.dossier.builders import FACILITY, TODAY

ENDED = datetime(2026, 11, 2, 3, tzinfo=UTC)
_GIVEN = {"facility": FACILITY, "kind": VisitKind.EXAM, "insured": True, "discharged_at": ENDED}
SOUND = [TableFile(*table) for table in new_dossier(1, **_GIVEN).tables]  # type: ignore[arg-type]
SPOILT = [
    TableFile(*table)
    for table in defective_dossier(DEFECTS["missing-required-field"], 1, facility=FACILITY, discharged_at=ENDED).tables
]


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(dossier_check, [*map(str, arguments), "--on", "2026-11-20"])


def folder(path: Path, tables: list[TableFile]) -> Path:
    path.mkdir()
    for file in tables:
        (path / f"{file.kind}.xml").write_bytes(file.content)
    return path


def envelope(path: Path, tables: list[TableFile]) -> Path:
    path.write_bytes(write_envelope(FACILITY, TODAY, tables))
    return path


def archive(path: Path, tables: list[TableFile]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for one in tables:
            file.writestr(f"{one.kind}.xml", one.content)
    return path


@pytest.mark.parametrize("write", [folder, envelope, archive])
@pytest.mark.parametrize(("tables", "code"), [(SOUND, 0), (SPOILT, 1)])
def test_the_exit_code_is_the_verdict(tmp_path: Path, write, tables: list[TableFile], code: int) -> None:  # type: ignore[no-untyped-def]
    suffix = {folder: "", envelope: ".xml", archive: ".zip"}[write]
    result = check(write(tmp_path / f"dossier{suffix}", tables), "--output", "json")
    assert result.exit_code == code, result.output
    (document,) = json.loads(result.stdout)
    assert document["rejected"] is bool(code)
    assert [f["code"] for f in document["findings"]] == (["REQ-001"] if code else [])
    assert document["not_judged"]["COD-016"] == "ICD10"


def test_it_speaks_vietnamese_unless_asked_otherwise(tmp_path: Path) -> None:
    path = folder(tmp_path / "d", SPOILT)
    assert "trường LY_DO_VV: trường bắt buộc nhưng để trống" in check(path).output
    assert "field LY_DO_VV: the field is required but empty" in check(path, "--lang", "en").output


def test_several_dossiers_of_which_one_is_bad(tmp_path: Path) -> None:
    result = check(folder(tmp_path / "a", SOUND), folder(tmp_path / "b", SPOILT), "--lang", "en")
    assert result.exit_code == 1
    assert "a: PASSED, standard 1931" in result.output
    assert "b: REJECTED, standard 1931, 1 critical" in result.output


def test_other_files_are_named_as_ignored(tmp_path: Path) -> None:
    path = folder(tmp_path / "d", SOUND)
    (path / "notes.txt").write_text("x")
    assert "notes.txt" in check(path).output


def test_what_is_no_dossier_is_one_finding(tmp_path: Path) -> None:
    path = folder(tmp_path / "d", [])
    result = check(path, "--output", "json")
    assert result.exit_code == 1
    assert [f["code"] for f in json.loads(result.stdout)[0]["findings"]] == ["DOSSIER_EMPTY"]


def test_it_judges_as_of_another_day(tmp_path: Path) -> None:
    path = folder(tmp_path / "d", SOUND)
    result = CliRunner().invoke(dossier_check, [str(path), "--on", "2026-11-01", "--lang", "en"])
    assert result.exit_code == 1
    assert "X1-003" in result.output


def test_it_tells_whether_the_rules_of_another_day_would_take_these_files(tmp_path: Path) -> None:
    """Files of June 2024 keep their own standard's verdict; by the layout of 2026 some would be rejected."""
    (tmp_path / "all").mkdir()
    given: dict[str, Any] = {**_GIVEN, "discharged_at": datetime(2024, 6, 20, 3, tzinfo=UTC)}
    for number in range(3):
        folder(tmp_path / "all" / str(number), [TableFile(*table) for table in new_dossier(number, **given).tables])

    def on(day: str, *more: str) -> str:
        return CliRunner().invoke(dossier_check, [str(tmp_path / "all"), "--on", day, "--lang", "en", *more]).stdout

    found = json.loads(on("2026-07-01", "--output", "json"))
    assert {(item["standard"], item["rejected"]) for item in found} == {("130", False)}
    other = [item["by_the_rules_of_on"] for item in found]
    assert {item["standard"] for item in other} == {"1931"}
    refused = sum(item["rejected"] for item in other)
    assert refused
    _, _, summary = on("2026-07-01").partition(
        f"By the rules of 2026-07-01: {refused} of 3 dossiers of another standard"
    )
    assert all(finding["code"] in summary for item in other for finding in item["findings"])
    assert not any("by_the_rules_of_on" in item for item in json.loads(on("2024-06-30", "--output", "json")))


def test_a_path_that_is_not_there_is_wrong_usage() -> None:
    assert check("/nowhere/at/all").exit_code == 2


def many(path: Path, count: int = 24) -> Path:
    """A folder of folders, envelopes and zips; every fourth is spoilt."""
    (path / "week 1").mkdir(parents=True)
    for number in range(count):
        tables = SPOILT if number % 4 == 3 else SOUND
        write = (folder, envelope, archive)[number % 3]
        write(path / "week 1" / f"{number:02}{('', '.xml', '.zip')[number % 3]}", tables)
    return path


def test_a_folder_of_many_is_judged_whole_with_a_summary_by_rule(tmp_path: Path) -> None:
    result = check(many(tmp_path / "export"))
    assert result.exit_code == 1
    assert "24 hồ sơ, 6 bị từ chối." in result.output
    assert result.output.count("Chưa kiểm tra") == 1
    documents = json.loads(check(tmp_path / "export", "--output", "json").stdout)
    assert [Path(document["path"]).stem for document in documents] == [f"{number:02}" for number in range(24)]
    assert sum(document["rejected"] for document in documents) == 6


def test_a_report_has_every_dossier_and_every_finding(tmp_path: Path) -> None:
    many(tmp_path / "export", 6)
    page, table, document = (tmp_path / f"report{suffix}" for suffix in (".html", ".csv", ".json"))
    for file in (page, table, document):
        assert check(tmp_path / "export", "--report", file).exit_code == 1
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    assert len(rows) == 6
    assert [row["code"] for row in rows if row["code"]] == ["REQ-001"]
    assert next(row for row in rows if row["code"])["source"]
    found = json.loads(document.read_text(encoding="utf-8"))
    assert found["judged_on"] == "2026-11-20"
    assert found["by_rule"] == [{"rule": "REQ-001", "severity": "critical", "dossiers": 1, "findings": 1}]
    text = page.read_text(encoding="utf-8")
    assert etree.HTML(text).findtext(".//h1") == "Kết quả kiểm tra hồ sơ"
    assert text.count("<h2>") == 1 + 6
    assert "src=" not in text
    assert "http" not in text


def test_a_report_quotes_no_markup_and_no_formula_of_a_file_name(tmp_path: Path) -> None:
    folder(tmp_path / "=<b>1", SPOILT)
    for suffix in (".html", ".csv", ".xlsx"):
        assert check(tmp_path / "=<b>1", "--report", tmp_path / f"r{suffix}").exit_code == 1
    assert "<b>" not in (tmp_path / "r.html").read_text(encoding="utf-8")
    write_report(tmp_path / "r.csv", [{"path": "=1+1", "rejected": False, "findings": []}], "en", TODAY)
    assert "\n'=1+1," in (tmp_path / "r.csv").read_text(encoding="utf-8-sig")


def test_a_report_of_another_kind_is_wrong_usage(tmp_path: Path) -> None:
    answer = check(folder(tmp_path / "d", SOUND), "--report", tmp_path / "r.pdf")
    assert answer.exit_code == 2


def test_the_check_in_beside_a_dossier_is_judged_and_compared(tmp_path: Path) -> None:
    path = folder(tmp_path / "d", SOUND)
    sample = new_dossier(1, facility=FACILITY, kind=VisitKind.EXAM, insured=True, discharged_at=ENDED)
    checkin = put("GIOI_TINH", "3")(put("TEN_DICH_VU", "")(new_checkin(sample, ENDED)))
    (path / "XML0.xml").write_bytes(checkin)
    (document,) = json.loads(check(path, "--output", "json").stdout)
    assert [item["code"] for item in document["checkin_findings"]] == ["REQ-003"]
    assert [item["code"] for item in document["findings"]] == ["LNK-005"]
    assert document["rejected"] is False


def test_who_hands_it_over_is_judged_when_it_is_said(tmp_path: Path) -> None:
    (document,) = json.loads(check(folder(tmp_path / "d", SOUND), "--facility", "48999", "--output", "json").stdout)
    assert [item["code"] for item in document["findings"]] == ["FAC-003"]
