"""Papers and programme tables against the summary: which must be there, and what they repeat."""

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date

from events.visit import Finding
from streams.domain.dossier.findings import Place, finding
from streams.domain.dossier.rules.rule import Check, Rule
from streams.domain.dossier.rules.words import cards, members, newborns_paper, shown
from streams.domain.dossier.visit import Line, Visit

_DESTINATION_RENAMED = date(2025, 1, 1)
_STAYS = ("03", "04", "09")
_WITH_SUMMARY = ("03", "04", "06")
_WITH_NOTES = ("02", "03", "04", "05", "06", "08", "09")
_DEATH, _ESCAPE = "5", "3"
_TB = ("A15", "A16", "A17", "A18", "A19")
_TB_LEAVE, _LATE_PREGNANCY_LEAVE, _LEAVE = 180, 50, 30
_SHORTEST_SUMMARY, _LONGEST_SUMMARY = 10, 4000


def equal(one: str, other: str) -> bool:
    """The same after Unicode NFC, nothing else changed (RULES §3)."""
    return one == other or unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def as_in_xml1(text_id: str, kind: str, names: Sequence[str]) -> Check:
    """A filled copy must equal XML1; one filled while XML1 is empty differs."""

    def check(visit: Visit) -> Iterator[Finding]:
        for line in visit.lines(kind):
            for name in names:
                copy, own = line[name], visit.xml1[name]
                if copy and own is not None and not equal(copy, own):
                    yield finding(text_id, line.at(name), expected=f"{name} of XML1", found="another value", of=name)

    return check


def _missing(text_id: str, kind: str, because: str) -> Finding:
    return finding(text_id, Place(kind), expected=kind, found="not in the dossier", because=because)


def _patients_own(visit: Visit, paper: Line) -> bool:
    return not newborns_paper(visit, paper)


def notes_are_there(visit: Visit) -> Iterator[Finding]:
    """X5-002."""
    kind = visit.of_xml1("MA_LOAI_KCB")
    if visit.insured and kind in _WITH_NOTES and not visit.has("XML5"):
        yield _missing("X5-002", "XML5", f"MA_LOAI_KCB {kind}")


def discharge_paper_is_there(visit: Visit) -> Iterator[Finding]:
    """X7-001."""
    kind, leaving, result = (visit.of_xml1(name) for name in ("MA_LOAI_KCB", "MA_LOAI_RV", "KET_QUA_DTRI"))
    if not visit.insured or kind not in _STAYS or leaving in ("", _ESCAPE) or result in ("", _DEATH):
        return
    if not any(_patients_own(visit, paper) for paper in visit.lines("XML7")):
        yield _missing("X7-001", "XML7", f"MA_LOAI_KCB {kind}")


def discharge_paper_repeats(visit: Visit) -> Iterator[Finding]:
    """X7-002."""
    for paper in visit.lines("XML7"):
        if newborns_paper(visit, paper):
            continue
        for name, own in (("MA_YTE", "MA_BN"), ("NGAY_VAO", "NGAY_VAO"), ("NGAY_RA", "NGAY_RA")):
            copy, value = paper[name], visit.of_xml1(own)
            if copy and value and not equal(copy, value):
                yield finding("X7-002", paper.at(name), expected=f"{own} of XML1", found="another value", of=own)


def department_of_discharge(visit: Visit) -> Iterator[Finding]:
    """X7-003 and its doubtful half."""
    known = members(visit.xml1["MA_KHOA"])
    for paper in visit.lines("XML7"):
        own = paper["MA_KHOA_RV"]
        if not own or not known or newborns_paper(visit, paper):
            continue
        if own not in known:
            yield finding("X7-003", paper.at("MA_KHOA_RV"), expected="a department of MA_KHOA", found="another one")
        elif own != known[-1]:
            yield finding("X7-003W", paper.at("MA_KHOA_RV"), expected="the last one of MA_KHOA", found="an earlier one")


def weeks_of_pregnancy(visit: Visit) -> Iterator[Finding]:
    """X7-005."""
    for paper in visit.lines("XML7"):
        weeks = paper["TUOI_THAI"]
        if weeks and not 1 <= int(weeks) <= 42:
            yield finding("X7-005", paper.at("TUOI_THAI"), expected="1 to 42", found=weeks)


