"""MON: amounts of a line, shares of who pays, totals of the visit. Decimal; rounding and tolerance: RULES §4."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from events.visit import Finding
from streams.domain.dossier.findings import finding
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.rules.words import cards, is_supply
from streams.domain.dossier.visit import Line, Visit

_CENT, _DONG, _TWO_DONG = Decimal("0.01"), Decimal(1), Decimal(2)
_HUNDRED = Decimal(100)
_WITH_SURCHARGE = date(2024, 7, 1)
_BY_SERVICE_RATE = date(2025, 1, 1)
_FORCES = ("CA", "CY", "QN")
_OTHER_SOURCES = ("T_NGUONKHAC_NSNN", "T_NGUONKHAC_VTNN", "T_NGUONKHAC_VTTN", "T_NGUONKHAC_CL")


@lru_cache(8192)
def number(text: str | None) -> Decimal | None:
    """A value as a number; None when it is empty or known to be wrong."""
    return Decimal(text) if text else None


def rounded(value: Decimal) -> Decimal:
    """Half away from zero, 2 decimals."""
    return value.quantize(_CENT, ROUND_HALF_UP)


def close(one: Decimal, other: Decimal, by: Decimal = _CENT) -> bool:
    return abs(one - other) <= by


def _wrong(text_id: str, line: Line, name: str, expected: Decimal) -> Finding:
    return finding(text_id, line.at(name), expected=f"{expected:f}", found=line[name])


@dataclass(frozen=True, slots=True)
class Amounts:
    """The numbers of one line; B, H, N and m are the letters of RULES §4."""

    line: Line
    total: Decimal | None
    """THANH_TIEN_BV, B."""
    covered: Decimal | None
    """THANH_TIEN_BH, H."""
    others: Decimal | None
    """T_NGUONKHAC, N."""
    patient: Decimal | None
    """T_BNTT."""
    copayment: Decimal | None
    """T_BNCCT."""
    fund: Decimal | None
    """T_BHTT."""
    level: Decimal | None
    """MUC_HUONG, in percent."""
    ceiling: Decimal | None
    """T_TRANTT; None as well where the table has none."""

    @property
    def is_shared_simply(self) -> bool:
        """Nobody else pays and no ceiling binds: what MON-012 and MON-013 judge."""
        return self.others == 0 and self.line["T_TRANTT"] == ""

    def fund_share(self) -> Decimal | None:
        if self.covered is None or self.level is None:
            return None
        return rounded(self.covered * self.level / _HUNDRED)


def amounts(line: Line) -> Amounts:
    return Amounts(
        line,
        number(line["THANH_TIEN_BV"]),
        number(line["THANH_TIEN_BH"]),
        number(line["T_NGUONKHAC"]),
        number(line["T_BNTT"]),
        number(line["T_BNCCT"]),
        number(line["T_BHTT"]),
        number(line["MUC_HUONG"]),
        number(line["T_TRANTT"]),
    )


def _lines(visit: Visit) -> list[Amounts]:
    """Of tables 2 and 3, read once for all rules."""
    found: list[Amounts] | None = visit.shared.get(_lines)
    if found is None:
        found = visit.shared[_lines] = list(map(amounts, visit.lines("XML2", "XML3")))
    return found


def medicine_total(visit: Visit) -> Iterator[Finding]:
    """MON-001."""
    for line in visit.lines("XML2"):
        quantity, price, total = number(line["SO_LUONG"]), number(line["DON_GIA"]), number(line["THANH_TIEN_BV"])
        if quantity is None or price is None or total is None:
            continue
        right = rounded(quantity * price)
        if not close(total, right):
            yield _wrong("MON-001", line, "THANH_TIEN_BV", right)


def _helped(line: Line) -> Decimal | None:
    """What is covered when somebody else pays a part first: (B - N) * TYLE_TT_BH / 100."""
    total, others, rate = number(line["THANH_TIEN_BV"]), number(line["T_NGUONKHAC"]), number(line["TYLE_TT_BH"])
    if total is None or not others or rate is None:
        return None
    return rounded((total - others) * rate / _HUNDRED)


def medicine_covered(visit: Visit) -> Iterator[Finding]:
    """MON-002."""
    for line in visit.lines("XML2"):
        quantity, price = number(line["SO_LUONG"]), number(line["DON_GIA"])
        rate, covered = number(line["TYLE_TT_BH"]), number(line["THANH_TIEN_BH"])
        if quantity is None or price is None or rate is None or covered is None:
            continue
        right = rounded(quantity * price * rate / _HUNDRED)
        helped = _helped(line)
        if not close(covered, right) and (helped is None or not close(covered, helped)):
            yield _wrong("MON-002", line, "THANH_TIEN_BH", right)


def service_total(visit: Visit) -> Iterator[Finding]:
    """MON-003."""
    for line in visit.lines("XML3"):
        quantity, price, total = number(line["SO_LUONG"]), number(line["DON_GIA_BV"]), number(line["THANH_TIEN_BV"])
        covered_price, rate = number(line["DON_GIA_BH"]), number(line["TYLE_TT_DV"])
        if quantity is None or price is None or total is None or covered_price is None or rate is None:
            continue
        whole = quantity * price
        right = [rounded(whole * rate / _HUNDRED)]
        if rate != _HUNDRED:
            right.append(rounded(whole - quantity * covered_price * (_HUNDRED - rate) / _HUNDRED))
            if visit.day < _WITH_SURCHARGE:
                right.append(rounded(whole))
        if not any(close(total, one) for one in right):
            yield _wrong("MON-003", line, "THANH_TIEN_BV", right[0])


def service_covered(visit: Visit) -> Iterator[Finding]:
    """MON-004."""
    for line in visit.lines("XML3"):
        quantity, price, covered = number(line["SO_LUONG"]), number(line["DON_GIA_BH"]), number(line["THANH_TIEN_BH"])
        service_rate, rate = number(line["TYLE_TT_DV"]), number(line["TYLE_TT_BH"])
        if quantity is None or price is None or covered is None or service_rate is None or rate is None:
            continue
        right = rounded(quantity * price * service_rate / _HUNDRED * rate / _HUNDRED)
        if close(covered, right):
            continue
        if visit.day < _BY_SERVICE_RATE and close(covered, rounded(quantity * price * rate / _HUNDRED)):
            continue
        helped = _helped(line)
        if helped is None or not close(covered, helped):
            yield _wrong("MON-004", line, "THANH_TIEN_BH", right)


def covered_within_total(visit: Visit) -> Iterator[Finding]:
    """MON-005."""
    for item in _lines(visit):
        if item.total is not None and item.covered is not None and item.covered > item.total:
            expected = f"at most {item.total:f}"
            yield finding("MON-005", item.line.at("THANH_TIEN_BH"), expected=expected, found=item.line["THANH_TIEN_BH"])


def other_sources(visit: Visit) -> Iterator[Finding]:
    """MON-006."""
    for line in visit.lines("XML2", "XML3"):
        parts, whole = [number(line[name]) for name in _OTHER_SOURCES], number(line["T_NGUONKHAC"])
        if whole is None or None in parts:
            continue
        right = sum((part for part in parts if part is not None), Decimal(0))
        if not close(whole, right):
            yield _wrong("MON-006", line, "T_NGUONKHAC", right)


def others_within_total(visit: Visit) -> Iterator[Finding]:
    """MON-007."""
    for item in _lines(visit):
        if item.total is not None and item.others is not None and not 0 <= item.others <= item.total:
            expected = f"0 to {item.total:f}"
            yield finding("MON-007", item.line.at("T_NGUONKHAC"), expected=expected, found=item.line["T_NGUONKHAC"])


def shares_of_line(visit: Visit) -> Iterator[Finding]:
    """MON-008."""
    for item in _lines(visit):
        total, patient, copayment, fund, others = item.total, item.patient, item.copayment, item.fund, item.others
        if total is None or patient is None or copayment is None or fund is None or others is None:
            continue
        together = patient + copayment + fund + others
        if not close(total, together, _DONG):
            expected = f"the shares together, {together:f}"
            yield finding("MON-008", item.line.at("THANH_TIEN_BV"), expected=expected, found=item.line["THANH_TIEN_BV"])


def outside_coverage(visit: Visit) -> Iterator[Finding]:
    """MON-009."""
    for line in visit.lines("XML2", "XML3"):
        if line["PHAM_VI"] == "2":
            for name in ("TYLE_TT_BH", "THANH_TIEN_BH", "T_BHTT"):
                if number(line[name]):
                    yield _wrong("MON-009", line, name, Decimal(0))


def level_in_percent(visit: Visit) -> Iterator[Finding]:
    """MON-010."""
    for item in _lines(visit):
        if item.level is not None and not 0 <= item.level <= _HUNDRED and item.line["PHAM_VI"] != "2":
            yield finding("MON-010", item.line.at("MUC_HUONG"), expected="0 to 100", found=item.line["MUC_HUONG"])


def patient_share(visit: Visit) -> Iterator[Finding]:
    """MON-011."""
    for item in _lines(visit):
        if item.others == 0 and item.total is not None and item.covered is not None and item.patient is not None:
            right = item.total - item.covered
            if not close(item.patient, right):
                yield _wrong("MON-011", item.line, "T_BNTT", right)


def copayment(visit: Visit) -> Iterator[Finding]:
    """MON-012."""
    for item in _lines(visit):
        share = item.fund_share()
        if item.is_shared_simply and share is not None and item.covered is not None and item.copayment is not None:
            right = item.covered - share
            if not close(item.copayment, right):
                yield _wrong("MON-012", item.line, "T_BNCCT", right)


def fund(visit: Visit) -> Iterator[Finding]:
    """MON-013."""
    for item in _lines(visit):
        share = item.fund_share()
        if item.is_shared_simply and share is not None and item.fund is not None and not close(item.fund, share):
            yield _wrong("MON-013", item.line, "T_BHTT", share)


def shares_with_help(visit: Visit) -> Iterator[Finding]:
    """MON-014: the three schemes of RULES §4."""
    for item in _lines(visit):
        if item.others and item.line["T_TRANTT"] == "" and _follows_no_scheme(item):
            expected = "one of the three schemes for help by others"
            yield finding("MON-014", item.line.at("T_NGUONKHAC"), expected=expected, found=item.line["T_NGUONKHAC"])


def _follows_no_scheme(item: Amounts) -> bool:
    total, covered, others, share = item.total, item.covered, item.others, item.fund_share()
    actual = (item.patient, item.copayment, item.fund)
    if total is None or covered is None or others is None or share is None or None in actual:
        return False
    schemes = [_patient_helped(total - covered, covered - share, share, others)]
    helped = _helped(item.line)
    if helped is not None and close(covered, helped):
        schemes.append((total - others - covered, covered - share, share))
    if close(others, covered - share):
        schemes.append((total - covered, Decimal(0), share))
    return not any(
        all(one is not None and close(one, other) for one, other in zip(actual, scheme, strict=True))
        for scheme in schemes
    )


def _patient_helped(
    patient: Decimal, copayment: Decimal, fund: Decimal, help_: Decimal
) -> tuple[Decimal, Decimal, Decimal]:
    """Scheme a: the help is taken from the patient's own part first, then from the co-payment, then from the fund."""
    shares = []
    for share in (patient, copayment, fund):
        taken = min(share, help_)
        help_ -= taken
        shares.append(share - taken)
    return shares[0], shares[1], shares[2]


