"""What stands in a dossier or a check-in, read with the gateway's own knowledge of the format (ENVELOPE §2, §3).

Structure that cannot be read is 123, values that contradict each other are 202, a batch is 205. All findings of a
dossier are collected, because the portal lists them all.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from lxml import etree

from streams.simulators.gateway.answers import Code, Finding, Refusal
from streams.simulators.gateway.signature import HOLDER
from streams.simulators.gateway.xml import parse, text_of

MAX_VISIT_KEY = 100
CHECK_IN = "XML0"

# table → (root, list element, row element); without a list element the row is the root itself
TABLES: dict[str, tuple[str, str, str]] = {
    "XML1": ("TONG_HOP", "", "TONG_HOP"),
    "XML2": ("CHITIEU_CHITIET_THUOC", "DSACH_CHI_TIET_THUOC", "CHI_TIET_THUOC"),
    "XML3": ("CHITIEU_CHITIET_DVKT_VTYT", "DSACH_CHI_TIET_DVKT", "CHI_TIET_DVKT"),
    "XML4": ("CHITIEU_CHITIET_DICHVUCANLAMSANG", "DSACH_CHI_TIET_CLS", "CHI_TIET_CLS"),
    "XML5": ("CHITIEU_CHITIET_DIENBIENLAMSANG", "DSACH_CHI_TIET_DIEN_BIEN_BENH", "CHI_TIET_DIEN_BIEN_BENH"),
    "XML6": (
        "CHI_TIEU_HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
        "DSACH_HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
        "HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
    ),
    "XML7": ("CHI_TIEU_DU_LIEU_GIAY_RA_VIEN", "", "CHI_TIEU_DU_LIEU_GIAY_RA_VIEN"),
    "XML8": ("CHI_TIEU_DU_LIEU_TOM_TAT_HO_SO_BENH_AN", "", "CHI_TIEU_DU_LIEU_TOM_TAT_HO_SO_BENH_AN"),
    "XML9": ("CHI_TIEU_DU_LIEU_GIAY_CHUNG_SINH", "DSACH_GIAYCHUNGSINH", "DU_LIEU_GIAY_CHUNG_SINH"),
    "XML10": ("CHI_TIEU_DU_LIEU_GIAY_NGHI_DUONG_THAI", "", "CHI_TIEU_DU_LIEU_GIAY_NGHI_DUONG_THAI"),
    "XML11": (
        "CHI_TIEU_DU_LIEU_GIAY_CHUNG_NHAN_NGHI_VIEC_HUONG_BAO_HIEM_XA_HOI",
        "",
        "CHI_TIEU_DU_LIEU_GIAY_CHUNG_NHAN_NGHI_VIEC_HUONG_BAO_HIEM_XA_HOI",
    ),
    "XML13": ("CHI_TIEU_GIAYCHUYENTUYEN", "", "CHI_TIEU_GIAYCHUYENTUYEN"),
    "XML14": ("CHI_TIEU_GIAYHEN_KHAMLAI", "", "CHI_TIEU_GIAYHEN_KHAMLAI"),
    "XML15": ("CHI_TIEU_DIEUTRI_BENHLAO", "DSACH_CHITIET_DIEUTRI_BENHLAO", "CHITIET_DIEUTRI_BENHLAO"),
    CHECK_IN: ("CHI_TIEU_TRANG_THAI_KCB", "DSACH_TRANG_THAI_KCB", "TRANG_THAI_KCB"),
}
_ORDER = list(TABLES)
_ALWAYS_FILLED = {
    "XML1": ("MA_BN", "HO_TEN", "NGAY_SINH", "GIOI_TINH", "MA_DOITUONG_KCB", "NGAY_VAO", "NGAY_RA", "MA_LOAI_KCB"),
    CHECK_IN: ("MA_BN", "HO_TEN", "NGAY_SINH", "GIOI_TINH", "MA_DOITUONG_KCB", "NGAY_VAO", "MA_LOAI_KCB", "NGAY_YL"),
}
_INSTANTS = ("NGAY_VAO", "NGAY_RA")
_DAY = re.compile(r"\d{8}")
_INSTANT = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True)
class Visit:
    """One HOSO. `period` is (year, month) of the costs, `discharged` the day of NGAY_RA; None when unreadable."""

    visit: str | None
    period: tuple[int, int] | None = None
    discharged: date | None = None


@dataclass(slots=True)
class Contents:
    """What was read. `refusal` is the answer to the content if everything before it passes."""

    facility: str
    visits: list[Visit] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    batch: bool = False

    @property
    def visit(self) -> str | None:
        return self.visits[0].visit if self.visits else None

    @property
    def refusal(self) -> Refusal | None:
        if not self.findings:
            return None
        code = min(Code(finding.code) for finding in self.findings)  # 123 before 202: first what cannot be read
        first = next(finding for finding in self.findings if finding.code == code)
        return Refusal(code, f"{first.table} {first.field}: {first.text}", tuple(self.findings))

    def find(self, code: Code, table: str, row: int | None, name: str, text: str) -> None:
        self.findings.append(Finding(table, row, name, code, text))


def read_envelope(root: etree._Element) -> Contents:
    """A dossier. Raises Refusal 123 when the root is not that of an envelope; all else is in the findings."""
    if root.tag != "GIAMDINHHS":
        raise Refusal(Code.FORMAT, "Hồ sơ: phần tử gốc không phải GIAMDINHHS")
    contents = Contents(text_of(root.find("THONGTINDONVI/MACSKCB")))
    parts = [str(child.tag) for child in root]
    if parts not in (["THONGTINDONVI", "THONGTINHOSO", HOLDER], ["THONGTINDONVI", "THONGTINHOSO"]):
        contents.find(Code.FORMAT, "GIAMDINHHS", None, "", "sai cấu trúc hồ sơ")
        return contents
    if not _is_day(text_of(root.find("THONGTINHOSO/NGAYLAP"))):
        contents.find(Code.FORMAT, "GIAMDINHHS", None, "NGAYLAP", "không phải ngày yyyyMMdd")
    files = root.findall("THONGTINHOSO/DANHSACHHOSO/HOSO")
    count = text_of(root.find("THONGTINHOSO/SOLUONGHOSO"))
    if not files or not count.isdecimal() or int(count) != len(files):
        contents.find(Code.FORMAT, "GIAMDINHHS", None, "SOLUONGHOSO", "không khớp số hồ sơ")
    contents.batch = len(files) > 1
    contents.visits = [_read_visit(file, contents) for file in files]
    return contents


def read_check_in(root: etree._Element) -> Contents:
    """XML0: one row, signed inside its own root. Raises Refusal 123 when the root is another."""
    if root.tag != TABLES[CHECK_IN][0]:
        raise Refusal(Code.FORMAT, "XML0: phần tử gốc không phải CHI_TIEU_TRANG_THAI_KCB")
    contents = Contents(text_of(root.find("DSACH_TRANG_THAI_KCB/TRANG_THAI_KCB/MA_CSKCB")))
    rows = _rows(CHECK_IN, root, contents)
    if len(rows) != 1:
        contents.find(Code.FORMAT, CHECK_IN, None, "", "cần đúng một dòng")
    visit = text_of(rows[0].find("MA_LK")) if rows else ""
    contents.visits = [Visit(visit or None)]
    _judge(CHECK_IN, rows, visit, contents)
    return contents


def _read_visit(file: etree._Element, contents: Contents) -> Visit:
    tables = list(_tables(file, contents))
    kinds = [kind for kind, _ in tables]
    if kinds != sorted(kinds, key=_ORDER.index):
        contents.find(Code.FORMAT, "GIAMDINHHS", None, "LOAIHOSO", "không theo thứ tự tăng dần")
    heads = [root for kind, root in tables if kind == "XML1"]
    if len(heads) != 1:
        contents.find(Code.FORMAT, "XML1", None, "", "cần đúng một bảng XML1")
        return Visit(None)
    head = heads[0]
    visit = text_of(head.find("MA_LK"))
    for kind, root in tables:
        _judge(kind, _rows(kind, root, contents), visit, contents)
    return Visit(visit or None, _period(head), _day(text_of(head.find("NGAY_RA"))))


def _tables(file: etree._Element, contents: Contents) -> Iterator[tuple[str, etree._Element]]:
    """(kind, root) of each table; an empty `NOIDUNGFILE` counts as left out, as seen in the wild."""
    for part in file:
        kind, text = text_of(part.find("LOAIHOSO")), text_of(part.find("NOIDUNGFILE"))
        if part.tag != "FILEHOSO" or kind not in TABLES or kind == CHECK_IN:
            contents.find(Code.FORMAT, "GIAMDINHHS", None, "LOAIHOSO", "loại hồ sơ không hợp lệ")
            continue
        if not text:
            continue
        try:
            yield kind, parse(base64.b64decode("".join(text.split()), validate=True), kind)
        except binascii.Error:
            contents.find(Code.FORMAT, kind, None, "NOIDUNGFILE", "không phải base64 hợp lệ")
        except Refusal as refusal:
            contents.find(refusal.code, kind, None, "NOIDUNGFILE", refusal.text)


def _rows(kind: str, root: etree._Element, contents: Contents) -> list[etree._Element]:
    name, list_name, row_name = TABLES[kind]
    if root.tag != name:
        contents.find(Code.FORMAT, kind, None, "", f"phần tử gốc không phải {name}")
        return []
    if not list_name:
        return [root]
    holder = root.find(list_name)
    if holder is None or any(child.tag != row_name for child in holder):
        contents.find(Code.FORMAT, kind, None, list_name, "sai cấu trúc bảng")
        return []
    return list(holder)


def _judge(kind: str, rows: list[etree._Element], visit: str, contents: Contents) -> None:
    for number, row in enumerate(rows, start=1):
        key = text_of(row.find("MA_LK"))
        if not key or len(key) > MAX_VISIT_KEY:
            contents.find(Code.CONTENT, kind, number, "MA_LK", "thiếu hoặc dài quá 100 ký tự")
        elif key != visit:
            contents.find(Code.CONTENT, kind, number, "MA_LK", "khác MA_LK của XML1")
        if kind not in _ALWAYS_FILLED:
            continue
        if text_of(row.find("MA_CSKCB")) != contents.facility:
            contents.find(Code.CONTENT, kind, number, "MA_CSKCB", "khác MACSKCB của hồ sơ")
        for name in _ALWAYS_FILLED[kind]:
            value = text_of(row.find(name))
            if not value:
                contents.find(Code.CONTENT, kind, number, name, "bắt buộc phải có")
            elif name in _INSTANTS and (not _INSTANT.fullmatch(value) or _day(value) is None):
                contents.find(Code.CONTENT, kind, number, name, "không phải thời điểm yyyyMMddHHmm")


def _period(head: etree._Element) -> tuple[int, int] | None:
    """The settlement month NAM_QT/THANG_QT; before payment it may be empty, then the month of discharge."""
    year, month = text_of(head.find("NAM_QT")), text_of(head.find("THANG_QT"))
    if year.isdecimal() and month.isdecimal() and 1 <= int(month) <= 12:
        return int(year), int(month)
    discharged = _day(text_of(head.find("NGAY_RA")))
    return (discharged.year, discharged.month) if discharged else None


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if text[:8].isdecimal() else None
    except ValueError:
        return None


def _is_day(text: str) -> bool:
    return bool(_DAY.fullmatch(text)) and _day(text) is not None