def summary_is_there(visit: Visit) -> Iterator[Finding]:
    """X8-001."""
    kind = visit.of_xml1("MA_LOAI_KCB")
    if kind in _WITH_SUMMARY and not visit.has("XML8"):
        yield _missing("X8-001", "XML8", f"MA_LOAI_KCB {kind}")


def summary_not_wanted(visit: Visit) -> Iterator[Finding]:
    """X8-002: only while XML8 is not expected with every visit."""
    kind = visit.of_xml1("MA_LOAI_KCB")
    if not visit.xml8_every_visit and visit.insured and kind and kind not in _WITH_SUMMARY:
        for paper in visit.lines("XML8"):
            yield finding("X8-002", paper.at("MA_LOAI_KCB"), expected="no XML8", found=f"MA_LOAI_KCB {kind}")


def summary_without_insurance(visit: Visit) -> Iterator[Finding]:
    """NB-003."""
    kind = visit.of_xml1("MA_LOAI_KCB")
    if not visit.insured and kind not in _WITH_SUMMARY and not visit.has("XML8"):
        yield _missing("NB-003", "XML8", "MA_DOITUONG_KCB 9")


def length_of_summary(visit: Visit) -> Iterator[Finding]:
    """X8-005."""
    for paper in visit.lines("XML8"):
        length = len(paper["TOMTAT_KQ"] or "")
        if paper["TOMTAT_KQ"] and not _SHORTEST_SUMMARY <= length <= _LONGEST_SUMMARY:
            expected = f"{_SHORTEST_SUMMARY} to {_LONGEST_SUMMARY} characters"
            yield finding("X8-005", paper.at("TOMTAT_KQ"), expected=expected, found=f"{length} characters")


def birth_counts(visit: Visit) -> Iterator[Finding]:
    """X9-001."""
    for birth in visit.lines("XML9"):
        for name, least in (("SO_CON", 1), ("LAN_SINH", 1), ("SO_CON_SONG", 0)):
            if birth[name] and not least <= int(birth[name] or 0) <= 99:
                yield finding("X9-001", birth.at(name), expected=f"{least} to 99", found=birth[name])
        if birth["CAN_NANG_CON"] and float(birth["CAN_NANG_CON"]) <= 0:
            yield finding("X9-001", birth.at("CAN_NANG_CON"), expected="above 0", found=birth["CAN_NANG_CON"])


_BIRTH_NOTES = {
    ("1", "1"): "Phẫu thuật, sinh con dưới 32 tuần tuổi",
    ("1", "0"): "Sinh con phải phẫu thuật",
    ("0", "1"): "Sinh con dưới 32 tuần tuổi",
}


def birth_note(visit: Visit) -> Iterator[Finding]:
    """X9-003."""
    for birth in visit.lines("XML9"):
        wanted = _BIRTH_NOTES.get((birth["SINHCON_PHAUTHUAT"] or "", birth["SINHCON_DUOI32TUAN"] or ""))
        note = birth["GHI_CHU"]
        if wanted and note is not None and _plain(wanted) not in _plain(note):
            yield finding("X9-003", birth.at("GHI_CHU"), expected=wanted, found=f"{len(note)} characters")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def pregnancy_named(visit: Visit) -> Iterator[Finding]:
    """X10-003."""
    for paper in visit.lines("XML10"):
        text = paper["CHAN_DOAN_RV"]
        if text and "dưỡng thai" not in _plain(text):
            yield finding("X10-003", paper.at("CHAN_DOAN_RV"), expected="the words “dưỡng thai”", found="not there")


def same_diagnosis(visit: Visit) -> Iterator[Finding]:
    """X10-004."""
    own = "".join(_plain(visit.of_xml1("CHAN_DOAN_RV")).split())
    for paper in visit.lines("XML10"):
        text = "".join(_plain(paper["CHAN_DOAN_RV"] or "").split())
        if own and text and own not in text and text not in own:
            yield finding("X10-004", paper.at("CHAN_DOAN_RV"), expected="CHAN_DOAN_RV of XML1", found="another text")


def paper_of_a_woman(visit: Visit) -> Iterator[Finding]:
    """X10-005."""
    if visit.has("XML10") and visit.xml1["GIOI_TINH"] == "1":
        yield finding("X10-005", visit.xml1.at("GIOI_TINH"), expected="2, as XML10 is there", found="1")


def _diseases(visit: Visit) -> list[str]:
    return [code for name in ("MA_BENH_CHINH", "MA_BENH_KT") for code in members(visit.xml1[name])]


