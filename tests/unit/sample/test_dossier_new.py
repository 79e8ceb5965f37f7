"""`healthbook dossier new`: what lies in the folder afterwards."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from events.visit import TableFile
from streams.cli.dossier_new import dossier_new
from streams.domain.dossier.sample import BY_NAME, BY_RULE
from streams.domain.dossier.verdict import judge
from tests.unit.sample.support import NOW

ON = ("--discharged", "2026-11-20T15:30:00")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dossier_new, arguments)


def manifest(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return found


def content(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def tables(folder: Path) -> list[TableFile]:
    return [TableFile(path.stem, path.read_bytes()) for path in sorted(folder.iterdir())]


def test_twelve_dossiers_cover_the_six_types_with_and_without_insurance(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path), "--count", "12", *ON).exit_code == 0
    entries = manifest(tmp_path)
    assert len({(entry["kind"], entry["insured"]) for entry in entries}) == 12
    assert {entry["path"] for entry in entries} == {path.name for path in tmp_path.iterdir() if path.is_dir()}
    for entry in entries:
        assert not judge(tables(tmp_path / entry["path"]), now=NOW, facility=entry["facility"]).rejected


def test_type_and_insurance_that_are_not_given_go_with_the_trait(tmp_path: Path) -> None:
    for trait, visits in (
        ("birth", {("inpatient", True), ("inpatient", False), ("day", True), ("day", False)}),
        ("unidentified", {("exam", False), ("inpatient", False)}),
    ):
        assert run("--out", str(tmp_path / trait), "--count", "4", "--trait", trait, *ON).exit_code == 0
        entries = manifest(tmp_path / trait)
        assert {(entry["kind"], entry["insured"]) for entry in entries} == visits
        assert all(entry["traits"] == [trait] for entry in entries)


def test_the_same_command_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run("--out", str(tmp_path / name), "--count", "6", "--as", "zip", *ON).exit_code == 0
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_neighbouring_seeds_share_no_dossier(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        assert run("--out", str(tmp_path), "--count", "10", "--seed", seed, *ON).exit_code == 0
    assert len({entry["ma_lk"] for entry in manifest(tmp_path)}) == 20


def test_a_zip_and_an_envelope_hold_the_same_dossier_as_a_folder(tmp_path: Path) -> None:
    for form in ("folder", "zip", "envelope"):
        assert run("--out", str(tmp_path / form), "--as", form, *ON).exit_code == 0
    (folder,) = (path for path in (tmp_path / "folder").iterdir() if path.is_dir())
    (packed,) = (tmp_path / "zip").glob("*.zip")
    with zipfile.ZipFile(packed) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == content(folder)
    (envelope,) = (tmp_path / "envelope").glob("*.xml")
    assert judge(envelope.read_bytes(), now=NOW).tables == tuple(tables(folder))


def test_the_readme_says_that_the_people_are_invented(tmp_path: Path) -> None:
    run("--out", str(tmp_path), *ON)
    assert "invented" in (tmp_path / "README.txt").read_text(encoding="utf-8")


def test_the_manifest_tells_the_defect_and_nothing_of_the_person(tmp_path: Path) -> None:
    run("--out", str(tmp_path), "--defect", "LNK-001", *ON)
    (entry,) = manifest(tmp_path)
    assert (entry["defect"], entry["code"], entry["expected"]) == ("ma-lk-mismatch", "LNK-001", "rejected")
    assert set(entry) == {
        "path", "facility", "ma_lk", "kind", "insured", "traits", "closed_at", "bytes", "defect", "code", "expected"
    }  # fmt: skip


def test_json_is_one_document_on_standard_output(tmp_path: Path) -> None:
    result = run("--out", str(tmp_path), "--count", "2", "--output", "json", *ON)
    assert json.loads(result.stdout) == manifest(tmp_path)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    result = run("--out", str(tmp_path / "new"), "--dry-run", "--output", "json", *ON)
    assert len(json.loads(result.stdout)) == 1
    assert not (tmp_path / "new").exists()


def test_all_defects_are_listed() -> None:
    listed = json.loads(run("--defect", "list", "--output", "json").stdout)
    assert [row["defect"] for row in listed] == [defect.name for defect in (*BY_NAME.values(), *BY_RULE.values())]
    assert "two-hoso" in run("--defect", "list").stdout


def test_a_second_run_does_not_overwrite(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path), *ON).exit_code == 0
    again = run("--out", str(tmp_path), *ON)
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    assert len(manifest(tmp_path)) == 1


def test_a_defect_of_the_envelope_makes_an_envelope(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path), "--defect", "two-hoso", *ON).exit_code == 0
    assert len(list(tmp_path.glob("MAU*.xml"))) == 1


def test_a_duplicate_table_has_the_next_number_in_a_folder(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path), "--defect", "duplicate-xml1", *ON).exit_code == 0
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert (folder / "XML1-2.xml").read_bytes() == (folder / "XML1.xml").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "--out"),
        (("--facility", "1"), "5 characters"),
        (("--defect", "nonsense"), "no defect nonsense"),
        (("--defect", "two-hoso", "--as", "folder"), "only in an envelope"),
        (("--defect", "wrong-total", "--not-insured"), "needs insured"),
        (("--size", "huge"), "number of rows"),
        (("--kind", "remote", "--discharged", "2026-01-01"), "remote care"),
        (("--kind", "exam", "--trait", "birth"), "a birth is a stay"),
        (("--trait", "newborn-father", "--insured"), "its own name"),
        (("--trait", "newborn", "--trait", "birth"), "a newborn has no birth"),
        (("--trait", "referral", "--trait", "reexam"), "no appointment here"),
        (("--discharged", "2023-01-17"), "2023-01-18"),
    ],
)
def test_wrong_usage_says_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    result = run(*(("--out", str(tmp_path / "new")) if arguments else ()), *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert not (tmp_path / "new").exists()