def fund_within_ceiling(visit: Visit) -> Iterator[Finding]:
    """MON-015."""
    for item in map(amounts, visit.lines("XML3")):
        if item.fund is not None and item.ceiling is not None and item.fund > item.ceiling:
            expected = f"at most {item.ceiling:f}"
            yield finding("MON-015", item.line.at("T_BHTT"), expected=expected, found=item.line["T_BHTT"])


def package_within_ceiling(visit: Visit) -> Iterator[Finding]:
    """MON-015W: the package of supplies in one use of a service."""
    packages: dict[tuple[str, str], list[Amounts]] = {}
    for line in visit.lines("XML3"):
        package, service = line["GOI_VTYT"], line["MA_DICH_VU"]
        if package and service:
            packages.setdefault((package, service), []).append(amounts(line))
    for items in packages.values():
        ceilings = [item.ceiling for item in items if item.ceiling is not None]
        funds = [item.fund for item in items]
        if len(items) < 2 or not ceilings or None in funds:
            continue
        together = sum((one for one in funds if one is not None), Decimal(0))
        if together > max(ceilings):
            place = items[0].line.at("T_TRANTT")
            yield finding("MON-015W", place, expected=f"at most {max(ceilings):f}", found=f"{together:f} together")


Part = Callable[[Line], bool]


