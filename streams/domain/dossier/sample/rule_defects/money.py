"""MON: amounts, shares and totals."""

from decimal import Decimal

from streams.domain.dossier.sample.model import Size, VisitKind
from streams.domain.dossier.sample.rows import (
    Edit,
    Rows,
    add,
    copy_row,
    find,
    keep,
    put,
    reckoned,
    retotal,
)
from streams.domain.dossier.sample.rule_defects.ground import (
    CONSULTATION,
    EXAM,
    PRICES,
    PROCEDURE,
    SMALL,
    STAY,
    SUPPLY,
    TEST,
    ground,
    line,
    rule,
)

_TWO_SUPPLIES = ground(VisitKind.EXAM, copy_row("XML3", SUPPLY), retotal, seed=3)


def _helped(kind: str, which: int | dict[str, str], amount: str, **values: str) -> Edit:
    """Others pay so much of a line; the shares are given."""

    def edit(rows: Rows) -> None:
        put(kind, which, T_NGUONKHAC_CL=amount, T_NGUONKHAC=amount, **values)(rows)
        retotal(rows)

    return edit


def _more_covered_than_it_costs(rows: Rows) -> None:
    """MON-005 alone: a covered price of 2 hundredths more, and half a dong of help that makes the shares add up."""
    row = find(rows, "XML3", CONSULTATION)
    price = Decimal(row["DON_GIA_BV"])
    row |= {"DON_GIA_BH": str(price + Decimal("0.02")), "THANH_TIEN_BH": str(price + Decimal("0.02"))}
    row |= {"T_BNTT": "0", "T_BNCCT": "0", "T_BHTT": str(price - Decimal("0.50"))}
    _helped("XML3", CONSULTATION, "0.50")(rows)


def _paid_by_others_beyond_the_amount(rows: Rows) -> None:
    row = rows["XML2"][0]
    row |= {"PHAM_VI": "2", "TYLE_TT_BH": "0", "THANH_TIEN_BH": "0", "MUC_HUONG": "0"}
    row |= {"T_BNTT": "0", "T_BNCCT": "0", "T_BHTT": "0"}
    _helped("XML2", 0, str(Decimal(row["THANH_TIEN_BV"]) + Decimal("0.50")))(rows)


def _help_from_the_fund_under_a_ceiling(rows: Rows) -> None:
    row = find(rows, "XML3", PROCEDURE)
    row["T_TRANTT"] = row["T_BHTT"]
    row["T_BHTT"] = str(Decimal(row["T_BHTT"]) - 5)
    _helped("XML3", PROCEDURE, "5.00")(rows)


def _shares_off_by_a_dong_and_a_half(rows: Rows) -> None:
    row = find(rows, "XML3", PROCEDURE)
    row["T_TRANTT"] = row["T_BHTT"]
    row["T_BNTT"] = str(Decimal(row["T_BNTT"]) + 1)
    _helped("XML3", PROCEDURE, "0.50")(rows)


def _all_covered(rows: Rows) -> None:
    """Only lines whose whole price is covered, so that both totals are the same."""
    for kind, (price, covered) in PRICES.items():
        keep(kind, lambda row, p=price, c=covered: row[p] == row[c] and row["TYLE_TT_BH"] == "100")(rows)  # type: ignore[misc]
    codes = {row["MA_DICH_VU"] for row in rows["XML3"] if "MA_DICH_VU" in row}
    keep("XML4", lambda row: row["MA_DICH_VU"] in codes)(rows)
    for kind in PRICES:
        for position in range(len(rows[kind])):
            reckoned(kind, position, MUC_HUONG="100")(rows)


def _two_supplies_beyond_their_ceiling(rows: Rows) -> None:
    service = find(rows, "XML3", CONSULTATION)
    supplies = [row for row in rows["XML3"] if row["MA_NHOM"] == "10" and row["NGAY_YL"][:8] == service["NGAY_YL"][:8]]
    most = max((Decimal(row["T_BHTT"]) for row in supplies[:2]), default=Decimal(0))
    for row in supplies[:2]:
        row |= {"GOI_VTYT": "G1", "MA_DICH_VU": service["MA_DICH_VU"], "TEN_DICH_VU": service["TEN_DICH_VU"]}
        row["T_TRANTT"] = str(most)