def longest_leave(visit: Visit) -> Iterator[Finding]:
    """X11-001."""
    tuberculosis = visit.has("XML15") or any(code.startswith(_TB) for code in _diseases(visit))
    for paper in visit.lines("XML11"):
        late = int(paper["TUOI_THAI"] or 0) >= 13
        most = _TB_LEAVE if tuberculosis else _LATE_PREGNANCY_LEAVE if late else _LEAVE
        days = paper["SO_NGAY_NGHI"]
        if days and int(days) > most:
            yield finding("X11-001", paper.at("SO_NGAY_NGHI"), expected=f"at most {most}", found=days)


def number_of_card(visit: Visit) -> Iterator[Finding]:
    """X11-004W."""
    known = {card[-10:] for card in cards(visit)}
    for paper in visit.lines("XML11"):
        if paper["MA_BHXH"] and known and paper["MA_BHXH"] not in known:
            expected = "the last 10 characters of a card of XML1"
            yield finding("X11-004W", paper.at("MA_BHXH"), expected=expected, found="another number")


def leave_repeats(visit: Visit) -> Iterator[Finding]:
    """X11-005."""
    pairs = (("CHAN_DOAN_RV", "CHAN_DOAN_RV"), ("PP_DIEUTRI", "PP_DIEU_TRI"))
    for paper in visit.lines("XML11"):
        for name, own in pairs:
            copy, value = paper[name], visit.of_xml1(own)
            if copy and value and not equal(copy, value):
                yield finding("X11-005", paper.at(name), expected=f"{own} of XML1", found="another text", of=own)


def two_leaves(visit: Visit) -> Iterator[Finding]:
    """X11-007: one absence, two papers."""
    for paper in visit.lines("XML11"):
        start, end = paper["TU_NGAY"], paper["DEN_NGAY"]
        for other in visit.lines("XML7"):
            first, last = other["NGOAITRU_TUNGAY"], other["NGOAITRU_DENNGAY"]
            if other["SO_NGAY_NGHI"] and start and end and first and last and start <= last and first <= end:
                found = f"XML7 from {shown(first)} to {shown(last)}"
                yield finding("X11-007", paper.at("TU_NGAY"), expected="days that XML7 does not have", found=found)


def referral_is_there(visit: Visit) -> Iterator[Finding]:
    """X13-001; the table exists since QĐ 4750."""
    leaving = visit.of_xml1("MA_LOAI_RV")
    if visit.insured and leaving in ("2", "5") and visit.standard.name != "130" and not visit.has("XML13"):
        yield _missing("X13-001", "XML13", f"MA_LOAI_RV {leaving}")


def destination(visit: Visit) -> Iterator[Finding]:
    """X13-003."""
    name = "MA_CSKCB_DEN" if visit.day >= _DESTINATION_RENAMED else "MA_NOI_DEN"
    own = visit.xml1["MA_NOI_DEN"]
    for paper in visit.lines("XML13"):
        if paper[name] and own is not None and paper[name] != own:
            yield finding("X13-003", paper.at(name), expected="MA_NOI_DEN of XML1", found="another facility")


def last_stay(visit: Visit) -> Iterator[Finding]:
    """X13-004: since 2025 the referral lists the moments of all stays."""
    for paper in visit.lines("XML13"):
        for name in ("NGAY_VAO", "NGAY_RA"):
            stays, own = members(paper[name]), visit.of_xml1(name)
            if stays and own and stays[-1] != own:
                yield finding("X13-004", paper.at(name), expected=f"{name} of XML1 as the last", found="another moment")


def appointment_is_there(visit: Visit) -> Iterator[Finding]:
    """X14-001; the table exists since QĐ 4750."""
    days = visit.xml1["NGAY_TAI_KHAM"]
    if visit.insured and days and visit.standard.name != "130" and not visit.has("XML14"):
        yield _missing("X14-001/paper", "XML14", "NGAY_TAI_KHAM")
    if days == "" and visit.has("XML14"):
        yield finding("X14-001/day", visit.xml1.at("NGAY_TAI_KHAM"), expected="a day, as XML14 is there", found="empty")


