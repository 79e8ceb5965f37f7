"""Loaded code lists: which version counts on a day, whose it is, and what a broken file does (nothing)."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from events.visit import TableFile, VisitClosed
from streams.adapters.code_lists import FolderLists, ListError, parse_list
from streams.adapters.facilities import FacilityRegister
from streams.adapters.judge import RegisteredJudge
from streams.cli import main
from streams.domain.dossier.history import EarlierDossiers
from streams.domain.dossier.sample import DEFECTS, VisitKind, defective_dossier, new_dossier
from streams.domain.dossier.verdict import Verdict, judge
from streams.errors import RetryLater


class Clock:
    """Seconds, as a test sets them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lists(tmp_path: Path, clock: Clock) -> FolderLists:
    return FolderLists(tmp_path / "lists", tmp_path / "facilities", clock=clock)


def put(folder: Path, name: str, valid_from: str, text: str) -> Path:
    path = folder / name / f"{valid_from}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def codes(lists: object, name: str, day: date) -> set[str] | None:
    found = lists.on(name, day)  # type: ignore[attr-defined]
    return None if found is None else set(found.codes)


def test_a_version_counts_from_its_day_until_the_next_one(lists: FolderLists, tmp_path: Path) -> None:
    put(tmp_path / "lists", "ICD10", "2026-01-01", "code\nA00\n")
    put(tmp_path / "lists", "ICD10", "2026-07-01", "# source: QĐ mới\ncode\nA01\n")
    assert codes(lists, "ICD10", date(2025, 12, 31)) is None
    assert codes(lists, "ICD10", date(2026, 6, 30)) == {"A00"}
    assert codes(lists, "ICD10", date(2026, 7, 1)) == {"A01"}


def test_a_loaded_version_takes_the_place_of_the_shipped_one_from_its_day(lists: FolderLists, tmp_path: Path) -> None:
    shipped = codes(lists, "gioi_tinh", date(2026, 1, 1))
    put(tmp_path / "lists", "gioi_tinh", "2027-01-01", "code\n1\n2\n3\n4\n")
    lists_later = FolderLists(tmp_path / "lists", tmp_path / "facilities")
    assert shipped == {"1", "2", "3"}
    assert codes(lists_later, "gioi_tinh", date(2026, 12, 31)) == shipped
    assert codes(lists_later, "gioi_tinh", date(2027, 1, 1)) == {"1", "2", "3", "4"}


def test_a_facilitys_own_list_is_its_own(lists: FolderLists, tmp_path: Path) -> None:
    put(tmp_path / "facilities" / "01999" / "lists", "STAFF", "2026-01-01", "code\nA\n")
    put(tmp_path / "lists", "STAFF", "2026-01-01", "code\nB\n")
    day = date(2026, 2, 1)
    assert codes(lists.of("01999"), "STAFF", day) == {"A"}
    assert codes(lists.of("48999"), "STAFF", day) == codes(lists, "STAFF", day) == {"B"}
    assert codes(lists.of("../.."), "STAFF", day) == {"B"}


