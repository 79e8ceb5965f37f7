"""The HIS's own list: every form that it may have, and one clear text for each line that cannot be read."""

from datetime import date
from pathlib import Path

import pytest

from streams.adapters.closed_list import ClosedListError, read_closed_list
from streams.domain.reconciliation import Closed

DAY = date(2026, 11, 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "closed.csv"


@pytest.mark.parametrize(
    "text",
    [
        "V1\nV2\n",
        "\ufeffV1\r\n\r\nV2\r\n",
        "MA_LK\nV1\nV2\n",
        "STT;MA_LK;HO_TEN\n1;V1;x\n2;V2;y\n",
        'MA_LK,REVISION\n"V1",\nV2,\n',
        '{"facility": "01999", "ma_lk": "V1"}\n{"facility": "01999", "ma_lk": "V2"}\n',
        "MA_LK\tCLOSED_AT\nV1\t202611020001\nV2\t2026-11-01T17:30:00Z\n",
    ],
)
def test_each_form_names_the_same_visits(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    assert read_closed_list(file, "01999", DAY).closed == (Closed("V1"), Closed("V2"))


def test_a_revision_may_stand_beside_the_visit(file: Path) -> None:
    file.write_text("MA_LK,REVISION\nV1,7\nV1,8\nV1,8\n", encoding="utf-8")
    found = read_closed_list(file, "01999", DAY)
    assert found.closed == (Closed("V1", 7), Closed("V1", 8))
    assert found.repeated == 1


def test_what_is_about_another_day_or_facility_is_left_out(file: Path) -> None:
    file.write_text(
        "MA_CSKCB,MA_LK,CLOSED_AT\n01999,V1,202611022359\n48999,V2,202611021200\n01999,V3,202611030000\n",
        encoding="utf-8",
    )
    found = read_closed_list(file, "01999", DAY)
    assert found.closed == (Closed("V1"),)
    assert found.elsewhere == 2


def test_every_line_that_is_wrong_is_told_with_its_number_and_never_quoted(file: Path) -> None:
    file.write_text(
        "MA_LK,REVISION,CLOSED_AT\nV1,two,\n,3,\nV|2,3,\nV3\nV4,1,yesterday\nV5,1,202611020000\n", encoding="utf-8"
    )
    with pytest.raises(ClosedListError) as caught:
        read_closed_list(file, "01999", DAY)
    assert [problem.split(": ")[:2] for problem in caught.value.problems] == [
        ["closed.csv:2", "REVISION"],
        ["closed.csv:3", "MA_LK"],
        ["closed.csv:4", "MA_LK"],
        ["closed.csv:5", "expected 3 columns as in the heading, found 1"],
        ["closed.csv:6", "CLOSED_AT"],
    ]
    assert "yesterday" not in str(caught.value)


def test_columns_without_a_heading_are_not_guessed(file: Path) -> None:
    file.write_text("V1;Nguyễn Văn Thử\n", encoding="utf-8")
    with pytest.raises(ClosedListError, match="heading"):
        read_closed_list(file, "01999", DAY)


def test_bytes_that_are_no_utf_8_say_what_to_do(file: Path) -> None:
    file.write_bytes("MA_LK\nĐ".encode("utf-16"))
    with pytest.raises(ClosedListError, match="UTF-8"):
        read_closed_list(file, "01999", DAY)


def test_an_empty_list_says_that_nothing_closed(file: Path) -> None:
    file.write_text("\n", encoding="utf-8")
    assert read_closed_list(file, "01999", DAY).closed == ()
