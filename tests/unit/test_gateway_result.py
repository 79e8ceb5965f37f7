"""What an answer means: the body decides, whatever the status; what cannot be read never counts as a no."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.gateway_result import CLASSES, ResultClass, classify

RECEIPT = {"maGiaoDich": "GD-1", "thoiGianTiepNhan": "20261102080910"}


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_accepted_needs_a_receipt_and_its_time_is_vietnams() -> None:
    reply = classify(200, body(maKetQua="200", **RECEIPT))
    assert reply.result is ResultClass.ACCEPTED
    assert reply.receipt is not None
    assert reply.receipt.transaction_code == "GD-1"
    assert reply.receipt.received_at == datetime(2026, 11, 2, 1, 9, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "broken",
    [{}, {"maGiaoDich": "GD-1"}, RECEIPT | {"thoiGianTiepNhan": "20261302080910"}, RECEIPT | {"maGiaoDich": ""}],
)
def test_200_without_a_whole_receipt_is_unknown(broken: dict[str, str]) -> None:
    reply = classify(200, body(maKetQua="200", **broken))
    assert (reply.result, reply.code, reply.receipt) == (ResultClass.UNKNOWN, "NO_RECEIPT", None)


@pytest.mark.parametrize(("code", "result"), CLASSES.items())
@pytest.mark.parametrize("status", [200, 400, 500])
def test_the_code_in_the_body_decides_and_not_the_status(code: str, result: ResultClass, status: int) -> None:
    assert classify(status, body(maKetQua=code, **RECEIPT)).result is result


@pytest.mark.parametrize("code", [200, " 200 "])
def test_a_number_or_blanks_are_the_same_code(code: object) -> None:
    assert classify(200, body(MAKETQUA=code, **RECEIPT)).result is ResultClass.ACCEPTED


@pytest.mark.parametrize(
    ("status", "content", "result"),
    [
        (200, b"", ResultClass.UNKNOWN),
        (502, b"<html>Bad Gateway</html>", ResultClass.UNKNOWN),
        (200, b"[]", ResultClass.UNKNOWN),
        (200, b"\xff\xfe", ResultClass.UNKNOWN),
        (200, b"[" * 100_000, ResultClass.UNKNOWN),
        (401, b"", ResultClass.AUTH),
        (200, body(maKetQua=True), ResultClass.UNKNOWN),
        (200, body(maKetQua="no such code"), ResultClass.UNKNOWN),
        (200, body(maKetQua="777"), ResultClass.UNKNOWN),
    ],
)
def test_what_cannot_be_read_is_unknown_and_never_a_no(status: int, content: bytes, result: ResultClass) -> None:
    assert classify(status, content).result is result


@given(st.integers(100, 599), st.binary(max_size=300))
def test_any_bytes_have_an_answer(status: int, content: bytes) -> None:
    assert classify(status, content).result in (ResultClass.UNKNOWN, ResultClass.AUTH)


def test_a_reason_in_the_place_of_the_receipt_is_kept_as_the_text() -> None:
    """GATEWAY §11, Q11."""
    reply = classify(200, body(maKetQua="123", maGiaoDich="Sai bảng XML3", thoiGianTiepNhan="", thongDiep=""))
    assert (reply.message, reply.receipt) == ("Sai bảng XML3", None)


def test_kept_text_has_no_long_number_and_stays_out_of_repr() -> None:
    reply = classify(200, body(maKetQua="205", thongDiep="Thẻ GD4010101000001 của 001090000000\nsai\x00"))
    assert reply.message == "Thẻ G… của … sai"
    assert "sai" not in repr(reply)