def appointment_day(visit: Visit) -> Iterator[Finding]:
    """X14-002 and its doubtful half."""
    days, papers = members(visit.xml1["NGAY_TAI_KHAM"]), visit.lines("XML14")
    if not days or not papers:
        return
    wrong = [paper for paper in papers if paper["NGAY_HEN_KL"] and paper["NGAY_HEN_KL"][:8] not in days]
    for paper in wrong:
        found = shown((paper["NGAY_HEN_KL"] or "")[:8])
        yield finding("X14-002", paper.at("NGAY_HEN_KL"), expected="a day of NGAY_TAI_KHAM", found=found)
    if not wrong and len(papers) != len(days):
        yield finding("X14-002W", papers[0].at("NGAY_HEN_KL"), expected=f"{len(days)} papers", found=f"{len(papers)}")


def tuberculosis_is_told(visit: Visit) -> Iterator[Finding]:
    """X15-003; the table exists since QĐ 4750."""
    told = visit.standard.name == "130" or visit.has("XML15")
    if not told and any(code.startswith((*_TB, "B90")) for code in _diseases(visit)):
        yield _missing("X15-003", "XML15", "MA_BENH_CHINH, MA_BENH_KT")


def hiv_is_told(visit: Visit) -> Iterator[Finding]:
    """X6-004."""
    codes = ("B20", "B21", "B22", "B23", "B24", "Z21")
    if not visit.has("XML6") and any(code.startswith(codes) for code in _diseases(visit)):
        yield _missing("X6-004", "XML6", "MA_BENH_CHINH, MA_BENH_KT")


_HIV_COPIES = (
    *("NGAY_SINH", "GIOI_TINH", "DIA_CHI", "MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU", "MA_CSKCB"),
    *("MA_THE_BHYT", "SO_CCCD"),
)
_SUMMARY_COPIES = ("MA_LOAI_KCB", "NGAY_VAO", "NGAY_RA", "KET_QUA_DTRI")
_PAPER_COPIES = (
    *("HO_TEN", "NGAY_SINH", "GIOI_TINH", "DIA_CHI", "MA_THE_BHYT", "GT_THE_DEN", "NGAY_VAO_NOI_TRU", "CHAN_DOAN_RV"),
    *("MA_BENH_CHINH", "MA_BENH_KT", "MA_BENH_YHCT", "MA_CSKCB"),
)
_REFERRAL_COPIES = (*_PAPER_COPIES, "MA_QUOCTICH", "MA_DANTOC", "MA_NGHE_NGHIEP", "MA_LOAI_RV")
_APPOINTMENT_COPIES = (*_PAPER_COPIES, "NGAY_VAO", "NGAY_RA", "MA_DOITUONG_KCB")

RULES = (
    Rule("X5-002", notes_are_there),
    Rule("X6-001", as_in_xml1("X6-001", "XML6", _HIV_COPIES)),
    Rule("X6-004", hiv_is_told),
    Rule("X7-001", discharge_paper_is_there),
    Rule("X7-002", discharge_paper_repeats),
    Rule("X7-003", department_of_discharge, halves=("X7-003W",)),
    Rule("X7-005", weeks_of_pregnancy),
    Rule("X8-001", summary_is_there),
    Rule("X8-002", summary_not_wanted),
    Rule("X8-003", as_in_xml1("X8-003", "XML8", _SUMMARY_COPIES)),
    Rule("X8-004", as_in_xml1("X8-004", "XML8", ("CHAN_DOAN_VAO", "CHAN_DOAN_RV"))),
    Rule("X8-005", length_of_summary),
    Rule("X9-001", birth_counts),
    Rule("X9-003", birth_note),
    Rule("X10-003", pregnancy_named),
    Rule("X10-004", same_diagnosis),
    Rule("X10-005", paper_of_a_woman),
    Rule("X11-001", longest_leave),
    Rule("X11-004", as_in_xml1("X11-004", "XML11", ("MA_THE_BHYT",))),
    Rule("X11-004W", number_of_card),
    Rule("X11-005", leave_repeats),
    Rule("X11-007", two_leaves),
    Rule("X13-001", referral_is_there),
    Rule("X13-002", as_in_xml1("X13-002", "XML13", _REFERRAL_COPIES)),
    Rule("X13-003", destination),
    Rule("X13-004", last_stay),
    Rule("X14-001", appointment_is_there),
    Rule("X14-002", appointment_day, halves=("X14-002W",)),
    Rule("X14-005", as_in_xml1("X14-005", "XML14", _APPOINTMENT_COPIES)),
    Rule("X15-001", as_in_xml1("X15-001", "XML15", ("MA_BN", "HO_TEN", "SO_CCCD", "MA_CSKCB"))),
    Rule("X15-003", tuberculosis_is_told),
    Rule("NB-003", summary_without_insurance),
)