def test_a_broken_version_counts_as_not_there_until_it_is_mended(
    lists: FolderLists, tmp_path: Path, clock: Clock
) -> None:
    put(tmp_path / "lists", "YHCT", "2026-01-01", "code\nU50\n")
    broken = put(tmp_path / "lists", "YHCT", "2026-07-01", "mã;tên\nU51;x\n")
    day = date(2026, 8, 1)
    assert codes(lists, "YHCT", day) == {"U50"}
    broken.write_text("code\nU51\n", encoding="utf-8")
    clock.now += 3
    assert codes(lists, "YHCT", day) == {"U51"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"name,code\nx,1\n", "first column must be `code`"),
        (b"code;name\n1;x\n", "separated by commas"),
        (b"code,name\n1,x,y\n", "more values than columns"),
        (b"code,name\n,x\n", "the code is empty"),
        (b"code\n", "no row"),
        (b"", "first column"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(content: bytes, problem: str) -> None:
    with pytest.raises(ListError, match=problem):
        parse_list("ICD10", content)


def judged(judge_: RegisteredJudge, visit: VisitClosed, now: datetime) -> Verdict:
    return judge_.judge(visit, judge_.open(visit, now), EarlierDossiers())


def test_the_bus_judges_by_the_loaded_lists(lists: FolderLists, tmp_path: Path) -> None:
    ended = datetime(2026, 11, 2, 3, tzinfo=UTC)
    sample = new_dossier(1, facility="01999", kind=VisitKind.EXAM, insured=True, discharged_at=ended)
    visit = VisitClosed("01999", sample.ma_lk, 1, ended, tuple(TableFile(*table) for table in sample.tables))
    (tmp_path / "facilities").mkdir()
    judge_ = RegisteredJudge(FacilityRegister(tmp_path / "facilities"), 2**24, lists)
    assert judged(judge_, visit, ended).not_judged["CAT-006"] == "STAFF"
    put(tmp_path / "facilities" / "01999" / "lists", "STAFF", "2026-01-01", "code\nsomebody\n")
    judge_ = RegisteredJudge(
        FacilityRegister(tmp_path / "facilities"), 2**24, FolderLists(tmp_path / "lists", tmp_path / "facilities")
    )
    verdict = judged(judge_, visit, ended)
    assert "CAT-006" not in verdict.not_judged
    assert "CAT-006" in {item.code for item in verdict.findings}


def standard(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["standard", *arguments], env={"HEALTHBOOK_HOME": str(home)})


def test_a_list_is_loaded_after_a_look_at_what_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text("code,meaning_vi\n1,Nam\n2,Nữ\n9,Khác\n", encoding="utf-8")
    add = ("add", "gioi_tinh", str(file), "--from", "2027-01-01", "--source", "QĐ thử", "--output", "json")
    looked = json.loads(standard(tmp_path, *add, "--dry-run").stdout)
    assert (looked["added"], looked["removed"], looked["changed"]) == (["9"], ["3"], ["1", "2"])
    assert not (tmp_path / "lists").exists()
    assert standard(tmp_path, *add).exit_code == 0
    again = standard(tmp_path, *add)
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    shown = json.loads(standard(tmp_path, "show", "gioi_tinh", "--on", "2027-01-01", "--output", "json").stdout)
    assert [row["code"] for row in shown] == ["1", "2", "9"]
    listed = json.loads(standard(tmp_path, "list", "--output", "json").stdout)
    assert ["gioi_tinh", "2027-01-01", "3 codes, QĐ thử"] in [
        [row["name"], row["valid_from"], row["about"]] for row in listed
    ]


def test_a_list_that_no_rule_asks_for_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("code\n1\n", encoding="utf-8")
    answer = standard(tmp_path, "add", "ICD11", str(file), "--from", "2027-01-01", "--source", "x")
    assert answer.exit_code == 1
    assert "nobody asks for list ICD11" in answer.stderr


@pytest.mark.parametrize(("row", "wrong"), [("20261301,off", "yyyymmdd"), ("20261231,free", "off or working")])
def test_a_day_that_is_none_is_no_day_off(tmp_path: Path, row: str, wrong: str) -> None:
    file = tmp_path / "days.csv"
    file.write_text(f"code,kind\n{row}\n", encoding="utf-8")
    answer = standard(tmp_path, "add", "DAYS_OFF", str(file), "--from", "2026-01-01", "--source", "x")
    assert answer.exit_code == 1
    assert wrong in answer.stderr


def test_standards_are_listed_with_their_days_shown_and_compared(tmp_path: Path) -> None:
    listed = json.loads(standard(tmp_path, "list", "--output", "json").stdout)
    days = {row["name"]: (row["valid_from"], row["valid_to"]) for row in listed if row["kind"] == "standard"}
    assert days == {
        "130": ("", "2024-06-30"),
        "4750": ("2024-07-01", "2024-12-31"),
        "3176": ("2025-01-01", "2026-06-30"),
        "1931": ("2026-07-01", ""),
    }
    changes = json.loads(standard(tmp_path, "diff", "3176", "1931", "--output", "json").stdout)
    assert {(row["table"], row["field"]) for row in changes} == {("XML2", "MUC_HUONG"), ("XML3", "MUC_HUONG")}
    added = json.loads(standard(tmp_path, "diff", "130", "4750", "--output", "json").stdout)
    assert {row["table"] for row in added if row["change"] == "table added"} == {"XML13", "XML14", "XML15"}
    fields = json.loads(standard(tmp_path, "show", "1931", "--table", "XML1", "--output", "json").stdout)
    assert len(fields) == 66
    assert standard(tmp_path, "diff", "130", "999").exit_code == 2
    assert standard(tmp_path, "show", "nothing").exit_code == 2


ENDED = datetime(2026, 11, 2, 3, tzinfo=UTC)


def severities(lists: FolderLists, code: str) -> dict[str, str]:
    sample = defective_dossier(DEFECTS[code], 1, facility="01999", discharged_at=ENDED)
    verdict = judge([TableFile(*table) for table in sample.tables], now=ENDED, lists=lists)
    return {item.code: str(item.severity) for item in verdict.findings}


def test_the_operator_raises_and_lowers_a_facility_only_raises(tmp_path: Path) -> None:
    common, facilities = tmp_path / "lists", tmp_path / "facilities"
    put(common, "SEVERITY", "2026-01-01", "code,severity,reason\nMON-103,warning,QĐ 1\nREQ-014,critical,QĐ 2\n")
    put(
        facilities / "01999" / "lists",
        "SEVERITY",
        "2026-01-01",
        "code,severity,reason\nX1-013,critical,x\nX3-008,warning,x\n",
    )
    operators, own = FolderLists(common, tmp_path / "none"), FolderLists(common, facilities)
    assert severities(operators, "MON-103")["MON-103"] == "warning"
    assert severities(operators, "REQ-014") == {"REQ-014": "critical"}
    assert severities(operators, "X1-013") == {"X1-013": "warning"}
    assert severities(own, "X1-013") == {"X1-013": "critical"}
    assert severities(own, "X3-008") == {"X3-008": "critical"}


def test_some_rules_nobody_lowers(tmp_path: Path) -> None:
    put(tmp_path / "lists", "SEVERITY", "2026-01-01", "code,severity,reason\nREQ-001,warning,x\n")
    lists = FolderLists(tmp_path / "lists", tmp_path / "none")
    assert severities(lists, "REQ-001") == {"REQ-001": "critical"}


@pytest.mark.parametrize(
    ("row", "facility", "problem"),
    [
        ("REQ-001,warning,x", None, "REQ-001 is never lowered"),
        ("X3-008,warning,x", "01999", "the operator alone may lower one"),
        ("X3-008,warning,", None, "a reason is missing"),
        ("X3-008,low,x", None, "severity must be critical or warning"),
        ("XX-1,warning,x", None, "no such rule"),
        ("LNK-002,warning,x", None, "no such rule"),
    ],
)
def test_a_decision_that_cannot_be_is_refused(tmp_path: Path, row: str, facility: str | None, problem: str) -> None:
    file = tmp_path / "s.csv"
    file.write_text(f"code,severity,reason\n{row}\n", encoding="utf-8")
    more = ("--facility", facility) if facility else ()
    answer = standard(tmp_path, "add", "SEVERITY", str(file), "--from", "2027-01-01", "--source", "x", *more)
    assert answer.exit_code == 1
    assert problem in answer.stderr
    assert not (tmp_path / "lists").exists()


def test_a_register_that_is_not_there_is_no_verdict(tmp_path: Path) -> None:
    sample = new_dossier(1, facility="01999", kind=VisitKind.EXAM, insured=True, discharged_at=ENDED)
    visit = VisitClosed("01999", sample.ma_lk, 1, ENDED, tuple(TableFile(*table) for table in sample.tables))
    with pytest.raises(RetryLater, match="register"):
        judged(RegisteredJudge(FacilityRegister(tmp_path / "not mounted"), 2**24), visit, ENDED)