def _sum(visit: Visit, name: str, kinds: tuple[str, ...], part: Part) -> Decimal | None:
    """Sum over the lines as written; None when one of them cannot be used."""
    together = Decimal(0)
    for line in visit.lines(*kinds):
        if part(line):
            value = number(line[name])
            if value is None:
                return None
            together += value
    return together


def _has_no_claim(visit: Visit) -> bool:
    """A patient without BHYT sends no tables 2 and 3 (NB-003): there is nothing to add up."""
    return not visit.insured and not visit.has("XML2") and not visit.has("XML3")


def total(text_id: str, name: str, of: str, *kinds: str, part: Part = lambda _line: True) -> Rule:
    """A total of table 1 is the sum of a field over tables 2 and 3."""

    def check(visit: Visit) -> Iterator[Finding]:
        written = number(visit.xml1[name])
        right = _sum(visit, of, kinds, part)
        if written is not None and right is not None and not _has_no_claim(visit) and not close(written, right, _DONG):
            yield _wrong(text_id, visit.xml1, name, right)

    return Rule(text_id, check)


def fund_total(visit: Visit) -> Iterator[Finding]:
    """MON-107 and its doubtful half: two ways to reckon what the fund pays."""
    line = visit.xml1
    written, covered, copaid = (number(line[name]) for name in ("T_BHTT", "T_TONGCHI_BH", "T_BNCCT"))
    together = _sum(visit, "T_BHTT", ("XML2", "XML3"), lambda _line: True)
    if written is None or covered is None or copaid is None or together is None or _has_no_claim(visit):
        return
    right = [close(written, together, _DONG), close(written, covered - copaid, _DONG)]
    if not any(right):
        yield _wrong("MON-107", line, "T_BHTT", together)
    elif not all(right):
        yield _wrong("MON-107W", line, "T_BHTT", covered - copaid if right[0] else together)