DEFECTS = (
    rule(
        "MON-001",
        "a medicine costs 100 too much",
        EXAM,
        reckoned("XML2", 0, THANH_TIEN_BV=add("100", "THANH_TIEN_BV", "XML2")),
    ),
    rule(
        "MON-002",
        "100 too little of a medicine is covered",
        EXAM,
        reckoned("XML2", 0, THANH_TIEN_BH=add("-100", "THANH_TIEN_BH", "XML2")),
    ),
    rule(
        "MON-003",
        "a service costs 100 too much",
        EXAM,
        reckoned("XML3", TEST, THANH_TIEN_BV=add("100", "THANH_TIEN_BV", "XML3", TEST)),
    ),
    rule(
        "MON-004",
        "100 too little of a service is covered",
        EXAM,
        reckoned("XML3", TEST, THANH_TIEN_BH=add("-100", "THANH_TIEN_BH", "XML3", TEST)),
    ),
    rule("MON-005", "more is covered than it costs", SMALL, _more_covered_than_it_costs),
    rule("MON-006", "other sources are not their sum", EXAM, put("XML2", T_NGUONKHAC_CL="5.00")),
    rule("MON-007", "others pay more than it costs", EXAM, _paid_by_others_beyond_the_amount),
    rule("MON-008", "the shares are a dong and a half too much", EXAM, _shares_off_by_a_dong_and_a_half),
    rule(
        "MON-009",
        "outside coverage with a rate",
        EXAM,
        line("XML2", 0, PHAM_VI="2", TYLE_TT_BH="50", DON_GIA="0", MUC_HUONG="0"),
    ),
    rule("MON-010", "a level of 101", EXAM, line("XML2", 0, TYLE_TT_BH="0", MUC_HUONG="101")),
    rule(
        "MON-011",
        "the patient pays half a dong too much",
        EXAM,
        put("XML2", T_BNTT=add("0.5", "T_BNTT", "XML2")),
        retotal,
    ),
    rule(
        "MON-012", "half a dong too much co-payment", EXAM, put("XML2", T_BNCCT=add("0.5", "T_BNCCT", "XML2")), retotal
    ),
    rule(
        "MON-013",
        "half a dong too much from the fund",
        EXAM,
        put("XML2", T_BHTT=add("0.5", "T_BHTT", "XML2")),
        retotal,
    ),
    rule("MON-014", "half a dong of help that nobody took off", EXAM, _helped("XML2", 0, "0.50")),
    rule("MON-015", "the fund pays above the ceiling", EXAM, put("XML3", PROCEDURE, T_TRANTT="1.00")),
    rule("MON-015W", "a package above its ceiling", _TWO_SUPPLIES, _two_supplies_beyond_their_ceiling),
    rule("MON-016", "a level of 100 in a large bill", STAY, reckoned("XML2", 0, MUC_HUONG="100")),
    rule("MON-016W", "a level of 50", STAY, reckoned("XML2", 0, MUC_HUONG="50")),
    rule("MON-101", "T_THUOC is 100 too much", EXAM, put("XML1", T_THUOC=add("100", "T_THUOC", "XML1"))),
    rule("MON-102", "T_VTYT is 100 too much", EXAM, put("XML1", T_VTYT=add("100", "T_VTYT", "XML1"))),
    rule(
        "MON-103", "T_TONGCHI_BV is 1.50 too much", EXAM, put("XML1", T_TONGCHI_BV=add("1.5", "T_TONGCHI_BV", "XML1"))
    ),
    rule(
        "MON-104",
        "T_TONGCHI_BH is 1.50 too much",
        EXAM,
        put("XML1", T_TONGCHI_BH=add("1.5", "T_TONGCHI_BH", "XML1"), T_BHTT=add("0.75", "T_BHTT", "XML1")),
    ),
    rule("MON-105", "T_BNTT is 1.50 too much", EXAM, put("XML1", T_BNTT=add("1.5", "T_BNTT", "XML1"))),
    rule(
        "MON-106",
        "T_BNCCT is 1.50 too much",
        EXAM,
        put("XML1", T_BNCCT=add("1.5", "T_BNCCT", "XML1"), T_BHTT=add("-0.75", "T_BHTT", "XML1")),
    ),
    rule("MON-107", "T_BHTT is 1.50 too much", EXAM, put("XML1", T_BHTT=add("1.5", "T_BHTT", "XML1"))),
    rule("MON-107W", "others paid what the fund would", EXAM, _help_from_the_fund_under_a_ceiling),
    rule("MON-108", "T_NGUONKHAC is 1.50 too much", EXAM, put("XML1", T_NGUONKHAC="1.50")),
    rule("MON-109", "T_BHTT_GDV is 5 too much", EXAM, put("XML1", T_BHTT_GDV=add("5", "T_BHTT_GDV", "XML1"))),
    rule(
        "MON-110",
        "more is covered than the visit costs",
        ground(VisitKind.EXAM, _all_covered, size=Size.TINY),
        put(
            "XML1",
            T_TONGCHI_BH=add("1", "T_TONGCHI_BH", "XML1"),
            T_TONGCHI_BV=add("-0.9", "T_TONGCHI_BV", "XML1"),
            T_BHTT=add("0.5", "T_BHTT", "XML1"),
        ),
    ),
    rule(
        "MON-111",
        "the shares are 2.70 too much together",
        EXAM,
        put(
            "XML1",
            T_BNTT=add("0.9", "T_BNTT", "XML1"),
            T_NGUONKHAC="0.90",
            T_TONGCHI_BV=add("-0.9", "T_TONGCHI_BV", "XML1"),
        ),
    ),
)
