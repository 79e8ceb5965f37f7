"""A small invented dossier as rows, with one thing changed; and what the gateway said about it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import fastavro

from events.health_book import HealthBookEntry
from events.health_book_content import Person, Summary, Visit
from events.serde import parsed_schema, to_record
from events.visit import PersonKeyKind, VisitAccepted
from streams.domain.privacy_rules import rules_on
from streams.domain.projection import project

DAY = date(2026, 11, 2)
RECEIVED = datetime(2026, 11, 2, 3, 15, tzinfo=UTC)

XML1 = {
    "MA_LK": "TEST-1",
    "MA_BN": "BN000001",
    "HO_TEN": " Nguyễn Văn Thử ",
    "SO_CCCD": "001090000000",
    "NGAY_SINH": "199001010000",
    "GIOI_TINH": "1",
    "NHOM_MAU": "O+",
    "MA_QUOCTICH": "000",
    "MA_DANTOC": "01",
    "MA_NGHE_NGHIEP": "00000",
    "DIA_CHI": "Số 1, đường Thử Nghiệm",
    "MATINH_CU_TRU": "01",
    "MAXA_CU_TRU": "00004",
    "DIEN_THOAI": "0900000000",
    "MA_THE_BHYT": "GD4019999999999",
    "MA_DKBD": "01999",
    "GT_THE_TU": "20260101",
    "GT_THE_DEN": "20261231",
    "LY_DO_VV": "Ho, sốt nhẹ",
    "CHAN_DOAN_VAO": "Theo dõi viêm họng cấp",
    "CHAN_DOAN_RV": "Viêm họng cấp",
    "MA_BENH_CHINH": "J02",
    "NGAY_VAO": "202611020800",
    "NGAY_RA": "202611020930",
    "SO_NGAY_DTRI": "1",
    "PP_DIEU_TRI": "Nghỉ ngơi",
    "KET_QUA_DTRI": "2",
    "MA_LOAI_RV": "1",
    "MA_LOAI_KCB": "01",
    "MA_CSKCB": "01999",
    "MA_DOITUONG_KCB": "1.1",
    "CAN_NANG": "60.00",
}
XML8 = {
    "QT_BENHLY": "Ho ba ngày",
    "TOMTAT_KQ": "Bạch cầu 7 G/L",
    "PP_DIEUTRI": "Kháng viêm",
    "GHI_CHU": "Tái khám khi sốt cao",
    "CHAN_DOAN_VAO": "Theo dõi viêm họng cấp",
    "CHAN_DOAN_RV": "Viêm họng cấp",
    "KET_QUA_DTRI": "2",
}

CHILD = {"NGAY_SINH": "202001010000"}
"""Changes that make the patient a minor."""

REFERRAL = {
    "SO_HOSO": "HS-1",
    "SO_CHUYENTUYEN": "CT-1",
    "MA_CSKCB_DI": "01777;01888",
    "MA_CSKCB_DEN": "01999",
    "NGAY_RA": "202611010900;202611020930",
    "DAU_HIEU_LS": "Sốt",
    "CHAN_DOAN_RV": "Viêm phổi",
    "QT_BENHLY": "Ba ngày",
    "TOMTAT_KQ": "X-quang",
    "PP_DIEUTRI": "Kháng sinh",
    "TINH_TRANG_CT": "Tỉnh",
    "MA_BENH_CHINH": "J18",
    "MA_BENH_KT": "I10",
    "MA_LYDO_CT": "1",
    "HUONG_DIEU_TRI": "Nhập viện",
    "PHUONGTIEN_VC": "Xe cứu thương",
    "MA_BAC_SI": "2/CCHN",
}

Rows = Sequence[Mapping[str, str]]


def dossier(xml1: Mapping[str, str] | None = None, **tables: Rows) -> dict[str, Rows]:
    """Tables 1 and 8 of a healthy visit; `xml1` changes fields of table 1, keywords add or replace tables."""
    return {"XML1": [{**XML1, **(xml1 or {})}], "XML8": [XML8], **tables}


def accepted(revision: int = 1, **changes: Any) -> VisitAccepted:
    """The gateway's acceptance of it."""
    given: dict[str, Any] = {
        "facility": "01999",
        "ma_lk": "TEST-1",
        "revision": revision,
        "closed_at": RECEIVED,
        "standard": "1931",
        "visit_type": "01",
        "insured": True,
        "person_key_kind": PersonKeyKind.CCCD,
        "transaction_code": "TX-1",
        "received_at": RECEIVED,
        "sent_at": RECEIVED,
        "attempts": 1,
        "envelope_sha256": "aa",
        "payload_sha256": "bb",
        "certificate_serial": "cc",
    }
    return VisitAccepted(**{**given, **changes})


def entry_of(tables: Mapping[str, Rows], *own: dict[str, str], **more: Any) -> HealthBookEntry:
    """The entry of a dossier; `own` are rules of the facility."""
    return project(accepted(), tables, rules_on(DAY, own), {"01999": "Bệnh viện Thử"}.get, **more)


def drug_row(**changes: str) -> dict[str, str]:
    """One order of a drug in table 2."""
    row = {
        "TEN_THUOC": "Thuốc thử A",
        "HAM_LUONG": "500mg",
        "DANG_BAO_CHE": "Viên",
        "DUONG_DUNG": "1.01",
        "LIEU_DUNG": "1 viên * 2 lần",
        "CACH_DUNG": "Sau ăn",
        "SO_LUONG": "10",
        "DON_VI_TINH": "viên",
        "NGAY_YL": "202611020900",
        "DON_GIA": "1500",
    }
    return {**row, **changes}


def person(**xml1: str) -> Person:
    """The person of the entry of that dossier."""
    found = entry_of(dossier(xml1)).person
    assert found is not None
    return found


def visit(xml1: dict[str, str] | None = None, **tables: Rows) -> Visit:
    """The visit of the entry of that dossier."""
    found = entry_of(dossier(xml1, **tables)).visit
    assert found is not None
    return found


def summary(xml1: dict[str, str] | None = None, **tables: Rows) -> Summary:
    """The summary of the entry of that dossier."""
    found = entry_of(dossier(xml1, **tables)).summary
    assert found is not None
    return found


def local(text: str) -> datetime:
    """The instant of 12 digits of Vietnamese time."""
    return datetime.strptime(f"{text}+0700", "%Y%m%d%H%M%z").astimezone(UTC)


def encoded(entry: HealthBookEntry) -> bytes:
    """Avro body of the entry: text stands in it as UTF-8."""
    body = BytesIO()
    fastavro.schemaless_writer(body, parsed_schema(entry.topic), to_record(entry))
    return body.getvalue()
