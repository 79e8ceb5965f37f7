"""Whatever must be there is missed: each required field of each row, emptied or removed, and each required table.

What must be there is said here a second time, from the tables' data and the texts of the rules: `required = yes`, and
the conditions below.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from events.visit import Finding, Severity, TableFile
from events.xml import parse
from streams.domain.dossier.checkin import judge_checkin
from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.sample import Sample, Size, Trait
from streams.domain.dossier.sample.care import BY_CODE
from streams.domain.dossier.sample.checkin import new_checkin
from streams.domain.dossier.tables import catalogue
from streams.domain.dossier.verdict import judge
from tests.unit.sample.orders import Order, files, orders

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
Row = dict[str, str]
Rows = dict[str, list[Row]]
When = Callable[[Row, Rows], bool]


def always(_row: Row, _rows: Rows) -> bool:
    return True


def of_visit(name: str, *values: str) -> When:
    """XML1 has one of these values; without values: any."""
    return lambda _row, rows: rows["XML1"][0][name] in values if values else bool(rows["XML1"][0][name])


def of_row(name: str, *values: str) -> When:
    return lambda row, _rows: row[name] in values if values else bool(row[name])


def without(name: str, *values: str) -> When:
    return lambda row, _rows: row[name] not in values


def _grown_up(_row: Row, rows: Rows) -> bool:
    patient = rows["XML1"][0]
    return int(patient["NGAY_VAO"][:4]) - int(patient["NGAY_SINH"][:4]) > 14


def _before_the_reform(_row: Row, rows: Rows) -> bool:
    return rows["XML1"][0]["NGAY_RA"] < "20250701"


def _an_image(row: Row, rows: Rows) -> bool:
    return row["MA_DICH_VU"] in {line["MA_DICH_VU"] for line in rows["XML3"] if line["MA_NHOM"] == "2"}


def _covered_supply(row: Row, _rows: Rows) -> bool:
    return row["MA_NHOM"] == "10" and row["PHAM_VI"] in "13"


STAY = of_visit("MA_LOAI_KCB", "03", "04", "09")
REFERRED_IN = of_visit("MA_DOITUONG_KCB", "1.3")
SUPPLY = ("10", "11")
DUTIES: tuple[tuple[str, str, When, Severity], ...] = (
    *(("XML1", name, of_visit("MA_THE_BHYT"), CRITICAL) for name in ("MA_DKBD", "GT_THE_TU", "GT_THE_DEN")),
    *(("XML1", name, STAY, CRITICAL) for name in ("LY_DO_VNT", "NGAY_VAO_NOI_TRU", "PP_DIEU_TRI")),
    *(("XML1", name, REFERRED_IN, CRITICAL) for name in ("MA_NOI_DI", "GIAY_CHUYEN_TUYEN")),
    ("XML1", "MA_NOI_DEN", of_visit("MA_LOAI_RV", "2", "5"), CRITICAL),
    ("XML1", "NGAY_TAI_KHAM", lambda _row, rows: "XML14" in rows, CRITICAL),
    ("XML1", "SO_CCCD", _grown_up, WARNING),
    ("XML1", "MA_TTDV", always, WARNING),
    ("XML1", "NGAY_TTOAN", always, WARNING),
    ("XML1", "MAHUYEN_CU_TRU", _before_the_reform, WARNING),
    ("XML2", "TT_THAU", of_row("PHAM_VI", "1", "3"), CRITICAL),
    ("XML2", "SO_DANG_KY", of_row("PHAM_VI", "1", "3"), WARNING),
    *(("XML3", name, without("MA_NHOM", *SUPPLY), CRITICAL) for name in ("MA_DICH_VU", "TEN_DICH_VU")),
    *(("XML3", name, of_row("MA_NHOM", *SUPPLY), CRITICAL) for name in ("MA_VAT_TU", "TEN_VAT_TU")),
    ("XML3", "TT_THAU", _covered_supply, CRITICAL),
    *(
        ("XML3", name, of_row("MA_NHOM", "1", "2", "3", "8", "18"), CRITICAL)
        for name in ("NGUOI_THUC_HIEN", "NGAY_TH_YL")
    ),
    *(("XML3", name, always, CRITICAL) for name in ("MA_BAC_SI", "NGAY_YL")),
    ("XML3", "MA_GIUONG", of_row("MA_NHOM", "14", "15", "16"), CRITICAL),
    ("XML3", "MA_MAY", of_row("MA_NHOM", "1", "2", "3"), WARNING),
    ("XML3", "NGAY_KQ", of_row("MA_NHOM", "8", "14", "15", "16", "18"), WARNING),
    ("XML4", "NGAY_KQ", of_row("GIA_TRI"), CRITICAL),
    *(("XML4", name, _an_image, CRITICAL) for name in ("MO_TA", "KET_LUAN")),
    ("XML4", "MA_BS_DOC_KQ", lambda row, _rows: bool(row["GIA_TRI"] or row["KET_LUAN"]), CRITICAL),
    *(("XML6", name, without("LOAI_DTRI_LAO", "0"), CRITICAL) for name in ("PHACDO_DTRI_LAO", "NGAYBD_DTRI_LAO")),
    *(
        ("XML6", name, of_row("MA_XU_TRI", "1"), CRITICAL)
        for name in ("NGAY_BAT_DAU_XU_TRI", "NGAY_KET_THUC_XU_TRI", "SO_NGAY_CAP_THUOC_ARV")
    ),
    *(
        ("XML7", name, of_row("SO_NGAY_NGHI"), CRITICAL)
        for name in ("SO_NGAY_NGHI", "NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY")
    ),
    ("XML9", "MAHUYEN_CU_TRU", _before_the_reform, WARNING),
    *(("XML15", name, of_row("PHANLOAI_LAO_HIV", "1"), WARNING) for name in ("BDDT_ARV", "NGAY_BAT_DAU_DT_CTX")),
)
"""(table, field, when it must be filled, what its absence is), by the REQ and NB rules."""


@dataclass(frozen=True)
class Demand:
    """One value of a dossier that must be there."""

    file: int
    """Position of its table file."""
    table: str
    """As a finding names the file: XML7-2."""
    row: int | None
    field: str
    always: bool
    """`required = yes`."""
    severity: Severity


def read(sample: Sample) -> tuple[list[list[etree._Element]], Rows]:
    """The row elements of each file, and the values of all tables."""
    day = sample.closed_at.astimezone(VIETNAM).date()
    elements: list[list[etree._Element]] = []
    rows: Rows = {}
    for kind, content in sample.tables:
        root = parse(content)
        elements.append(list(root[0]) if catalogue(day)[kind].list_element else [root])
        rows.setdefault(kind, []).extend({str(c.tag): c.text or "" for c in row} for row in elements[-1])
    return elements, rows


def demands(sample: Sample) -> Iterator[Demand]:
    elements, rows = read(sample)
    day = sample.closed_at.astimezone(VIETNAM).date()
    seen: dict[str, int] = {}
    for position, (kind, _) in enumerate(sample.tables):
        spec = catalogue(day)[kind]
        seen[kind] = seen.get(kind, 0) + 1
        label = kind if seen[kind] == 1 else f"{kind}-{seen[kind]}"
        for number, element in enumerate(elements[position], 1):
            row = {str(child.tag): child.text or "" for child in element}
            place = (position, label, number if spec.list_element else None)
            for field in spec.fields:
                if field.is_required:
                    yield Demand(*place, field.name, True, CRITICAL)
            for table, name, when, severity in DUTIES:
                if table == kind and row[name] and when(row, rows):
                    yield Demand(*place, name, False, severity)


def changed(sample: Sample, demand: Demand, *, removed: bool) -> list[TableFile]:
    given = files(sample)
    root = deepcopy(parse(given[demand.file].content))
    row = root if demand.row is None else root[0][demand.row - 1]
    (field,) = row.findall(demand.field)
    if removed:
        row.remove(field)
    else:
        field.text = None
    given[demand.file] = TableFile(given[demand.file].kind, etree.tostring(root, encoding="utf-8"))
    return given


def is_missed(order: Order, sample: Sample, demand: Demand, *, removed: bool) -> None:
    verdict = judge(changed(sample, demand, removed=removed), now=order.ended)
    named = [item for item in verdict.findings if at(item, demand)]
    assert named, (demand, removed, {item.code for item in verdict.findings})
    lenient = removed and demand.always and verdict.standard == "130"  # ENV-011 is judged as ENV-011W
    if demand.severity is CRITICAL and not lenient:
        assert CRITICAL in {item.severity for item in named}, (demand, removed, named)
        assert verdict.rejected


def at(item: Finding, demand: Demand) -> bool:
    return (item.table, item.row, item.field) == (demand.table, demand.row, demand.field)


ENDS = (date(2024, 6, 30), date(2024, 7, 1), date(2025, 1, 1), date(2025, 7, 1), date(2026, 7, 1))


@cache
def covering(day: date) -> tuple[tuple[Order, Sample], ...]:
    """Dossiers of the day that have every table, and every condition, between them."""

    def order(care: str, *traits: Trait, seed: int = 1, insured: bool = True, size: int = 40) -> tuple[Order, Sample]:
        ended = datetime(day.year, day.month, day.day, 20, 30, tzinfo=VIETNAM)
        made = Order(seed, "01999", BY_CODE[care], insured, frozenset(traits), size, ended)
        return made, made.sample()

    return (
        order("01", Trait.SICK_LEAVE, Trait.HIV, Trait.TB, Trait.REEXAM),
        order("01", Trait.REFERRAL, insured=False, size=Size.TINY),
        order("04", Trait.PREGNANCY_LEAVE, Trait.REFERRAL),
        order("03", Trait.BIRTH, Trait.REEXAM),
        *(order("09", seed=seed, size=Size.TINY) for seed in range(20)),  # some of them were referred here
    )


@pytest.mark.parametrize("day", ENDS, ids=str)
def test_every_required_field_is_missed(day: date) -> None:
    """Once for each kind of table and field, in the first and in the last row that demands it."""
    tested: set[tuple[str, str, bool]] = set()
    for order, sample in covering(day):
        found: dict[tuple[str, str, bool], list[Demand]] = {}
        for demand in demands(sample):
            found.setdefault((sample.tables[demand.file][0], demand.field, demand.always), []).append(demand)
        for what in found.keys() - tested:
            for demand in {found[what][0], found[what][-1]}:
                for removed in (False, True):
                    is_missed(order, sample, demand, removed=removed)
        tested |= found.keys()
    known = {kind: spec for kind, spec in catalogue(day).items() if spec.travels == "dossier"}
    wanted = {(kind, field.name, True) for kind, spec in known.items() for field in spec.fields if field.is_required}
    duties = {(kind, name, False) for kind, name, _, _ in DUTIES if kind in known}
    if day >= date(2025, 7, 1):
        duties = {duty for duty in duties if duty[1] != "MAHUYEN_CU_TRU"}
    if "XML14" not in known:
        duties.discard(("XML1", "NGAY_TAI_KHAM", False))
    assert tested == wanted | duties


@settings(max_examples=300, deadline=None)
@given(orders(), st.randoms(use_true_random=False), st.booleans())
def test_any_required_field_of_any_dossier_is_missed(order: Order, chance: Random, removed: bool) -> None:
    sample = order.sample()
    is_missed(order, sample, chance.choice(list(demands(sample))), removed=removed)


def dropped(table: str, order: Order, rows: Rows) -> str | None:
    """The rule that misses the table; None: nothing else in the dossier says that there was one."""
    tests = any(row["MA_NHOM"] in ("1", "2", "3") for row in rows.get("XML3", ()))
    summary_demanded = order.care.code in ("03", "04")
    codes = {
        "XML1": "ENV-006",
        "XML2": "MON-101",
        "XML3": "MON-103",
        "XML4": "X3-019" if tests else None,
        "XML5": "X5-002",
        "XML6": "X6-004",
        "XML7": "X7-001",
        "XML8": "X8-001" if summary_demanded else None if order.insured else "NB-003",
        "XML9": "X7-002" if order.insured else None,  # the child's discharge paper is left without its birth
        "XML10": None,
        "XML11": None,
        "XML13": "X13-001",
        "XML14": "X14-001",
        "XML15": "X15-003",
    }
    return codes[table]


@settings(max_examples=150, deadline=None)
@given(orders())
def test_every_required_table_is_missed(order: Order) -> None:
    sample = order.sample()
    _, rows = read(sample)
    for table in rows:
        given = [file for file in files(sample) if file.kind != table]
        found = {item.code for item in judge(given, now=order.ended).findings}
        missed = dropped(table, order, rows)
        assert missed is None or missed in found, (table, found)


@pytest.mark.parametrize("removed", [False, True])
def test_every_required_field_of_the_check_in_is_missed(removed: bool) -> None:
    ended = datetime(2026, 11, 2, 10, tzinfo=VIETNAM)
    sample = Order(1, "01999", BY_CODE["01"], True, frozenset(), Size.TINY, ended).sample()
    content = new_checkin(sample, ended)
    assert judge_checkin(content, now=ended) == ()
    for field in catalogue(ended.date())["CHECKIN"].fields:
        if field.is_required:
            root = parse(content)
            (element,) = root.iter(field.name)
            if removed:
                parent = element.getparent()
                assert parent is not None
                parent.remove(element)
            else:
                element.text = None
            found = judge_checkin(etree.tostring(root, encoding="utf-8"), now=ended)
            assert [item for item in found if item.field == field.name and item.severity is CRITICAL], field.name
