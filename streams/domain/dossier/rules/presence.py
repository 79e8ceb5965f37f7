"""REQ: what must be filled when something else is so. (REQ-001, what must always be filled, is `values.py`.)"""

import re
from collections.abc import Callable, Iterator
from datetime import date

from events.visit import Finding
from streams.domain.dossier.findings import finding
from streams.domain.dossier.rules.rule import Check, Rule
from streams.domain.dossier.rules.words import (
    BEDS,
    BLOOD_AND_OXYGEN,
    COVERED_SCOPES,
    PARACLINICAL,
    age,
    home_code,
    is_sent_out,
    is_supply,
    members,
)
from streams.domain.dossier.visit import Line, Visit

When = Callable[[Line, Visit], bool]

_WITHOUT_DISTRICTS = date(2025, 7, 1)
_CARDS_WITHOUT_END = frozenset({"QN", "HC", "LS", "XK", "CY", "CA"})
_OXYGEN = frozenset({"40.17", "40.573"})
_SELF_MADE = re.compile(r"(HD|CP|VT)\.")
_HERBS = re.compile(r"(VM|BB)\.")
_IDENTITY_AGE = 14


def filled(text_id: str, kind: str, names: tuple[str, ...], when: When) -> Check:
    """Each of the fields must be filled in every row for which `when` holds."""

    def check(visit: Visit) -> Iterator[Finding]:
        for line in visit.lines(kind):
            if any(line[name] == "" for name in names) and when(line, visit):
                for name in names:
                    if line[name] == "":
                        yield finding(text_id, line.at(name), expected="a value", found="empty")

    return check


def all_or_none(text_id: str, kind: str, names: tuple[str, ...]) -> Check:
    """The fields are filled together or empty together."""

    def check(visit: Visit) -> Iterator[Finding]:
        for line in visit.lines(kind):
            empty = [name for name in names if line[name] == ""]
            if empty and len(empty) < len(names):
                yield finding(text_id, line.at(empty[0]), expected="a value", found="empty", names=", ".join(names))

    return check


def named(text_id: str, kind: str, *pairs: tuple[str, str]) -> Check:
    """The name must be filled when the matching code is."""

    def check(visit: Visit) -> Iterator[Finding]:
        for line in visit.lines(kind):
            for code, name in pairs:
                if line[code] and line[name] == "":
                    yield finding(text_id, line.at(name), expected=f"the name of {code}", found="empty")

    return check


def one_code(visit: Visit) -> Iterator[Finding]:
    """REQ-002: a check-in names what was ordered."""
    names = ("MA_DICH_VU", "MA_THUOC", "MA_VAT_TU")
    for line in visit.lines("CHECKIN"):
        if all(line[name] == "" for name in names):
            yield finding("REQ-002", line.at(names[0]), expected="one of the three codes", found="all empty")


def ends_of_cards(visit: Visit) -> Iterator[Finding]:
    """REQ-008: only the forces' cards run without an end."""
    line = visit.xml1
    if line["GT_THE_DEN"] is None or any(True for _ in same_number_of_cards(visit)):
        return
    ends = members(line["GT_THE_DEN"])
    for number, card in enumerate(members(line["MA_THE_BHYT"])):
        end = ends[number] if number < len(ends) else ""
        if card[:2] not in _CARDS_WITHOUT_END and not end:
            yield finding("REQ-008", line.at("GT_THE_DEN"), expected="an end for each card", found="empty")
            return


def same_number_of_cards(visit: Visit) -> Iterator[Finding]:
    """REQ-009."""
    line = visit.xml1
    wanted = len(members(line["MA_THE_BHYT"]))
    for name in ("MA_DKBD", "GT_THE_TU", "GT_THE_DEN"):
        number = len(members(line[name]))
        if wanted and number and number != wanted:
            yield finding("REQ-009", line.at(name), expected=f"{wanted} members", found=f"{number} members")


def medicine_or_gas(line: Line) -> bool:
    """What REQ-017 and REQ-018 except by group and code."""
    return line["MA_NHOM"] in BLOOD_AND_OXYGEN or line["MA_THUOC"] in _OXYGEN


def _needs_tender(line: Line, visit: Visit) -> bool:
    code, registration = line["MA_THUOC"], line["SO_DANG_KY"]
    return (
        visit.insured
        and line["PHAM_VI"] in COVERED_SCOPES
        and bool(line["MA_NHOM"] and code)
        and not medicine_or_gas(line)
        and not _HERBS.match(code or "")
        and not (registration and _SELF_MADE.match(registration))
    )


def _needs_registration(line: Line, _visit: Visit) -> bool:
    code = line["MA_THUOC"]
    return (
        bool(line["MA_NHOM"] and code)
        and not medicine_or_gas(line)
        and not (code or "").startswith(("VM.", "BB.", "05V."))
        and line["PHAM_VI"] in COVERED_SCOPES
    )


