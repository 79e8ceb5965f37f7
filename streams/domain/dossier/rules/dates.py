"""X: the order of moments within one visit."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from events.visit import Finding
from streams.domain.dossier.findings import finding
from streams.domain.dossier.moments import is_day
from streams.domain.dossier.rules.rule import Check, Rule
from streams.domain.dossier.rules.words import (
    ENDS_LATER,
    PARACLINICAL,
    days_between,
    is_sent_out,
    members,
    moment,
    next_day,
    shown,
)
from streams.domain.dossier.visit import Line, Visit

_LONG_EXAM, _SHORT_EXAM = timedelta(hours=24), timedelta(minutes=5)
_SHORTEST_RESULT, _LONGEST_RESULT = timedelta(minutes=3), timedelta(days=7)


def _now(visit: Visit) -> str:
    return visit.now.strftime("%Y%m%d%H%M")


def _wrong(text_id: str, line: Line, name: str, expected: str) -> Finding:
    return finding(text_id, line.at(name), expected=expected, found=shown(line[name]))


def not_later(text_id: str, kind: str, first: str, second: str, *, by_day: bool = False) -> Check:
    """`second` must not be before `first` in any row."""

    def check(visit: Visit) -> Iterator[Finding]:
        for line in visit.lines(kind):
            one, other = line[first], line[second]
            if one and other and (other[:8] < one[:8] if by_day else other < one):
                yield _wrong(text_id, line, second, f"from {shown(one[:8] if by_day else one)}")

    return check


def within_visit(text_id: str, kind: str, name: str, *, sent_out: bool = False) -> Check:
    """Between NGAY_VAO and NGAY_RA; `sent_out`: lines of another facility are not judged."""

    def check(visit: Visit) -> Iterator[Finding]:
        came, left = visit.of_xml1("NGAY_VAO"), visit.of_xml1("NGAY_RA")
        if not came or not left:
            return
        for line in visit.lines(kind):
            value = line[name]
            if value and not came <= value <= left and not (sent_out and is_sent_out(line)):
                yield _wrong(text_id, line, name, f"{shown(came)} to {shown(left)}")

    return check


def admitted_to_ward(visit: Visit) -> Iterator[Finding]:
    """X1-002."""
    line = visit.xml1
    came, ward, left = (line[name] for name in ("NGAY_VAO", "NGAY_VAO_NOI_TRU", "NGAY_RA"))
    if came and ward and left and not came <= ward <= left:
        yield _wrong("X1-002", line, "NGAY_VAO_NOI_TRU", f"{shown(came)} to {shown(left)}")


def not_in_the_future(visit: Visit) -> Iterator[Finding]:
    """X1-003 (GATEWAY §12.11)."""
    line, now = visit.xml1, _now(visit)
    if (line["NGAY_VAO"] or "") > now:
        yield _wrong("X1-003/in", line, "NGAY_VAO", f"until {shown(now)}")
    if (line["NGAY_RA"] or "") > now and line["MA_LOAI_KCB"] not in ENDS_LATER:
        yield _wrong("X1-003/out", line, "NGAY_RA", f"until {shown(now)}")


def born_before(visit: Visit) -> Iterator[Finding]:
    """X1-004, on the known parts of NGAY_SINH."""
    born, came = visit.of_xml1("NGAY_SINH"), visit.of_xml1("NGAY_VAO")
    known = 4 if born[4:6] == "00" else 6 if born[6:8] == "00" else 8 if born[8:] == "0000" else 12
    if born and came and born[:known] > came[:known]:
        yield finding("X1-004", visit.xml1.at("NGAY_SINH"), expected="until NGAY_VAO", found="a later day")


def paid(visit: Visit) -> Iterator[Finding]:
    """X1-005 and, where NGAY_RA is 2359 of the last day, its doubtful half."""
    line, now = visit.xml1, _now(visit)
    later = line["MA_LOAI_KCB"] in ENDS_LATER
    value, from_ = line["NGAY_TTOAN"], line["NGAY_VAO" if later else "NGAY_RA"]
    if value and from_ and line["MA_LOAI_KCB"] and not from_ <= value <= now:
        yield _wrong("X1-005W" if later else "X1-005", line, "NGAY_TTOAN", f"{shown(from_)} to {shown(now)}")


def _card_days(visit: Visit) -> list[tuple[str, str]]:
    """(first, last) day of each card; empty where it is unknown."""
    starts, ends = members(visit.xml1["GT_THE_TU"]), members(visit.xml1["GT_THE_DEN"])
    return list(zip(starts, [*ends, *[""] * len(starts)], strict=False))


def card_ends_after_start(visit: Visit) -> Iterator[Finding]:
    """X1-006."""
    for start, end in _card_days(visit):
        if is_day(start) and is_day(end) and end < start:
            yield finding("X1-006", visit.xml1.at("GT_THE_DEN"), expected=f"from {shown(start)}", found=shown(end))
            return


def card_valid_on_arrival(visit: Visit) -> Iterator[Finding]:
    """X1-007: the first card."""
    came = visit.of_xml1("NGAY_VAO")[:8]
    for start, end in _card_days(visit)[:1]:
        if is_day(start) and is_day(end) and end < start:
            return  # X1-006
        if came and is_day(start) and (came < start or (is_day(end) and came > end)):
            expected = f"{shown(start)} to {shown(end) if end else 'open'}"
            yield finding("X1-007", visit.xml1.at("GT_THE_TU"), expected=expected, found=shown(came))


def settlement_month(visit: Visit) -> Iterator[Finding]:
    """X1-009 and its doubtful half."""
    line = visit.xml1
    year, month, left = line["NAM_QT"], line["THANG_QT"], line["NGAY_RA"]
    if month and not 1 <= int(month) <= 12:
        yield finding("X1-009/month", line.at("THANG_QT"), expected="1 to 12", found=month)
        return
    last = max(_now(visit)[:4], (left or "")[:4])
    if year and int(year) > int(last):
        yield finding("X1-009/year", line.at("NAM_QT"), expected=f"until {last}", found=year)
    elif year and month and left and (int(year), int(month)) < (int(left[:4]), int(left[4:6])):
        expected = f"from {left[4:6]}/{left[:4]}"
        yield finding("X1-009W", line.at("THANG_QT"), expected=expected, found=f"{int(month):02}/{year}")


def ends_with_the_day(visit: Visit) -> Iterator[Finding]:
    """X1-018."""
    left = visit.of_xml1("NGAY_RA")
    if left and visit.of_xml1("MA_LOAI_KCB") in ENDS_LATER and left[8:] != "2359":
        yield _wrong("X1-018", visit.xml1, "NGAY_RA", "23:59 of the last day")


def length_of_examination(visit: Visit) -> Iterator[Finding]:
    """X1-021."""
    came, left = visit.of_xml1("NGAY_VAO"), visit.of_xml1("NGAY_RA")
    if visit.of_xml1("MA_LOAI_KCB") == "01" and came and came <= left:
        length = moment(left) - moment(came)
        if not _SHORT_EXAM <= length <= _LONG_EXAM:
            found = f"{length // timedelta(minutes=1)} minutes"
            yield finding("X1-021", visit.xml1.at("NGAY_RA"), expected="5 minutes to 24 hours", found=found)


def five_years(visit: Visit) -> Iterator[Finding]:
    """X1-027: exemption from co-payment needs five continuous years."""
    line = visit.xml1
    exempt, since = line["NGAY_MIEN_CCT"], line["NAM_NAM_LIEN_TUC"]
    if exempt and (since == "" or (since and since > exempt[:8])):
        yield finding("X1-027", line.at("NAM_NAM_LIEN_TUC"), expected=f"until {shown(exempt[:8])}", found=shown(since))


def medicine_given_later(visit: Visit) -> Iterator[Finding]:
    """X2-003."""
    left, now = visit.of_xml1("NGAY_RA"), _now(visit)
    for line in visit.lines("XML2"):
        value = line["NGAY_TH_YL"]
        if value and left and value > min(left, now):
            yield _wrong("X2-003", line, "NGAY_TH_YL", f"until {shown(min(left, now))}")


def service_in_order(visit: Visit) -> Iterator[Finding]:
    """X3-002."""
    for line in visit.lines("XML3"):
        known = [(name, value) for name in ("NGAY_YL", "NGAY_TH_YL", "NGAY_KQ") if (value := line[name])]
        for (_, earlier), (name, later) in pairwise(known):
            if later < earlier:
                yield _wrong("X3-002", line, name, f"from {shown(earlier)}")
                break


def service_during_visit(visit: Visit) -> Iterator[Finding]:
    """X3-003 and its doubtful half: results of paraclinical services may come later."""
    came, left = visit.of_xml1("NGAY_VAO"), visit.of_xml1("NGAY_RA")
    if not came or not left:
        return
    for line in visit.lines("XML3"):
        for name in ("NGAY_TH_YL", "NGAY_KQ"):
            value = line[name]
            if not value or came <= value <= left or not line["MA_NHOM"] or is_sent_out(line):
                continue
            if value < came or line["MA_NHOM"] not in PARACLINICAL:
                yield _wrong("X3-003", line, name, f"{shown(came)} to {shown(left)}")
            elif name == "NGAY_TH_YL":
                yield _wrong("X3-003W", line, name, f"until {shown(left)}")


def _paraclinical(visit: Visit, first: str, second: str) -> Iterator[tuple[Line, timedelta]]:
    for line in visit.lines("XML3"):
        one, other = line[first], line[second]
        if one and other and one <= other and line["MA_NHOM"] in PARACLINICAL:
            yield line, moment(other) - moment(one)


def quick_result(visit: Visit) -> Iterator[Finding]:
    """X3-004."""
    for line, time in _paraclinical(visit, "NGAY_TH_YL", "NGAY_KQ"):
        if time < _SHORTEST_RESULT:
            yield _wrong("X3-004", line, "NGAY_KQ", "3 minutes after NGAY_TH_YL or later")


def slow_result(visit: Visit) -> Iterator[Finding]:
    """X3-005."""
    for line, time in _paraclinical(visit, "NGAY_YL", "NGAY_KQ"):
        if time > _LONGEST_RESULT:
            yield _wrong("X3-005", line, "NGAY_KQ", "within 7 days of NGAY_YL")


def result_after_arrival(visit: Visit) -> Iterator[Finding]:
    """X4-001."""
    came, now = visit.of_xml1("NGAY_VAO"), _now(visit)
    for line in visit.lines("XML4"):
        value = line["NGAY_KQ"]
        if value and came and not came <= value <= now:
            yield _wrong("X4-001", line, "NGAY_KQ", f"{shown(came)} to {shown(now)}")


def note_during_visit(visit: Visit) -> Iterator[Finding]:
    """X5-001."""
    came, left, now = visit.of_xml1("NGAY_VAO"), visit.of_xml1("NGAY_RA"), _now(visit)
    for line in visit.lines("XML5"):
        value = line["THOI_DIEM_DBLS"]
        if value and came and left and not came <= value <= min(left, now):
            yield _wrong("X5-001", line, "THOI_DIEM_DBLS", f"{shown(came)} to {shown(min(left, now))}")


_HIV_PAIRS = (
    ("NGAYBD_DTRI_LAO", "NGAYKT_DTRI_LAO"),
    ("NGAY_BAT_DAU_XU_TRI", "NGAY_KET_THUC_XU_TRI"),
    ("NGAY_XN_PCR", "NGAY_KQ_XN_PCR"),
)


def hiv_in_order(visit: Visit) -> Iterator[Finding]:
    """X6-002."""
    for first, second in _HIV_PAIRS:
        yield from not_later("X6-002", "XML6", first, second)(visit)


def arv_days(visit: Visit) -> Iterator[Finding]:
    """X6-003: not more days of medicine than the treatment has, without plus 1."""
    for line in visit.lines("XML6"):
        start, end, days = (line[n] for n in ("NGAY_BAT_DAU_XU_TRI", "NGAY_KET_THUC_XU_TRI", "SO_NGAY_CAP_THUOC_ARV"))
        if start and end and days and start <= end and not 0 < int(days) <= days_between(start, end):
            expected = f"1 to {days_between(start, end)}"
            yield finding("X6-003", line.at("SO_NGAY_CAP_THUOC_ARV"), expected=expected, found=days)


def same_day(text_id: str, kind: str, name: str, of: str) -> Check:
    """The day of one field of a row is the day of another."""

    def check(visit: Visit) -> Iterator[Finding]:
        for line in visit.lines(kind):
            one, other = line[name], line[of]
            if one and other and one[:8] != other[:8]:
                yield _wrong(text_id, line, name, shown(other[:8]))

    return check


def sick_leave_after_discharge(visit: Visit) -> Iterator[Finding]:
    """X7-006."""
    for line in visit.lines("XML7"):
        start, end, left = (line[name] for name in ("NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY", "NGAY_RA"))
        if start and left and start not in (left[:8], next_day(left)):
            yield _wrong("X7-006/start", line, "NGOAITRU_TUNGAY", f"{shown(left[:8])} or the next day")
        if start and end and end < start:
            yield _wrong("X7-006/end", line, "NGOAITRU_DENNGAY", f"from {shown(start)}")


def counted_days(text_id: str, kind: str, name: str, first: str, last: str, also: Sequence[int] = ()) -> Check:
    """`name` is the number of days from `first` to `last`, both included; `also` are other differences accepted."""

    def check(visit: Visit) -> Iterator[Finding]:
        for line in visit.lines(kind):
            start, end, days = line[first], line[last], line[name]
            if start and end and days and start <= end:
                right = {days_between(start, end) + more for more in (1, *also)}
                if int(days) not in right:
                    yield finding(text_id, line.at(name), expected=str(max(right)), found=days)

    return check


def pregnancy_leave(visit: Visit) -> Iterator[Finding]:
    """X10-001."""
    yield from not_later("X10-001/order", "XML10", "TU_NGAY", "DEN_NGAY")(visit)
    yield from counted_days("X10-001/days", "XML10", "SO_NGAY", "TU_NGAY", "DEN_NGAY", also=(0,))(visit)
    for line in visit.lines("XML10"):
        if line["SO_NGAY"] and not 1 <= int(line["SO_NGAY"]) <= 180:
            yield finding("X10-001/limit", line.at("SO_NGAY"), expected="1 to 180", found=line["SO_NGAY"])


def pregnancy_leave_from(visit: Visit) -> Iterator[Finding]:
    """X10-002."""
    came, left = visit.of_xml1("NGAY_VAO")[:8], visit.of_xml1("NGAY_RA")[:8]
    for line in visit.lines("XML10"):
        if line["TU_NGAY"] and came and left and not came <= line["TU_NGAY"] <= left:
            yield _wrong("X10-002", line, "TU_NGAY", f"{shown(came)} to {shown(left)}")


def sick_leave(visit: Visit) -> Iterator[Finding]:
    """X11-002."""
    yield from not_later("X11-002/order", "XML11", "TU_NGAY", "DEN_NGAY")(visit)
    yield from counted_days("X11-002/days", "XML11", "SO_NGAY_NGHI", "TU_NGAY", "DEN_NGAY")(visit)


def sick_leave_around_visit(visit: Visit) -> Iterator[Finding]:
    """X11-003 and its doubtful half."""
    came, left = visit.of_xml1("NGAY_VAO")[:8], visit.of_xml1("NGAY_RA")[:8]
    for line in visit.lines("XML11"):
        start, end = line["TU_NGAY"], line["DEN_NGAY"]
        if start and left and start > left:
            yield _wrong("X11-003/start", line, "TU_NGAY", f"until {shown(left)}")
        elif end and came and end < came:
            yield _wrong("X11-003/end", line, "DEN_NGAY", f"from {shown(came)}")
        elif start and came and start < came:
            yield _wrong("X11-003W", line, "TU_NGAY", f"from {shown(came)}")


def birth_in_visit(visit: Visit) -> Iterator[Finding]:
    """X9-002: a birth before arrival is possible, so a warning."""
    yield from within_visit("X9-002", "XML9", "NGAY_SINH_CON")(visit)


def appointment_day(visit: Visit) -> Iterator[Finding]:
    """X14-003 and its doubtful half."""
    last = visit.of_xml1("NGAY_VAO" if visit.of_xml1("MA_LOAI_KCB") in ENDS_LATER else "NGAY_RA")[:8]
    for line in visit.lines("XML14"):
        day = (line["NGAY_HEN_KL"] or "")[:8]
        if day and last and day <= last:
            code = "X14-003" if day < last else "X14-003W"
            yield _wrong(code, line, "NGAY_HEN_KL", f"after {shown(last)}")


def appointment_paper_day(visit: Visit) -> Iterator[Finding]:
    """X14-004."""
    came = visit.of_xml1("NGAY_VAO")[:8]
    for line in visit.lines("XML14"):
        if line["NGAY_CT"] and came and line["NGAY_CT"] < came:
            yield _wrong("X14-004", line, "NGAY_CT", f"from {shown(came)}")


def open_end_of_treatment(visit: Visit) -> Iterator[Finding]:
    """X15-002W: a result that ends a treatment, without the day of its end."""
    for line in visit.lines("XML15"):
        if line["KET_QUA_DTRI_LAO"] in ("1", "2", "3", "4", "5") and line["NGAYKT_DTRI_LAO"] == "":
            yield finding("X15-002W", line.at("NGAYKT_DTRI_LAO"), expected="a day", found="empty")


def checkin_order(visit: Visit) -> Iterator[Finding]:
    """CHK-002."""
    yield from not_later("CHK-002", "CHECKIN", "NGAY_VAO", "NGAY_YL")(visit)


RULES = (
    Rule("X1-001", not_later("X1-001", "XML1", "NGAY_VAO", "NGAY_RA")),
    Rule("X1-002", admitted_to_ward),
    Rule("X1-003", not_in_the_future),
    Rule("X1-004", born_before),
    Rule("X1-005", paid, halves=("X1-005W",)),
    Rule("X1-006", card_ends_after_start),
    Rule("X1-007", card_valid_on_arrival),
    Rule("X1-009", settlement_month, halves=("X1-009W",)),
    Rule("X1-018", ends_with_the_day),
    Rule("X1-021", length_of_examination),
    Rule("X1-027", five_years),
    Rule("X2-001", within_visit("X2-001", "XML2", "NGAY_YL")),
    Rule("X2-002", not_later("X2-002", "XML2", "NGAY_YL", "NGAY_TH_YL")),
    Rule("X2-003", medicine_given_later),
    Rule("X3-001", within_visit("X3-001", "XML3", "NGAY_YL", sent_out=True)),
    Rule("X3-002", service_in_order),
    Rule("X3-003", service_during_visit, halves=("X3-003W",)),
    Rule("X3-004", quick_result),
    Rule("X3-005", slow_result),
    Rule("X4-001", result_after_arrival),
    Rule("X5-001", note_during_visit),
    Rule("X6-002", hiv_in_order),
    Rule("X6-003", arv_days),
    Rule("X7-004", same_day("X7-004", "XML7", "NGAY_CT", "NGAY_RA")),
    Rule("X7-006", sick_leave_after_discharge),
    Rule("X7-007", counted_days("X7-007", "XML7", "SO_NGAY_NGHI", "NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY")),
    Rule("X8-006", same_day("X8-006", "XML8", "NGAY_CT", "NGAY_RA")),
    Rule("X9-002", birth_in_visit),
    Rule("X9-004", not_later("X9-004", "XML9", "NGAY_SINH_CON", "NGAY_CT", by_day=True)),
    Rule("X10-001", pregnancy_leave),
    Rule("X10-002", pregnancy_leave_from),
    Rule("X11-002", sick_leave),
    Rule("X11-003", sick_leave_around_visit, halves=("X11-003W",)),
    Rule("X14-003", appointment_day, halves=("X14-003W",)),
    Rule("X14-004", appointment_paper_day),
    Rule("X15-002", not_later("X15-002", "XML15", "NGAYBD_DTRI_LAO", "NGAYKT_DTRI_LAO")),
    Rule("X15-002W", open_end_of_treatment),
    Rule("CHK-002", checkin_order),
)
