"""`healthbook dossier check`: folder, envelope and zip; exit code; both languages; JSON for programs."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from events.visit import TableFile
from streams.cli.dossier_check import dossier_check
from streams.domain.dossier.envelope import write_envelope
from streams.domain.dossier.sample import DEFECTS, VisitKind, defective_dossier, new_dossier
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


def test_a_path_that_is_not_there_is_wrong_usage() -> None:
    assert check("/nowhere/at/all").exit_code == 2