def changed_regimen(visit: Visit) -> Iterator[Finding]:
    """REQ-037: both or neither, and both when the regimen is not the first one any more."""
    names = ("NGAY_CHUYEN_PHAC_DO", "LY_DO_CHUYEN_PHAC_DO")
    for line in visit.lines("XML6"):
        empty = [name for name in names if line[name] == ""]
        first, now = line["MA_PHAC_DO_DIEU_TRI_BD"], line["MA_PHAC_DO_DIEU_TRI"]
        if len(empty) == 1 or (empty and first and now and first != now):
            yield finding("REQ-037", line.at(empty[0]), expected="a value", found="empty")


def read_images(visit: Visit) -> Iterator[Finding]:
    """REQ-031: an image needs a description and a conclusion."""
    images = {line["MA_DICH_VU"] for line in visit.lines("XML3") if line["MA_NHOM"] == "2" and line["MA_DICH_VU"]}
    for line in visit.lines("XML4"):
        if line["NGAY_KQ"] and line["MA_DICH_VU"] in images:
            for name in ("MO_TA", "KET_LUAN"):
                if line[name] == "":
                    yield finding("REQ-031", line.at(name), expected="a value", found="empty")


def reading_doctor(visit: Visit) -> Iterator[Finding]:
    """REQ-032: who read it, except where another facility did."""
    sent_out = {line["MA_DICH_VU"] for line in visit.lines("XML3") if is_sent_out(line)}
    done_elsewhere = sent_out | {home_code(code) for code in sent_out if code}
    for line in visit.lines("XML4"):
        code = line["MA_DICH_VU"]
        if code is None or code in done_elsewhere or is_sent_out(line):
            continue
        if (line["GIA_TRI"] or line["KET_LUAN"]) and line["MA_BS_DOC_KQ"] == "":
            yield finding("REQ-032", line.at("MA_BS_DOC_KQ"), expected="a value", found="empty")


def ended_pregnancies(visit: Visit) -> Iterator[Finding]:
    """REQ-039."""
    names = {
        "XML7": ("NGUYENNHAN_DINHCHI", "THOIGIAN_DINHCHI", "TUOI_THAI"),
        "XML11": ("NGUYENNHAN_DINHCHI", "TUOI_THAI"),
    }
    for kind, wanted in names.items():
        yield from filled("REQ-039", kind, wanted, lambda line, _: line["MA_DINH_CHI_THAI"] == "1")(visit)


def districts(visit: Visit) -> Iterator[Finding]:
    """REQ-016: districts ended with 2025-06-30."""
    if visit.day < _WITHOUT_DISTRICTS:
        for kind in ("XML1", "XML9"):
            yield from filled("REQ-016", kind, ("MAHUYEN_CU_TRU",), lambda _line, _visit: True)(visit)


def _grown_up(_line: Line, visit: Visit) -> bool:
    years = age(visit)
    return years is not None and years >= _IDENTITY_AGE


def _contains(name: str, code: str) -> When:
    return lambda line, _visit: code in members(line[name])


_HIV_TEST = ("LAN_XN_PCR", "NGAY_XN_PCR", "NGAY_KQ_XN_PCR", "MA_KQ_XN_PCR")
_TREATMENT = ("NGAY_BAT_DAU_XU_TRI", "NGAY_KET_THUC_XU_TRI", "SO_NGAY_CAP_THUOC_ARV")

