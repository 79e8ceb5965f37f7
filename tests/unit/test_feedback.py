"""Error lists of the gateway: which sending a line is about, and every file that a portal may export."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xlsxwriter import Workbook

from events.visit import GatewayFinding
from streams.adapters.feedback_file import FileFeedback
from streams.domain.feedback import FeedbackError, Sending, ToldFinding, sending_of

T = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEAD = ("maCSKCB", "maLK", "maGiaoDich", "bang", "stt", "truong", "maLoi", "moTa", "thoiGian")
ROW = ("01999", "V1", "G1", "XML3", "2", "THANH_TIEN_BV", "E-48", "Tổng chi phí không khớp", "20261103100000")
LINE = ToldFinding(
    "01999",
    "V1",
    "G1",
    T + 24 * HOUR,
    GatewayFinding("E-48", "Tổng chi phí không khớp", "XML3", 2, "THANH_TIEN_BV"),
)


def line(transaction: str = "", told_at: datetime = T) -> ToldFinding:
    return ToldFinding("01999", "V1", transaction, told_at, GatewayFinding("E", "", None, None, None))


FIRST = Sending(1, T, accepted=True, transaction_code="G1")
AGAIN = Sending(1, T + HOUR, accepted=True, transaction_code="G2")
CORRECTION = Sending(2, T + 2 * HOUR, accepted=True, transaction_code="G3")


@pytest.mark.parametrize(
    ("told", "sending"),
    [
        (line("G1", T + 9 * HOUR), FIRST),
        (line("G3", T), CORRECTION),
        (line("", T + HOUR + timedelta(minutes=30)), AGAIN),
        (line("unknown here", T + 9 * HOUR), CORRECTION),
        (line("", T - timedelta(seconds=1)), FIRST),  # the portal tells whole seconds, and its clock may be behind
        (line("", T - HOUR), None),
    ],
)
def test_the_receipt_decides_else_the_last_sending_before_the_line(told: ToldFinding, sending: Sending | None) -> None:
    assert sending_of(told, [CORRECTION, FIRST, AGAIN]) == sending


def as_csv(rows: Sequence[Sequence[str]], comma: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=comma).writerows(rows)
    return text.getvalue().encode("utf-8-sig")


async def read(path: Path, facility: str | None = None) -> list[ToldFinding]:
    return list(await FileFeedback(path, facility).told())


async def test_a_list_is_read_whatever_its_form_order_and_headings(tmp_path: Path) -> None:
    vietnamese = ("Mã cơ sở KCB", "Mã liên kết", "MÃ GIAO DỊCH", "Bảng", "Dòng", "Tên trường", "Mã lỗi", "Mô tả lỗi")
    excel = (1999, *ROW[1:3], "3", 2, *ROW[5:8], datetime(2026, 11, 3, 10, 0))  # noqa: DTZ001 - workbooks know no zones
    (tmp_path / "a.csv").write_bytes(as_csv([HEAD, ROW]))
    (tmp_path / "b.csv").write_bytes(as_csv([["Ghi chú", *reversed(HEAD)], ["x", *reversed(ROW)]], ";"))
    (tmp_path / "c.csv").write_bytes(as_csv([(*vietnamese, "Thời gian"), (*ROW[:8], "03/11/2026 10:00:00")]))
    with Workbook(tmp_path / "d.xlsx", {"default_date_format": "dd/mm/yyyy hh:mm:ss"}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, (*vietnamese, "Thời gian trả lời"))
        for column, cell in enumerate(excel):
            sheet.write(1, column, cell)
    for name in ("a.csv", "b.csv", "c.csv", "d.xlsx"):
        assert await read(tmp_path / name) == [LINE], name


async def test_a_list_of_one_facility_may_leave_its_code_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv([HEAD[1:], ROW[1:]]))
    assert await read(tmp_path / "a.csv", "01999") == [LINE]
    with pytest.raises(FeedbackError, match="expected columns maCSKCB"):
        await read(tmp_path / "a.csv")


def changed(name: str, value: str) -> list[tuple[str, ...]]:
    return [HEAD, ROW, tuple(value if column == name else cell for column, cell in zip(HEAD, ROW, strict=True))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (as_csv([("maLK", "x"), ("V1", "y")]), "heading: expected columns maLoi, thoiGian"),
        (as_csv(changed("maLK", "")), "line 3, maLK: expected a value"),
        (as_csv(changed("thoiGian", "hôm qua")), "line 3, thoiGian: expected yyyyMMddHHmmss"),
        (as_csv(changed("thoiGian", "99991231235959")), "line 3, thoiGian: expected a year from 2017 on"),
        (as_csv(changed("maLK", "V\0")), "line 3, maLK: expected text"),
        (as_csv([ROW, ROW]), "heading: expected columns maLK, maLoi, thoiGian, found 9 other columns"),
        (as_csv(changed("stt", "hai")), "line 3, stt: expected a whole number"),
        (as_csv(changed("maLoi", "x" * 101)), "line 3, maLoi: expected at most 100 characters"),
        (as_csv(changed("maCSKCB", "48999")), "line 3, maCSKCB: expected 01999, found another facility"),
        ("maLK,maLoi,thoiGian\nđ".encode("cp1258"), "not UTF-8"),
    ],
)
async def test_a_list_that_cannot_be_used_says_where_and_why(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(FeedbackError, match=said) as raised:
        await read(tmp_path / "a.csv", "01999")
    assert "hôm qua" not in str(raised.value)


@given(content=st.binary(max_size=300), suffix=st.sampled_from([".csv", ".xlsx", ".xls", ".ods"]))
async def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    with suppress(FeedbackError):
        await read(path, "01999")


async def test_a_message_quotes_no_number_of_a_person(tmp_path: Path) -> None:
    rows: Any = changed("moTa", "Thẻ DN4019912345678 hết hạn, CCCD 099080000001")
    (tmp_path / "a.csv").write_bytes(as_csv(rows))
    (_, told) = await read(tmp_path / "a.csv")
    assert told.finding.message == "Thẻ DN… hết hạn, CCCD …"
