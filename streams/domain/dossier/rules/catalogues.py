"""CAT: what a facility's own catalogues say about its lines. Each list is loaded by the facility, with dates.

Columns of a catalogue are the fields of the table it is for, beside `code`; a column that it has not is not compared.
"""

from collections.abc import Iterable, Iterator, Mapping

from events.visit import Finding
from streams.domain.dossier.codelists import CodeList
from streams.domain.dossier.findings import finding
from streams.domain.dossier.moments import day_of
from streams.domain.dossier.rules.money import number
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.rules.words import is_service, is_supply, members
from streams.domain.dossier.visit import Line, Visit

_MEDICINE = ("TEN_THUOC", "HAM_LUONG", "DUONG_DUNG", "SO_DANG_KY", "DON_VI_TINH", "DANG_BAO_CHE", "TT_THAU")
_SERVICE, _SUPPLY = ("TEN_DICH_VU",), ("TEN_VAT_TU", "DON_VI_TINH", "TT_THAU")
_STAFF_FIELDS = {
    "XML2": ("MA_BAC_SI",),
    "XML3": ("MA_BAC_SI", "NGUOI_THUC_HIEN"),
    "XML4": ("MA_BS_DOC_KQ",),
    "XML5": ("NGUOI_THUC_HIEN",),
    "XML7": ("MA_BS",),
    "XML10": ("MA_BS",),
    "XML11": ("MA_BS",),
}


def _on_order_day(visit: Visit, name: str, line: Line) -> CodeList | None:
    """The list as it stands on the day of NGAY_YL."""
    day = day_of(line["NGAY_YL"] or "")
    return visit.lists.on(name, day) if day is not None else None


def _differing(line: Line, rows: Iterable[Mapping[str, str]], names: Iterable[str]) -> str | None:
    """The first field in which no row of the catalogue is like the line; None when one row is like it."""
    first: str | None = None
    for row in rows:
        wrong = next((n for n in names if n in row and line[n] is not None and _trim(line[n]) != _trim(row[n])), None)
        if wrong is None:
            return None
        first = first or wrong
    return first


def _trim(text: str | None) -> str:
    return (text or "").strip()


def _matches(
    text_id: str, visit: Visit, line: Line, code_field: str, list_name: str, names: Iterable[str]
) -> Iterator[Finding]:
    known, code = _on_order_day(visit, list_name, line), line[code_field]
    if known is None or not code:
        return
    rows = known.by_code.get(code, ())
    if not rows:
        yield finding(f"{text_id}/code", line.at(code_field), expected=f"a code of {list_name}", found="not in it")
    elif wrong := _differing(line, rows, names):
        yield finding(f"{text_id}/field", line.at(wrong), expected=f"as in {list_name}", found="another text")


def medicines(visit: Visit) -> Iterator[Finding]:
    """CAT-001."""
    for line in visit.lines("XML2"):
        yield from _matches("CAT-001", visit, line, "MA_THUOC", "DRUG_CATALOGUE", _MEDICINE)


def _price(visit: Visit, line: Line, list_name: str, code_field: str, column: str) -> list[str]:
    known = _on_order_day(visit, list_name, line)
    rows = known.by_code.get(line[code_field] or "", ()) if known is not None else ()
    return [row[column] for row in rows if row.get(column)]


def price_above(visit: Visit) -> Iterator[Finding]:
    """CAT-002."""
    for line in visit.lines("XML2"):
        price, approved = number(line["DON_GIA"]), _price(visit, line, "DRUG_CATALOGUE", "MA_THUOC", "DON_GIA")
        if price is not None and approved and all(price > (number(one) or 0) for one in approved):
            yield finding("CAT-002", line.at("DON_GIA"), expected=f"at most {max(approved)}", found=line["DON_GIA"])


def price_below(visit: Visit) -> Iterator[Finding]:
    """CAT-003."""
    for line in visit.lines("XML2"):
        price, approved = number(line["DON_GIA"]), _price(visit, line, "DRUG_CATALOGUE", "MA_THUOC", "DON_GIA")
        if price is not None and approved and all(price < (number(one) or 0) for one in approved):
            yield finding("CAT-003", line.at("DON_GIA"), expected=f"at least {min(approved)}", found=line["DON_GIA"])


def _covered_price(text_id: str, visit: Visit, line: Line, list_name: str, code_field: str) -> Iterator[Finding]:
    price, approved = number(line["DON_GIA_BH"]), _price(visit, line, list_name, code_field, "DON_GIA_BH")
    if price is not None and approved and all(price > (number(one) or 0) for one in approved):
        expected = f"at most {max(approved)}"
        yield finding(f"{text_id}/price", line.at("DON_GIA_BH"), expected=expected, found=line["DON_GIA_BH"])


def services(visit: Visit) -> Iterator[Finding]:
    """CAT-004."""
    for line in filter(is_service, visit.lines("XML3")):
        yield from _matches("CAT-004", visit, line, "MA_DICH_VU", "SERVICE_CATALOGUE", _SERVICE)
        yield from _covered_price("CAT-004", visit, line, "SERVICE_CATALOGUE", "MA_DICH_VU")


def supplies(visit: Visit) -> Iterator[Finding]:
    """CAT-005."""
    for line in filter(is_supply, visit.lines("XML3")):
        yield from _matches("CAT-005", visit, line, "MA_VAT_TU", "SUPPLY_CATALOGUE", _SUPPLY)
        yield from _covered_price("CAT-005", visit, line, "SUPPLY_CATALOGUE", "MA_VAT_TU")


def staff(visit: Visit) -> Iterator[Finding]:
    """CAT-006."""
    known = visit.lists.on("STAFF", visit.day)
    for kind, names in _STAFF_FIELDS.items() if known is not None else ():
        for line in visit.lines(kind):
            for name in names:
                if known is not None and any(code not in known for code in members(line[name])):
                    yield finding("CAT-006", line.at(name), expected="a code of list STAFF", found="not in it")


def machines(visit: Visit) -> Iterator[Finding]:
    """CAT-007."""
    known = visit.lists.on("MACHINES", visit.day)
    for line in visit.lines("XML3") if known is not None else ():
        if known is not None and any(machine not in known for machine in members(line["MA_MAY"])):
            yield finding("CAT-007", line.at("MA_MAY"), expected="a code of list MACHINES", found="not in it")


def service_of_result(visit: Visit) -> Iterator[Finding]:
    """CAT-008."""
    known = {line["MA_DICH_VU"] for line in filter(is_service, visit.lines("XML3"))}
    homes = {code.rpartition(".K.")[0] for code in known if code and ".K." in code}
    for line in visit.lines("XML4"):
        if line["MA_DICH_VU"] and line["MA_DICH_VU"] not in known | homes:
            yield finding("CAT-008", line.at("MA_DICH_VU"), expected="a service of XML3", found="not there")


RULES = (
    Rule("CAT-001", medicines, lists=("DRUG_CATALOGUE",)),
    Rule("CAT-002", price_above, lists=("DRUG_CATALOGUE",)),
    Rule("CAT-003", price_below, lists=("DRUG_CATALOGUE",)),
    Rule("CAT-004", services, lists=("SERVICE_CATALOGUE",)),
    Rule("CAT-005", supplies, lists=("SUPPLY_CATALOGUE",)),
    Rule("CAT-006", staff, lists=("STAFF",)),
    Rule("CAT-007", machines, lists=("MACHINES",)),
    Rule("CAT-008", service_of_result),
)