RULES = (
    Rule("REQ-002", one_code),
    Rule(
        "REQ-003",
        named(
            "REQ-003",
            "CHECKIN",
            ("MA_DICH_VU", "TEN_DICH_VU"),
            ("MA_THUOC", "TEN_THUOC"),
            ("MA_VAT_TU", "TEN_VAT_TU"),
        ),
    ),
    Rule("REQ-004", filled("REQ-004", "CHECKIN", ("LY_DO_VNT",), lambda line, _: bool(line["NGAY_VAO_NOI_TRU"]))),
    Rule(
        "REQ-005",
        filled(
            "REQ-005",
            "XML1",
            ("LY_DO_VNT", "NGAY_VAO_NOI_TRU", "PP_DIEU_TRI"),
            lambda line, _: line["MA_LOAI_KCB"] in ("03", "04", "09"),
        ),
    ),
    Rule("REQ-007", filled("REQ-007", "XML1", ("MA_DKBD", "GT_THE_TU"), lambda line, _: bool(line["MA_THE_BHYT"]))),
    Rule("REQ-008", ends_of_cards),
    Rule("REQ-009", same_number_of_cards),
    Rule("REQ-010", filled("REQ-010", "XML1", ("MA_NOI_DEN",), lambda line, _: line["MA_LOAI_RV"] in ("2", "5"))),
    Rule(
        "REQ-011", filled("REQ-011", "XML1", ("GIAY_CHUYEN_TUYEN",), lambda line, _: line["MA_DOITUONG_KCB"] == "1.3")
    ),
    Rule(
        "REQ-011W",
        filled(
            "REQ-011W",
            "XML1",
            ("GIAY_CHUYEN_TUYEN",),
            lambda line, _: bool(line["MA_NOI_DI"]) and line["MA_DOITUONG_KCB"] not in ("1.3", None),
        ),
    ),
    Rule("REQ-012", filled("REQ-012", "XML1", ("MA_NOI_DI",), lambda line, _: line["MA_DOITUONG_KCB"] == "1.3")),
    Rule("REQ-013", filled("REQ-013", "XML1", ("SO_CCCD",), _grown_up)),
    Rule("REQ-014", filled("REQ-014", "XML1", ("MA_TTDV",), lambda _line, _visit: True)),
    Rule("REQ-015", filled("REQ-015", "XML1", ("NGAY_TTOAN",), lambda _line, _visit: True)),
    Rule("REQ-016", districts),
    Rule("REQ-017", filled("REQ-017", "XML2", ("TT_THAU",), _needs_tender)),
    Rule("REQ-018", filled("REQ-018", "XML2", ("SO_DANG_KY",), _needs_registration)),
    Rule(
        "REQ-020",
        lambda visit: (
            finding(
                f"REQ-020/{'supply' if is_supply(line) else 'service'}", line.at(name), expected="a code", found="empty"
            )
            for line in visit.lines("XML3")
            if line["MA_NHOM"] and line[name := "MA_VAT_TU" if is_supply(line) else "MA_DICH_VU"] == ""
        ),
    ),
    Rule("REQ-021", named("REQ-021", "XML3", ("MA_DICH_VU", "TEN_DICH_VU"), ("MA_VAT_TU", "TEN_VAT_TU"))),
    Rule("REQ-022", filled("REQ-022", "XML3", ("MA_XANG_DAU",), lambda line, _: line["MA_NHOM"] == "12")),
    Rule(
        "REQ-023",
        filled(
            "REQ-023",
            "XML3",
            ("TT_THAU",),
            lambda line, visit: visit.insured and line["PHAM_VI"] in COVERED_SCOPES and line["MA_NHOM"] == "10",
        ),
    ),
    Rule(
        "REQ-024",
        filled(
            "REQ-024",
            "XML3",
            ("NGUOI_THUC_HIEN", "NGAY_TH_YL"),
            lambda line, _: line["MA_NHOM"] in PARACLINICAL | {"8", "18"} and not is_sent_out(line),
        ),
    ),
    Rule("REQ-025", filled("REQ-025", "XML3", ("MA_GIUONG",), lambda line, _: line["MA_NHOM"] in BEDS)),
    Rule(
        "REQ-026",
        filled(
            "REQ-026", "XML3", ("MA_MAY",), lambda line, _: line["MA_NHOM"] in PARACLINICAL and not is_sent_out(line)
        ),
    ),
    Rule("REQ-027", filled("REQ-027", "XML3", ("PP_VO_CAM",), lambda line, _: line["MA_NHOM"] == "8")),
    Rule("REQ-028", filled("REQ-028", "XML3", ("NGAY_KQ",), lambda line, _: line["MA_NHOM"] in BEDS | {"8", "18"})),
    Rule("REQ-030", filled("REQ-030", "XML4", ("NGAY_KQ",), lambda line, _: bool(line["GIA_TRI"]))),
    Rule("REQ-031", read_images),
    Rule("REQ-032", reading_doctor),
    Rule(
        "REQ-033",
        filled(
            "REQ-033",
            "XML6",
            ("PHACDO_DTRI_LAO", "NGAYBD_DTRI_LAO"),
            lambda line, _: line["LOAI_DTRI_LAO"] in ("1", "2", "3"),
        ),
    ),
    Rule("REQ-034", filled("REQ-034", "XML6", _HIV_TEST, _contains("MA_TINH_TRANG_DK", "1"))),
    Rule("REQ-035", filled("REQ-035", "XML6", _TREATMENT, _contains("MA_XU_TRI", "1"))),
    Rule(
        "REQ-036",
        filled("REQ-036", "XML6", ("MA_BAC_PHAC_DO",), lambda line, _: line["MA_PHAC_DO_DIEU_TRI"] == "KHAC"),
    ),
    Rule("REQ-037", changed_regimen),
    Rule("REQ-038", all_or_none("REQ-038", "XML6", ("NGAY_XN_TLVR", "KQ_XNTL_VR", "NGAY_KQ_XN_TLVR"))),
    Rule("REQ-039", ended_pregnancies),
    Rule("REQ-040", all_or_none("REQ-040", "XML7", ("SO_NGAY_NGHI", "NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY"))),
    Rule("REQ-041", all_or_none("REQ-041", "XML8", ("NGAY_SINHCON", "NGAY_CONCHET", "SO_CONCHET"))),
    Rule(
        "REQ-042",
        filled(
            "REQ-042",
            "XML15",
            ("BDDT_ARV", "NGAY_BAT_DAU_DT_CTX"),
            lambda line, _: line["PHANLOAI_LAO_HIV"] == "1",
        ),
    ),
    Rule(
        "REQ-043",
        filled("REQ-043", "XML3", ("MA_BAC_SI", "NGAY_YL"), lambda line, _: not is_sent_out(line)),
    ),
    Rule("REQ-044", filled("REQ-044", "XML15", ("PHANLOAI_LAO_KT",), lambda line, _: line["LOAI_DTRI_LAO"] == "3")),
)
