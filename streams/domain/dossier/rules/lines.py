"""X2, X3, X4, X5: what one line of medicines, services, results or notes says about another."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import timedelta
from decimal import Decimal

from events.visit import Finding
from streams.domain.dossier.findings import finding
from streams.domain.dossier.rules.dosage import days_of, dosage
from streams.domain.dossier.rules.money import number
from streams.domain.dossier.rules.rule import Check, Rule
from streams.domain.dossier.rules.words import (
    BEDS,
    BLOOD_AND_OXYGEN,
    COVERED_SCOPES,
    INPATIENT_RATES,
    PARACLINICAL,
    age,
    cards,
    days_between,
    home_code,
    is_bed,
    is_service,
    is_supply,
    members,
    moment,
    shown,
)
from streams.domain.dossier.visit import Line, Visit

_EXAM = "13"
_FORCES = ("CA", "QN", "CY")
_SURGERY = frozenset({"8", "18"})
_EXAM_RATES = (100, 30, 30, 30, 10)
_GROWN_UP = 16
_MOST_DAYS = 30
_SHORT_STAY, _DAY = timedelta(hours=4), timedelta(hours=24)
_SERVICE_MOMENTS = ("NGAY_YL", "NGAY_TH_YL", "NGAY_KQ")


def above_zero(visit: Visit) -> Iterator[Finding]:
    """X2-004."""
    for line in visit.lines("XML2"):
        if number(line["SO_LUONG"]) == 0:
            yield finding("X2-004", line.at("SO_LUONG"), expected="above 0", found=line["SO_LUONG"])


def dosage_within_quantity(visit: Visit) -> Iterator[Finding]:
    """X2-005."""
    for line in visit.lines("XML2"):
        dose, quantity = dosage(line["LIEU_DUNG"] or ""), number(line["SO_LUONG"])
        if dose is None or quantity is None:
            continue
        needed = dose.amount * dose.times * dose.days
        if not 0 < needed <= quantity:
            expected = f"above 0, at most {quantity:f} together"
            yield finding("X2-005", line.at("LIEU_DUNG"), expected=expected, found=f"{needed.normalize():f}")


def outside_list(text_id: str, kind: str) -> Check:
    """PHAM_VI 3 (outside the list, paid by the forces' own insurance) needs a card of the forces."""

    def check(visit: Visit) -> Iterator[Finding]:
        if visit.xml1["MA_THE_BHYT"] is None or any(card.startswith(_FORCES) for card in cards(visit)):
            return
        for line in visit.lines(kind):
            if line["PHAM_VI"] == "3":
                yield finding(text_id, line.at("PHAM_VI"), expected="1 or 2", found="3")

    return check


def long_prescription(visit: Visit) -> Iterator[Finding]:
    """X2-007."""
    kind = visit.of_xml1("MA_LOAI_KCB")
    for line in visit.lines("XML2"):
        dose = dosage(line["LIEU_DUNG"] or "")
        if kind and kind not in INPATIENT_RATES and dose is not None and dose.days > _MOST_DAYS:
            yield finding("X2-007", line.at("LIEU_DUNG"), expected="at most 30 days", found=f"{dose.days:f} days")


def service_of_medicine(visit: Visit) -> Iterator[Finding]:
    """X2-008 and its doubtful half."""
    moments: dict[str, list[Line]] = defaultdict(list)
    for line in visit.lines("XML3"):
        if is_service(line) and line["MA_DICH_VU"]:
            moments[line["MA_DICH_VU"]].append(line)
    for line in visit.lines("XML2"):
        if line["MA_NHOM"] in BLOOD_AND_OXYGEN or not line["MA_NHOM"]:
            continue
        codes = members(line["MA_DICH_VU"])
        if any(code not in moments for code in codes):
            yield finding(
                "X2-008", line.at("MA_DICH_VU"), expected="a service of XML3", found="a code that is not there"
            )
        elif codes and line["NGAY_YL"]:
            used = [service for code in codes for service in moments[code]]
            if not any(_is_on(service, line["NGAY_YL"][:8]) for service in used):
                expected = f"the service on {shown(line['NGAY_YL'][:8])}"
                yield finding("X2-008W", line.at("NGAY_YL"), expected=expected, found="another day")


def _is_on(service: Line, day: str) -> bool:
    return any((service[name] or "")[:8] == day for name in _SERVICE_MOMENTS)


def one_pair_of_hands(visit: Visit) -> Iterator[Finding]:
    """X3-006: two whole interventions at one moment by one person."""
    busy: set[tuple[str, str]] = set()
    for line in visit.lines("XML3"):
        at = line["NGAY_TH_YL"]
        if line["MA_NHOM"] not in _SURGERY or line["TYLE_TT_DV"] != "100" or not at:
            continue
        hands = {(at, person) for person in members(line["NGUOI_THUC_HIEN"]) if person}
        if hands & busy:
            yield finding("X3-006", line.at("NGAY_TH_YL"), expected="another moment or person", found=shown(at))
        busy |= hands


def own_order(visit: Visit) -> Iterator[Finding]:
    """X3-007."""
    for line in visit.lines("XML3"):
        if line["MA_NHOM"] in PARACLINICAL and line["MA_BAC_SI"] and line["MA_BAC_SI"] == line["NGUOI_THUC_HIEN"]:
            yield finding("X3-007", line.at("NGUOI_THUC_HIEN"), expected="another person", found="MA_BAC_SI")


def examination_rates(visit: Visit) -> Iterator[Finding]:
    """X3-008: several examinations of one day."""
    days: dict[str, list[Line]] = defaultdict(list)
    for line in visit.lines("XML3"):
        if line["MA_NHOM"] == _EXAM and line["PHAM_VI"] in COVERED_SCOPES and line["NGAY_YL"]:
            days[line["NGAY_YL"][:8]].append(line)
    for lines in days.values():
        if any(not line["TYLE_TT_DV"] for line in lines):
            continue
        ordered = sorted(lines, key=lambda line: -int(line["TYLE_TT_DV"] or 0))
        for position, line in enumerate(ordered):
            right = _EXAM_RATES[position] if position < len(_EXAM_RATES) else 0
            if int(line["TYLE_TT_DV"] or 0) != right:
                yield finding("X3-008", line.at("TYLE_TT_DV"), expected=str(right), found=line["TYLE_TT_DV"])
                break


def surgery_rates(visit: Visit) -> Iterator[Finding]:
    """X3-009: several surgeries at one moment."""
    moments: dict[str, list[Line]] = defaultdict(list)
    for line in visit.lines("XML3"):
        if line["MA_NHOM"] == "8" and line["NGAY_TH_YL"]:
            moments[line["NGAY_TH_YL"]].append(line)
    for lines in moments.values():
        rates = [line["TYLE_TT_DV"] for line in lines]
        if len(lines) > 1 and (rates.count("100") != 1 or not set(rates) <= {"100", "50", "80"}) and all(rates):
            expected = "100 once, else 50 or 80"
            yield finding("X3-009", lines[1].at("TYLE_TT_DV"), expected=expected, found=", ".join(map(str, rates)))


def no_bed(visit: Visit) -> Iterator[Finding]:
    """X3-010."""
    if visit.of_xml1("MA_LOAI_KCB") in ("01", "02", "09"):
        for line in filter(is_bed, visit.lines("XML3")):
            yield finding("X3-010", line.at("MA_NHOM"), expected="no bed line", found=line["MA_NHOM"])


def _bed_days(visit: Visit, groups: Collection[str | None] = BEDS) -> Decimal | None:
    together = Decimal(0)
    for line in visit.lines("XML3"):
        if line["MA_NHOM"] in groups:
            quantity = number(line["SO_LUONG"])
            if quantity is None:
                return None
            together += quantity
    return together


def bed_days_within_treatment(visit: Visit) -> Iterator[Finding]:
    """X3-011."""
    days, beds = number(visit.xml1["SO_NGAY_DTRI"]), _bed_days(visit)
    if visit.of_xml1("MA_LOAI_KCB") in ("03", "04", "06") and days is not None and beds is not None and beds > days:
        first = next(filter(is_bed, visit.lines("XML3")))
        yield finding("X3-011", first.at("SO_LUONG"), expected=f"at most {days:f} together", found=f"{beds:f}")


def bed_days_of_line(visit: Visit) -> Iterator[Finding]:
    """X3-012."""
    for line in filter(is_bed, visit.lines("XML3")):
        quantity, start, end = number(line["SO_LUONG"]), line["NGAY_YL"], line["NGAY_KQ"]
        if quantity is not None and start and end and start <= end and quantity > days_between(start, end) + 1:
            expected = f"at most {days_between(start, end) + 1}"
            yield finding("X3-012", line.at("SO_LUONG"), expected=expected, found=line["SO_LUONG"])


def one_bed_at_a_time(visit: Visit) -> Iterator[Finding]:
    """X3-012W."""
    stays = sorted(
        ((line["NGAY_YL"], line["NGAY_KQ"], line) for line in filter(is_bed, visit.lines("XML3"))),
        key=lambda stay: (stay[0] or "", stay[1] or ""),
    )
    until = ""
    for start, end, line in stays:
        if not start or not end:
            continue
        if start < until:
            yield finding("X3-012W", line.at("NGAY_YL"), expected=f"from {shown(until)}", found=shown(start))
        until = max(until, end)


def short_stay(visit: Visit) -> Iterator[Finding]:
    """X3-013."""
    came, left, beds = visit.of_xml1("NGAY_VAO"), visit.of_xml1("NGAY_RA"), _bed_days(visit)
    if visit.of_xml1("MA_LOAI_KCB") != "03" or not came or not left or came > left or beds is None:
        return
    length = moment(left) - moment(came)
    most = 0 if length < _SHORT_STAY else 1 if length <= _DAY else None
    if most is not None and beds > most:
        first = next(filter(is_bed, visit.lines("XML3")))
        yield finding("X3-013", first.at("SO_LUONG"), expected=f"at most {most} together", found=f"{beds:f}")


def rates(text_id: str, usual: frozenset[str], *, beds: bool) -> Check:
    def check(visit: Visit) -> Iterator[Finding]:
        for line in visit.lines("XML3"):
            rate = line["TYLE_TT_DV"]
            if rate and line["MA_NHOM"] and is_bed(line) is beds and rate not in usual:
                expected = ", ".join(sorted(usual, key=int))
                yield finding(text_id, line.at("TYLE_TT_DV"), expected=expected, found=rate)

    return check


def one_examination(visit: Visit) -> Iterator[Finding]:
    """X3-015."""
    if visit.of_xml1("MA_LOAI_KCB") == "03":
        exams = [line for line in visit.lines("XML3") if line["MA_NHOM"] == _EXAM and number(line["TYLE_TT_DV"])]
        for line in exams[1:2]:
            yield finding("X3-015", line.at("MA_NHOM"), expected="1 examination", found=str(len(exams)))


def service_of_supply(visit: Visit) -> Iterator[Finding]:
    """X3-016."""
    services: dict[str, list[Line]] = defaultdict(list)
    for line in visit.lines("XML3"):
        if is_service(line) and line["MA_DICH_VU"]:
            services[line["MA_DICH_VU"]].append(line)
    for line in filter(is_supply, visit.lines("XML3")):
        code, day = line["MA_DICH_VU"], (line["NGAY_YL"] or "")[:8]
        if code and day and not any(_is_on(service, day) for service in services[code]):
            yield finding("X3-016", line.at("MA_DICH_VU"), expected=f"a service on {shown(day)}", found="none")


def result_of_service(visit: Visit) -> Iterator[Finding]:
    """X3-019."""
    known = {line["MA_DICH_VU"] for line in visit.lines("XML4")}
    for line in visit.lines("XML3"):
        code = line["MA_DICH_VU"]
        wanted = line["MA_NHOM"] in PARACLINICAL and line["NGAY_KQ"] and code
        if wanted and code and known.isdisjoint((code, home_code(code))):
            yield finding("X3-019", line.at("MA_DICH_VU"), expected="a row in XML4", found="none")


def quantity_of_service(visit: Visit) -> Iterator[Finding]:
    """X3-020: a bed line may have 0, for further departments on a day of transfer."""
    for line in visit.lines("XML3"):
        if number(line["SO_LUONG"]) == 0 and line["MA_NHOM"] and not is_bed(line):
            yield finding("X3-020", line.at("SO_LUONG"), expected="above 0", found=line["SO_LUONG"])


def child_services(visit: Visit) -> Iterator[Finding]:
    """X3-021."""
    known, years = visit.lists.on("CHILD_SERVICES", visit.day), age(visit)
    if known is None or years is None or years < _GROWN_UP:
        return
    for line in visit.lines("XML3"):
        if line["MA_DICH_VU"] and line["MA_DICH_VU"] in known:
            yield finding("X3-021", line.at("MA_DICH_VU"), expected="a patient below 16", found="an older one")


def included(visit: Visit) -> Iterator[Finding]:
    """X3-022: a service that is part of another one costs nothing by itself."""
    for line in visit.lines("XML3"):
        if (line["MA_DICH_VU"] or "").endswith(".0000") and number(line["DON_GIA_BH"]):
            yield finding("X3-022", line.at("DON_GIA_BH"), expected="0", found=line["DON_GIA_BH"])


def nights(visit: Visit) -> Iterator[Finding]:
    """X3-023: the day of leaving counts when the patient died, is worse, or another facility goes on."""
    line = visit.xml1
    left = visit.of_xml1("NGAY_RA")
    came = visit.of_xml1("NGAY_VAO_NOI_TRU") or visit.of_xml1("NGAY_VAO")
    if line["MA_LOAI_KCB"] != "03" or not left or not came or not any(map(is_bed, visit.lines("XML3"))):
        return
    days, result, leaving = _bed_days(visit, ("15",)), line["KET_QUA_DTRI"], line["MA_LOAI_RV"]
    if days is None or not result or not leaving:
        return
    right = days_between(came, left) + (1 if result in ("4", "5", "6") or leaving == "2" else 0)
    if days != right:
        first = next(filter(is_bed, visit.lines("XML3")))
        yield finding("X3-023", first.at("SO_LUONG"), expected=f"{right} together", found=f"{days:f}")


def same_moment_of_result(visit: Visit) -> Iterator[Finding]:
    """X4-002."""
    services: dict[str, list[Line]] = defaultdict(list)
    for line in visit.lines("XML3"):
        if line["MA_DICH_VU"]:
            services[line["MA_DICH_VU"]].append(line)
    for line in visit.lines("XML4"):
        done, of = line["NGAY_KQ"], services.get(line["MA_DICH_VU"] or "", ())
        if done and of and not any(one["NGAY_KQ"] == done != one["NGAY_YL"] for one in of):
            expected = "NGAY_KQ of the service in XML3, and not its NGAY_YL"
            yield finding("X4-002", line.at("NGAY_KQ"), expected=expected, found=shown(done))


def lab_indices(visit: Visit) -> Iterator[Finding]:
    """X4-003."""
    known = visit.lists.on("LAB_INDICES", visit.day)
    for line in visit.lines("XML4") if known is not None else ():
        if line["MA_CHI_SO"] and known is not None and line["MA_CHI_SO"] not in known:
            yield finding("X4-003", line.at("MA_CHI_SO"), expected="a code of list LAB_INDICES", found="another one")


def different_notes(visit: Visit) -> Iterator[Finding]:
    """X5-003."""
    seen: dict[str, int | None] = {}
    for line in visit.lines("XML5"):
        text = line["DIEN_BIEN_LS"]
        if text and text in seen:
            found = f"the text of row {seen[text]}"
            yield finding("X5-003", line.at("DIEN_BIEN_LS"), expected="a text of its own", found=found)
        elif text:
            seen[text] = line.number


def consultation(visit: Visit) -> Iterator[Finding]:
    """X1-024."""
    if not visit.insured or visit.of_xml1("MA_LOAI_KCB") not in ("01", "02", "05", "08"):
        return
    if all(line["MA_NHOM"] and line["MA_NHOM"] != _EXAM for line in visit.lines("XML3")):
        yield finding("X1-024", visit.xml1.at("MA_LOAI_KCB"), expected="a line with MA_NHOM 13 in XML3", found="none")


def _stay(visit: Visit) -> tuple[Decimal, int] | None:
    """SO_NGAY_DTRI and the calendar days of the visit."""
    came, left, days = visit.of_xml1("NGAY_VAO"), visit.of_xml1("NGAY_RA"), number(visit.xml1["SO_NGAY_DTRI"])
    if days is None or not came or not left or came > left:
        return None
    return days, days_between(came, left) + 1


def treatment_days(visit: Visit) -> Iterator[Finding]:
    """X1-020."""
    kind, stay = visit.of_xml1("MA_LOAI_KCB"), _stay(visit)
    if stay is not None and kind in ("01", "07", "09"):
        yield from _days("X1-020", visit, stay[0], {0})
    elif stay is not None and kind in ("02", "03", "04", "06"):
        yield from _days("X1-020", visit, stay[0], {stay[1]})


def treatment_days_by_lines(visit: Visit) -> Iterator[Finding]:
    """X1-020W: days of medicine (05), days with services (08)."""
    kind, stay = visit.of_xml1("MA_LOAI_KCB"), _stay(visit)
    if stay is not None and kind == "05":
        doses = [days for line in visit.lines("XML2") if (days := days_of(line["LIEU_DUNG"] or ""))]
        yield from _days("X1-020W", visit, stay[0], {stay[1], max(doses, default=stay[1])})
    elif stay is not None and kind == "08":
        if not visit.has("XML3"):
            return  # without a claim nothing can be counted
        served = {(line["NGAY_TH_YL"] or line["NGAY_YL"] or "")[:8] for line in visit.lines("XML3")} - {""}
        yield from _days("X1-020W", visit, stay[0], {len(served)})


def _days(text_id: str, visit: Visit, written: Decimal, right: set[int | Decimal]) -> Iterator[Finding]:
    if written not in right:
        expected = " or ".join(f"{one:f}" for one in sorted(map(Decimal, right)))
        place = visit.xml1.at("SO_NGAY_DTRI")
        yield finding(text_id, place, expected=expected, found=visit.xml1["SO_NGAY_DTRI"])


_BED_RATES = frozenset({"100", "50", "33", "30"})
_SERVICE_RATES = frozenset({"0", "10", "30", "50", "80", "100"})

RULES = (
    Rule("X1-020", treatment_days),
    Rule("X1-020W", treatment_days_by_lines),
    Rule("X1-024", consultation),
    Rule("X2-004", above_zero),
    Rule("X2-005", dosage_within_quantity),
    Rule("X2-006", outside_list("X2-006", "XML2")),
    Rule("X2-007", long_prescription),
    Rule("X2-008", service_of_medicine, halves=("X2-008W",)),
    Rule("X3-006", one_pair_of_hands),
    Rule("X3-007", own_order),
    Rule("X3-008", examination_rates),
    Rule("X3-009", surgery_rates),
    Rule("X3-010", no_bed),
    Rule("X3-011", bed_days_within_treatment),
    Rule("X3-012", bed_days_of_line),
    Rule("X3-012W", one_bed_at_a_time),
    Rule("X3-013", short_stay),
    Rule("X3-014", rates("X3-014", _BED_RATES, beds=True)),
    Rule("X3-015", one_examination),
    Rule("X3-016", service_of_supply),
    Rule("X3-017", rates("X3-017", _SERVICE_RATES, beds=False)),
    Rule("X3-018", outside_list("X3-018", "XML3")),
    Rule("X3-019", result_of_service),
    Rule("X3-020", quantity_of_service),
    Rule("X3-021", child_services, lists=("CHILD_SERVICES",)),
    Rule("X3-022", included),
    Rule("X3-023", nights),
    Rule("X4-002", same_moment_of_result),
    Rule("X4-003", lab_indices, lists=("LAB_INDICES",)),
    Rule("X5-003", different_notes),
)