def fund_by_service(visit: Visit) -> Iterator[Finding]:
    """MON-109: what is paid by service; the forces' cards are not judged."""
    if any(card.startswith(_FORCES) for card in cards(visit)) or _has_no_claim(visit):
        return
    lines = visit.lines("XML2", "XML3")
    written = number(visit.xml1["T_BHTT_GDV"])
    right = _sum(visit, "T_BHTT", ("XML2", "XML3"), lambda line: line["MA_PTTT"] == "1")
    if written is None or right is None or not all(line["MA_PTTT"] for line in lines):
        return
    if not close(written, right, _DONG):
        yield _wrong("MON-109", visit.xml1, "T_BHTT_GDV", right)


def covered_total(visit: Visit) -> Iterator[Finding]:
    """MON-110."""
    covered, whole = number(visit.xml1["T_TONGCHI_BH"]), number(visit.xml1["T_TONGCHI_BV"])
    if covered is not None and whole is not None and covered > whole + _DONG and not _has_no_claim(visit):
        expected = f"at most {whole:f}"
        yield finding("MON-110", visit.xml1.at("T_TONGCHI_BH"), expected=expected, found=f"{covered:f}")


def shares_of_visit(visit: Visit) -> Iterator[Finding]:
    """MON-111."""
    line = visit.xml1
    shares = [number(line[name]) for name in ("T_BNTT", "T_BNCCT", "T_BHTT", "T_NGUONKHAC")]
    whole = number(line["T_TONGCHI_BV"])
    if whole is None or None in shares or _has_no_claim(visit):
        return
    together = sum((share for share in shares if share is not None), Decimal(0))
    if not close(whole, together, _TWO_DONG):
        yield _wrong("MON-111", line, "T_TONGCHI_BV", together)


RULES = (
    Rule("MON-001", medicine_total),
    Rule("MON-002", medicine_covered),
    Rule("MON-003", service_total),
    Rule("MON-004", service_covered),
    Rule("MON-005", covered_within_total),
    Rule("MON-006", other_sources),
    Rule("MON-007", others_within_total),
    Rule("MON-008", shares_of_line),
    Rule("MON-009", outside_coverage),
    Rule("MON-010", level_in_percent),
    Rule("MON-011", patient_share),
    Rule("MON-012", copayment),
    Rule("MON-013", fund),
    Rule("MON-014", shares_with_help),
    Rule("MON-015", fund_within_ceiling),
    Rule("MON-015W", package_within_ceiling),
    total("MON-101", "T_THUOC", "THANH_TIEN_BV", "XML2"),
    total("MON-102", "T_VTYT", "THANH_TIEN_BV", "XML3", part=is_supply),
    total("MON-103", "T_TONGCHI_BV", "THANH_TIEN_BV", "XML2", "XML3"),
    total("MON-104", "T_TONGCHI_BH", "THANH_TIEN_BH", "XML2", "XML3"),
    total("MON-105", "T_BNTT", "T_BNTT", "XML2", "XML3"),
    total("MON-106", "T_BNCCT", "T_BNCCT", "XML2", "XML3"),
    Rule("MON-107", fund_total, halves=("MON-107W",)),
    total("MON-108", "T_NGUONKHAC", "T_NGUONKHAC", "XML2", "XML3"),
    Rule("MON-109", fund_by_service),
    Rule("MON-110", covered_total),
    Rule("MON-111", shares_of_visit),
)
