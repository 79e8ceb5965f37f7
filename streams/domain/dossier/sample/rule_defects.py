"""For every rule that relates values: a sound dossier, and the one change that breaks just this rule.

Used by `dossier new --defect CODE`, by `dossier rules` (which shows each rule passing and failing), and by the tests.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from streams.domain.dossier.sample.edits import Change
from streams.domain.dossier.sample.model import Size, Trait, VisitKind
from streams.domain.dossier.sample.money import round_amount
from streams.domain.dossier.sample.rows import (
    Edit,
    Rows,
    add,
    copy_row,
    day_of,
    drop,
    edited,
    find,
    keep,
    of,
    put,
    put_all,
    reckoned,
    retotal,
)
from streams.domain.dossier.visit import EarlierDossiers, EarlierRevision


@dataclass(frozen=True, slots=True)
class Ground:
    """The sound dossier that a rule's defect is made from."""

    kind: VisitKind = VisitKind.EXAM
    insured: bool = True
    traits: frozenset[Trait] = frozenset()
    care: str | None = None
    size: int = Size.STANDARD
    seed: int = 1
    first: tuple[Edit, ...] = ()
    """What makes the sound dossier one to which the rule applies; it stays sound."""


@dataclass(frozen=True, slots=True)
class RuleDefect:
    """One rule, its ground, and what breaks it."""

    code: str
    what: str
    ground: Ground
    edits: tuple[Edit, ...]
    also: frozenset[str] = frozenset()
    """Rules that cannot but break with it."""
    xml8_every_visit: bool = True
    earlier: EarlierDossiers | None = None
    checkin: Mapping[str, str] | None = None

    @property
    def change(self) -> Change:
        return edited(*self.ground.first, *self.edits)

    @property
    def sound(self) -> Change:
        return edited(*self.ground.first)


def _ground(kind: VisitKind = VisitKind.EXAM, *first: Edit, traits: Collection[Trait] = (), **more: object) -> Ground:
    return Ground(kind, traits=frozenset(traits), first=first, **more)  # type: ignore[arg-type]


_EXAM, _STAY, _DAY = _ground(), _ground(VisitKind.INPATIENT, care="03"), _ground(VisitKind.DAY)
_SMALL = _ground(size=Size.TINY)
_UNINSURED = _ground(insured=False)
_REFERRED = _ground(traits=[Trait.REFERRAL])
_AGAIN = _ground(traits=[Trait.REEXAM])
_HIV, _TB = _ground(traits=[Trait.HIV]), _ground(traits=[Trait.TB])
_BIRTH = _ground(VisitKind.INPATIENT, traits=[Trait.BIRTH], care="03")
_SICK, _PREGNANT = _ground(traits=[Trait.SICK_LEAVE]), _ground(traits=[Trait.PREGNANCY_LEAVE])
_COURSE = _ground(VisitKind.OUTPATIENT_TREATMENT, care="05")
_COURSE_UNINSURED = _ground(VisitKind.OUTPATIENT_TREATMENT, care="05", insured=False)
_DAYS_OF_SERVICE = _ground(VisitKind.OUTPATIENT_TREATMENT, care="08")
_MEDICINES = _ground(VisitKind.APPOINTED_DRUGS)

_TEST, _PROCEDURE, _SUPPLY, _CONSULTATION, _BED = ({"MA_NHOM": group} for group in ("1", "18", "10", "13", "15"))
_SURGERY = {"MA_NHOM": "8"}
_WITH_SURGERY = _ground(VisitKind.INPATIENT, put("XML3", _PROCEDURE, MA_NHOM="8", PP_VO_CAM="1"), care="03")
_TWO_SUPPLIES = _ground(VisitKind.EXAM, copy_row("XML3", _SUPPLY), retotal, seed=3)
_SENT = (
    put("XML1", MA_DOITUONG_KCB="1.3", MA_NOI_DI="01998", GIAY_CHUYEN_TUYEN="CT-1", MA_DKBD="01998"),
    put_all("XML14", MA_DOITUONG_KCB="1.3"),
)
_SENT_HERE = _ground(VisitKind.EXAM, *_SENT)


def _without_copies(*names: str) -> Edit:
    """Papers that repeat these fields leave them out."""

    def edit(rows: Rows) -> None:
        for kind in ("XML13", "XML14"):
            for row in rows.get(kind, ()):
                for name in names:
                    row.pop(name, None)

    return edit


_NO_CARD_COPIES = _without_copies("MA_THE_BHYT", "GT_THE_DEN")
_NO_CATEGORY_COPY = _without_copies("MA_DOITUONG_KCB")


def _d(code: str, what: str, ground: Ground, *edits: Edit, **more: object) -> RuleDefect:
    return RuleDefect(code, what, ground, edits, **more)  # type: ignore[arg-type]


def _before_the_reform(rows: Rows) -> None:
    """500 days earlier: districts still are, and no complete list of categories is held."""
    for row in (row for table in rows.values() for row in table):
        for name, text in row.items():
            if name.startswith(_DATED) and len(text) in (8, 12):
                row[name] = _earlier(text)
    one = rows["XML1"][0]
    one |= {"MAHUYEN_CU_TRU": "001", "NAM_QT": one["NGAY_RA"][:4], "THANG_QT": str(int(one["NGAY_RA"][4:6]))}


_DATED = ("NGAY", "GT_THE", "THOI_DIEM", "TU_NGAY", "DEN_NGAY")


def _earlier(text: str) -> str:
    form = "%Y%m%d" if len(text) == 8 else "%Y%m%d%H%M"
    return (datetime.strptime(text, form) - timedelta(days=500)).strftime(form)  # noqa: DTZ007 - local time


def _image_without_conclusion(rows: Rows) -> None:
    images = {row["MA_DICH_VU"] for row in rows["XML3"] if row["MA_NHOM"] == "2"}
    next(row for row in rows["XML4"] if row["MA_DICH_VU"] in images)["KET_LUAN"] = ""


def _results_as_in_xml3(rows: Rows) -> None:
    """Table 4 follows the first test of table 3; further services of that code would need results of their own."""
    test = find(rows, "XML3", _TEST)
    for row in rows["XML4"]:
        if row["MA_DICH_VU"] == test["MA_DICH_VU"]:
            row["NGAY_KQ"] = test["NGAY_KQ"]


def _line(kind: str, which: int | dict[str, str], **values: str) -> Edit:
    """Quantity, price or rate of a line change, and every amount that follows from them."""

    def edit(rows: Rows) -> None:
        row = find(rows, kind, which)
        row.update(values)
        quantity, rate = Decimal(row["SO_LUONG"]), Decimal(row.get("TYLE_TT_DV", "100")) / 100
        price, covered = (Decimal(row[name]) for name in (_PRICES[kind]))
        whole = round_amount(quantity * price * rate)
        insured = round_amount(quantity * covered * rate * Decimal(row["TYLE_TT_BH"]) / 100)
        reckoned(kind, which, THANH_TIEN_BV=str(whole), THANH_TIEN_BH=str(insured))(rows)

    return edit


_PRICES = {"XML2": ("DON_GIA", "DON_GIA"), "XML3": ("DON_GIA_BV", "DON_GIA_BH")}


def _helped(kind: str, which: int | dict[str, str], amount: str, **values: str) -> Edit:
    """Others pay so much of a line; the shares are given."""

    def edit(rows: Rows) -> None:
        put(kind, which, T_NGUONKHAC_CL=amount, T_NGUONKHAC=amount, **values)(rows)
        retotal(rows)

    return edit


def _more_covered_than_it_costs(rows: Rows) -> None:
    """MON-005 alone: a covered price of 2 hundredths more, and half a dong of help that makes the shares add up."""
    row = find(rows, "XML3", _CONSULTATION)
    price = Decimal(row["DON_GIA_BV"])
    row |= {"DON_GIA_BH": str(price + Decimal("0.02")), "THANH_TIEN_BH": str(price + Decimal("0.02"))}
    row |= {"T_BNTT": "0", "T_BNCCT": "0", "T_BHTT": str(price - Decimal("0.50"))}
    _helped("XML3", _CONSULTATION, "0.50")(rows)


def _paid_by_others_beyond_the_amount(rows: Rows) -> None:
    row = rows["XML2"][0]
    row |= {"PHAM_VI": "2", "TYLE_TT_BH": "0", "THANH_TIEN_BH": "0", "MUC_HUONG": "0"}
    row |= {"T_BNTT": "0", "T_BNCCT": "0", "T_BHTT": "0"}
    _helped("XML2", 0, str(Decimal(row["THANH_TIEN_BV"]) + Decimal("0.50")))(rows)


def _help_from_the_fund_under_a_ceiling(rows: Rows) -> None:
    row = find(rows, "XML3", _PROCEDURE)
    row["T_TRANTT"] = row["T_BHTT"]
    row["T_BHTT"] = str(Decimal(row["T_BHTT"]) - 5)
    _helped("XML3", _PROCEDURE, "5.00")(rows)


def _shares_off_by_a_dong_and_a_half(rows: Rows) -> None:
    row = find(rows, "XML3", _PROCEDURE)
    row["T_TRANTT"] = row["T_BHTT"]
    row["T_BNTT"] = str(Decimal(row["T_BNTT"]) + 1)
    _helped("XML3", _PROCEDURE, "0.50")(rows)


def _all_covered(rows: Rows) -> None:
    """Only lines whose whole price is covered, so that both totals are the same."""
    for kind, (price, covered) in _PRICES.items():
        keep(kind, lambda row, p=price, c=covered: row[p] == row[c] and row["TYLE_TT_BH"] == "100")(rows)  # type: ignore[misc]
    codes = {row["MA_DICH_VU"] for row in rows["XML3"] if "MA_DICH_VU" in row}
    keep("XML4", lambda row: row["MA_DICH_VU"] in codes)(rows)
    for kind in _PRICES:
        for position in range(len(rows[kind])):
            reckoned(kind, position, MUC_HUONG="100")(rows)


def _two_supplies_beyond_their_ceiling(rows: Rows) -> None:
    service = find(rows, "XML3", _CONSULTATION)
    supplies = [row for row in rows["XML3"] if row["MA_NHOM"] == "10" and row["NGAY_YL"][:8] == service["NGAY_YL"][:8]]
    most = max((Decimal(row["T_BHTT"]) for row in supplies[:2]), default=Decimal(0))
    for row in supplies[:2]:
        row |= {"GOI_VTYT": "G1", "MA_DICH_VU": service["MA_DICH_VU"], "TEN_DICH_VU": service["TEN_DICH_VU"]}
        row["T_TRANTT"] = str(most)


def _beds_of_a_night_and_a_day(rows: Rows) -> None:
    """A stay of 20 hours with one night's bed and one day's bed: two bed days, none of them wrong by itself."""
    one = rows["XML1"][0]
    one["NGAY_VAO"] = of("NGAY_RA", hours=-20)(rows)
    one["NGAY_VAO_NOI_TRU"] = of("NGAY_VAO", minutes=20)(rows)
    one |= {"SO_NGAY_DTRI": "2", "MA_LOAI_RV": "1", "KET_QUA_DTRI": "2", "MA_NOI_DEN": ""}
    rows["XML8"][0]["KET_QUA_DTRI"], rows["XML13"] = "2", []
    for kind in ("XML7", "XML8"):
        rows[kind][0]["NGAY_VAO"] = one["NGAY_VAO"]
    _without_copies("NGAY_VAO", "NGAY_VAO_NOI_TRU")(rows)
    rows["XML2"], rows["XML4"] = [], []
    keep("XML3", lambda row: row["MA_NHOM"] in ("13", "15"))(rows)
    start, middle = one["NGAY_VAO_NOI_TRU"], of("NGAY_RA", hours=-3)(rows)
    put("XML3", _CONSULTATION, NGAY_YL=one["NGAY_VAO"], NGAY_TH_YL=one["NGAY_VAO"], NGAY_KQ=start)(rows)
    _line("XML3", _BED, SO_LUONG="1", NGAY_YL=start, NGAY_TH_YL=start, NGAY_KQ=middle)(rows)
    put_all("XML5", THOI_DIEM_DBLS=middle)(rows)
    retotal(rows)


def _level_again(level: str | None = None) -> Edit:
    """The same benefit level in every line; without one the level of the card."""

    def edit(rows: Rows) -> None:
        of_card = {"1": "100", "2": "100", "3": "95", "4": "80", "5": "100"}[rows["XML1"][0]["MA_THE_BHYT"][2]]
        for kind in _PRICES:
            for position in range(len(rows.get(kind, []))):
                reckoned(kind, position, MUC_HUONG=level or of_card)(rows)

    return edit


def _without_results_of_a_test(rows: Rows) -> None:
    code = find(rows, "XML3", _TEST)["MA_DICH_VU"]
    keep("XML4", lambda row: row["MA_DICH_VU"] != code)(rows)


def _sick_paper_beside_the_discharge_paper(rows: Rows) -> None:
    one, paper = rows["XML1"][0], rows["XML7"][0]
    rows["XML11"] = [
        {
            "MA_LK": one["MA_LK"],
            "SO_CT": "1",
            "SO_SERI": "NV1",
            "SO_KCB": "1",
            "DON_VI": "Công ty Thử Nghiệm",
            "MA_BHXH": one["MA_THE_BHYT"][-10:],
            "CHAN_DOAN_RV": one["CHAN_DOAN_RV"],
            "PP_DIEUTRI": one["PP_DIEU_TRI"],
            "SO_NGAY_NGHI": "2",
            "TU_NGAY": one["NGAY_RA"][:8],
            "DEN_NGAY": paper["NGOAITRU_TUNGAY"],
            "MA_TTDV": one["MA_TTDV"],
            "MA_BS": paper["MA_BS"],
            "NGAY_CT": one["NGAY_RA"][:8],
        }
    ]


_FORMS = (
    _d("FMT-005", "a card ends in a letter", _EXAM, put("XML1", MA_THE_BHYT="DN499000000001X")),
    _d("FMT-006", "a facility code has 4 characters", _EXAM, put("XML1", MA_DKBD="0199")),
    _d("FMT-007", "a social insurance number is all zero", _STAY, put("XML7", MA_ME="0000000000")),
    _d("FMT-008", "a temporary card begins with another letter", _BIRTH, put("XML9", MA_THE_TAM="DN1019900000001")),
    _d("FMT-012", "a tender of a medicine has no group", _EXAM, put("XML2", TT_THAU="01/QĐ;G1;2026")),
    _d("FMT-013", "a tender of a supply has no year", _EXAM, put("XML3", _SUPPLY, TT_THAU="01/QĐ-TEST;G1")),
    _d("FMT-014", "a package is GX", _EXAM, put("XML3", _SUPPLY, GOI_VTYT="GX")),
    _d("FMT-015", "a bed begins with X", _STAY, put("XML3", _BED, MA_GIUONG="X012")),
    _d("FMT-016", "a machine has source 9", _EXAM, put("XML3", _TEST, MA_MAY="HH.9.00001")),
    _d("FMT-017", "a medicine comes from Z.01999", _EXAM, put("XML2", MA_CSKCB_THUOC="Z.01999")),
    _d("FMT-018", "a list of staff has an empty part", _EXAM, put("XML3", _TEST, NGUOI_THUC_HIEN="000001/A;;000002/B")),
    _d("FMT-019", "a flag is 2", _EXAM, put("XML2", VET_THUONG_TP="2")),
    _d("FMT-020", "the weight is 0", _EXAM, put("XML1", CAN_NANG="0")),
    _d("FMT-020W", "the weight is 250 kg", _EXAM, put("XML1", CAN_NANG="250")),
    _d("FMT-021", "a child weighs nothing", _EXAM, put("XML1", CAN_NANG_CON="3200;0")),
    _d("FMT-022", "a dosage is free text", _EXAM, put("XML2", LIEU_DUNG="uống theo đơn")),
    _d("FMT-023", "two main diseases", _EXAM, put("XML1", MA_BENH_CHINH="I10;J02")),
    _d("FMT-024", "an empty accompanying disease", _EXAM, put("XML1", MA_BENH_KT="I10;;E11")),
    _d("FMT-025", "the re-examination is before the visit", _AGAIN, put("XML1", NGAY_TAI_KHAM="20250101")),
    _d(
        "FMT-025W",
        "the re-examination is on the day itself",
        _ground(insured=False, traits=[Trait.REEXAM]),
        put("XML1", NGAY_TAI_KHAM=day_of("NGAY_RA")),
    ),
    _d(
        "FMT-026",
        "exempt from a 13th month on",
        _EXAM,
        put("XML1", NGAY_MIEN_CCT="20261301", NAM_NAM_LIEN_TUC="20200101"),
    ),
    _d("FMT-028", "a number in place of the card", _EXAM, put("XML1", MA_THE_BHYT="9912345678"), _NO_CARD_COPIES),
)
_READING = (
    _d("ENV-013W", "a blood group of 6 characters", _UNINSURED, put("XML1", NHOM_MAU="AB+ABC")),
    _d("ENV-014", "a blank in the patient's number", _UNINSURED, put("XML1", MA_BN="BN 1")),
    _d("ENV-014W", "a blank behind a name", _EXAM, put("XML2", TEN_THUOC="Thuốc mẫu thử ")),
    _d("FMT-003", "born in a 13th month", _UNINSURED, put("XML1", NGAY_SINH="199013010000")),
    _d("FMT-003W", "born on an unknown day of a known month", _UNINSURED, put("XML1", NGAY_SINH="199005000000")),
    _d(
        "FMT-004W",
        "a passport of 5 characters",
        _ground(insured=False, traits=[Trait.FOREIGNER]),
        put("XML1", SO_CCCD="AB123"),
    ),
    _d("FMT-009", "a comma in an amount", _UNINSURED, put("XML1", CAN_NANG="60,5")),
    _d("FMT-010", "a price with 4 decimals", _EXAM, put("XML2", DON_GIA="420.0001")),
    _d("FMT-011", "an amount with 3 decimals", _UNINSURED, put("XML1", T_BHTT_GDV="0.001")),
    _d("FMT-029", "a number with a sign", _UNINSURED, put("XML1", SO_NGAY_DTRI="+1")),
)
_CODES = (
    _d("COD-001", "sex is 9", _UNINSURED, put("XML1", GIOI_TINH="9")),
    _d(
        "COD-002",
        "a kind of care that does not exist",
        _UNINSURED,
        put("XML1", MA_LOAI_KCB="99"),
        put("XML8", MA_LOAI_KCB="99"),
    ),
    _d("COD-003", "an unknown category", _EXAM, put("XML1", MA_DOITUONG_KCB="6.6"), _NO_CATEGORY_COPY),
    _d(
        "COD-003W",
        "an unknown category of before the new list",
        _ground(VisitKind.EXAM, _before_the_reform, size=Size.TINY),
        put("XML1", MA_DOITUONG_KCB="6.6", MA_DKBD="01998"),
        _NO_CATEGORY_COPY,
    ),
    _d("COD-004", "result 9", _UNINSURED, put("XML1", KET_QUA_DTRI="9")),
    _d("COD-005", "discharge 9", _UNINSURED, put("XML1", MA_LOAI_RV="9")),
    _d("COD-006", "accident 9", _UNINSURED, put("XML1", MA_TAI_NAN="9")),
    _d("COD-007", "region K4", _EXAM, put("XML1", MA_KHUVUC="K4")),
    _d("COD-008", "scope 7", _EXAM, put("XML2", PHAM_VI="7")),
    _d("COD-009", "way of payment 9", _EXAM, put("XML2", MA_PTTT="9")),
    _d("COD-010", "source 9", _EXAM, put("XML2", NGUON_CTRA="9")),
    _d("COD-011", "a medicine of group 13", _EXAM, put("XML2", MA_NHOM="13")),
    _d("COD-011W", "a medicine of group 17", _EXAM, put("XML2", MA_NHOM="17")),
    _d("COD-012", "a service of group 4", _EXAM, put("XML3", _PROCEDURE, MA_NHOM="4")),
    _d("COD-013", "anaesthesia 9", _WITH_SURGERY, put("XML3", _SURGERY, PP_VO_CAM="9")),
    _d("COD-014", "a reason for referral 9", _REFERRED, put("XML13", MA_LYDO_CT="9")),
    _d("COD-015", "department X01", _UNINSURED, put("XML1", MA_KHOA="X01")),
    _d("COD-015W", "a department that is in no list", _UNINSURED, put("XML1", MA_KHOA="K98")),
    _d("COD-016", "a disease that is in no list", _UNINSURED, put("XML1", MA_BENH_CHINH="XX9.9")),
    _d("COD-017", "a main disease that may not be one", _UNINSURED, put("XML1", MA_BENH_CHINH="Z99.9")),
    _d("COD-018", "a disease of the other sex", _UNINSURED, put("XML1", GIOI_TINH="1", MA_BENH_KT="O99.9")),
    _d("COD-019", "a disease of another age", _UNINSURED, put("XML1", MA_BENH_KT="P99.9")),
    _d("COD-020", "a province of no time", _UNINSURED, put("XML1", MATINH_CU_TRU="00")),
    _d("COD-020W", "a province of before the reform", _UNINSURED, put("XML1", MATINH_CU_TRU="77")),
    _d("COD-021", "an unknown nationality", _UNINSURED, put("XML1", MA_QUOCTICH="XXX")),
    _d("COD-022", "an unknown disease of traditional medicine", _UNINSURED, put("XML1", MA_BENH_YHCT="U99.999")),
    _d(
        "COD-023",
        "a card of an unknown group",
        _EXAM,
        put("XML1", MA_THE_BHYT=lambda rows: f"ZZ{of('MA_THE_BHYT')(rows)[2:]}"),
        _NO_CARD_COPIES,
    ),
    _d("COD-024", "a reason for treatment 9", _HIV, put("XML6", MA_LYDO_DTRI="9")),
    _d("COD-025", "a place of tuberculosis 9", _TB, put("XML15", PHANLOAI_LAO_VITRI="9")),
    _d("COD-025W", "regimen 26", _TB, put("XML15", PHACDO_DTRI_LAO="26")),
    _d("COD-026", "an ended pregnancy 2", _STAY, put("XML7", MA_DINH_CHI_THAI="2")),
    _d("COD-027", "a birth flag 2", _BIRTH, put("XML9", SINHCON_PHAUTHUAT="2")),
    _d("COD-028", "another form number", _SICK, put("XML11", MAU_SO="CT08")),
    _d("COD-029", "an unknown fuel", _EXAM, put("XML3", _PROCEDURE, MA_NHOM="12", MA_XANG_DAU="DAU9")),
)
_PRESENCE = (
    _d("REQ-005", "a stay without a reason", _STAY, put("XML1", LY_DO_VNT="")),
    _d("REQ-007", "a card without its first-care facility", _EXAM, put("XML1", MA_DKBD="")),
    _d("REQ-008", "a card without an end", _EXAM, put("XML1", GT_THE_DEN=""), _NO_CARD_COPIES),
    _d("REQ-009", "two first-care facilities for one card", _EXAM, put("XML1", MA_DKBD="01999;01998")),
    _d("REQ-010", "a transfer to nowhere", _UNINSURED, put("XML1", MA_LOAI_RV="2", MA_NOI_DEN="")),
    _d("REQ-011", "a referral without a number", _SENT_HERE, put("XML1", GIAY_CHUYEN_TUYEN="")),
    _d("REQ-011W", "sent by another facility, no number", _UNINSURED, put("XML1", MA_NOI_DI="01998")),
    _d("REQ-012", "a referral by nobody", _SENT_HERE, put("XML1", MA_NOI_DI="")),
    _d("REQ-013", "a grown-up without citizen number", _EXAM, put("XML1", SO_CCCD="")),
    _d("REQ-014", "no head of the facility", _UNINSURED, put("XML1", MA_TTDV="")),
    _d("REQ-015", "not paid yet", _UNINSURED, put("XML1", NGAY_TTOAN="")),
    _d(
        "REQ-016",
        "no district while there were some",
        _ground(VisitKind.EXAM, _before_the_reform, insured=False),
        put("XML1", MAHUYEN_CU_TRU=""),
    ),
    _d("REQ-017", "a covered medicine without tender", _EXAM, put("XML2", TT_THAU="")),
    _d("REQ-018", "a medicine without registration", _EXAM, put("XML2", SO_DANG_KY="")),
    _d("REQ-020", "a supply without code", _EXAM, put("XML3", _SUPPLY, MA_VAT_TU="", TEN_VAT_TU="")),
    _d("REQ-021", "a service without name", _EXAM, put("XML3", _TEST, TEN_DICH_VU="")),
    _d("REQ-022", "transport without fuel", _EXAM, put("XML3", _PROCEDURE, MA_NHOM="12")),
    _d("REQ-023", "a covered supply without tender", _EXAM, put("XML3", _SUPPLY, TT_THAU="")),
    _d("REQ-024", "a test that nobody did", _EXAM, put("XML3", _TEST, NGUOI_THUC_HIEN="")),
    _d("REQ-025", "a bed without code", _STAY, put("XML3", _BED, MA_GIUONG="")),
    _d("REQ-026", "a test without machine", _EXAM, put("XML3", _TEST, MA_MAY="")),
    _d("REQ-027", "surgery without anaesthesia", _WITH_SURGERY, put("XML3", _SURGERY, PP_VO_CAM="")),
    _d("REQ-028", "a procedure without end", _EXAM, put("XML3", _PROCEDURE, NGAY_KQ="")),
    _d("REQ-030", "a value without its day", _EXAM, put("XML4", NGAY_KQ="")),
    _d("REQ-031", "an image without conclusion", _EXAM, _image_without_conclusion),
    _d("REQ-032", "a result that nobody read", _EXAM, put("XML4", MA_BS_DOC_KQ="")),
    _d(
        "REQ-033",
        "tuberculosis of an HIV patient without regimen",
        _HIV,
        put("XML6", LOAI_DTRI_LAO="2", NGAYBD_DTRI_LAO=day_of("NGAY_VAO")),
    ),
    _d("REQ-034", "a child of an infected mother without test", _HIV, put("XML6", MA_TINH_TRANG_DK="1")),
    _d("REQ-035", "treatment without its end", _HIV, put("XML6", NGAY_KET_THUC_XU_TRI="")),
    _d(
        "REQ-036",
        "another regimen without line",
        _HIV,
        put("XML6", MA_PHAC_DO_DIEU_TRI="KHAC", MA_PHAC_DO_DIEU_TRI_BD="KHAC"),
    ),
    _d("REQ-037", "a changed regimen without reason", _HIV, put("XML6", NGAY_CHUYEN_PHAC_DO=day_of("NGAY_VAO"))),
    _d("REQ-038", "a viral load without result", _HIV, put("XML6", NGAY_XN_TLVR=day_of("NGAY_VAO"))),
    _d(
        "REQ-039",
        "an ended pregnancy without reason",
        _STAY,
        put("XML7", MA_DINH_CHI_THAI="1", TUOI_THAI="8", THOIGIAN_DINHCHI=of("NGAY_VAO")),
    ),
    _d("REQ-040", "days off without end", _STAY, put("XML7", NGOAITRU_DENNGAY="")),
    _d(
        "REQ-041",
        "a dead child without number",
        _STAY,
        put("XML8", NGAY_SINHCON=day_of("NGAY_VAO"), NGAY_CONCHET=day_of("NGAY_VAO")),
    ),
    _d("REQ-042", "tuberculosis with HIV, no ARV", _TB, put("XML15", PHANLOAI_LAO_HIV="1")),
    _d("REQ-043", "a service without order day", _EXAM, put("XML3", _PROCEDURE, NGAY_YL="")),
    _d("REQ-044", "resistant tuberculosis of no kind", _TB, put("XML15", LOAI_DTRI_LAO="3")),
)

_DATES = (
    _d(
        "X1-001",
        "left before the arrival",
        _UNINSURED,
        put("XML1", NGAY_RA=of("NGAY_VAO", minutes=-30)),
        put("XML8", NGAY_RA=of("NGAY_RA"), NGAY_CT=day_of("NGAY_RA")),
    ),
    _d(
        "X1-002",
        "on the ward before the arrival",
        _STAY,
        put("XML1", NGAY_VAO_NOI_TRU=of("NGAY_VAO", minutes=-5)),
        _without_copies("NGAY_VAO_NOI_TRU"),
    ),
    _d("X1-004", "born after the arrival", _UNINSURED, put("XML1", NGAY_SINH=of("NGAY_VAO", days=1))),
    _d("X1-005", "paid before leaving", _UNINSURED, put("XML1", NGAY_TTOAN=of("NGAY_RA", minutes=-1))),
    _d(
        "X1-005W",
        "a course paid before the arrival",
        _COURSE_UNINSURED,
        put("XML1", NGAY_TTOAN=of("NGAY_VAO", days=-1)),
    ),
    _d(
        "X1-006",
        "a card ends before it begins",
        _EXAM,
        put("XML1", GT_THE_TU="20260101", GT_THE_DEN="20251231"),
        _NO_CARD_COPIES,
    ),
    _d(
        "X1-007",
        "a card of next year",
        _EXAM,
        put("XML1", GT_THE_TU="20270101", GT_THE_DEN="20271231"),
        _NO_CARD_COPIES,
    ),
    _d("X1-009", "a 13th month", _UNINSURED, put("XML1", THANG_QT="13")),
    _d("X1-009W", "settled in the year before", _UNINSURED, put("XML1", NAM_QT="2025", THANG_QT="12")),
    _d(
        "X1-018",
        "a course that ends at 23:58",
        _COURSE_UNINSURED,
        put("XML1", NGAY_RA=of("NGAY_RA", minutes=-1)),
        put("XML8", NGAY_RA=of("NGAY_RA")),
    ),
    _d(
        "X1-021",
        "an examination of 2 minutes",
        _UNINSURED,
        put("XML1", NGAY_VAO=of("NGAY_RA", minutes=-2)),
        put("XML8", NGAY_VAO=of("NGAY_VAO")),
    ),
    _d("X1-027", "exempt without five years", _EXAM, put("XML1", NGAY_MIEN_CCT="20260101")),
    _d("X2-001", "a medicine ordered before the arrival", _EXAM, put("XML2", NGAY_YL=of("NGAY_VAO", minutes=-5))),
    _d("X2-002", "given before it was ordered", _EXAM, put("XML2", NGAY_TH_YL=of("NGAY_YL", "XML2", minutes=-1))),
    _d("X2-003", "given after leaving", _EXAM, put("XML2", NGAY_TH_YL=of("NGAY_RA", minutes=1))),
    _d(
        "X3-001",
        "a service ordered before the arrival",
        _EXAM,
        put("XML3", _PROCEDURE, NGAY_YL=of("NGAY_VAO", minutes=-5)),
    ),
    _d(
        "X3-002",
        "done before it was ordered",
        _EXAM,
        put("XML3", _PROCEDURE, NGAY_TH_YL=of("NGAY_YL", "XML3", _PROCEDURE, minutes=-1)),
    ),
    _d(
        "X3-003",
        "a procedure that ends after leaving",
        _EXAM,
        put("XML3", _PROCEDURE, NGAY_KQ=of("NGAY_RA", minutes=1)),
    ),
    _d(
        "X3-003W",
        "a test after leaving",
        _EXAM,
        put("XML3", _TEST, NGAY_TH_YL=of("NGAY_RA", minutes=1), NGAY_KQ=of("NGAY_RA", minutes=30)),
        _results_as_in_xml3,
    ),
    _d(
        "X3-004",
        "a result after a minute",
        _EXAM,
        put("XML3", _TEST, NGAY_TH_YL=of("NGAY_KQ", "XML3", _TEST, minutes=-1)),
    ),
    _d(
        "X3-005",
        "a result after 8 days",
        _DAYS_OF_SERVICE,
        put("XML3", _TEST, NGAY_KQ=of("NGAY_YL", "XML3", _TEST, days=8)),
        _results_as_in_xml3,
    ),
    _d(
        "X4-001",
        "a result of before the arrival",
        _EXAM,
        put("XML4", MA_DICH_VU="", NGAY_KQ=of("NGAY_VAO", minutes=-5)),
    ),
    _d("X5-001", "a note after leaving", _DAY, put("XML5", THOI_DIEM_DBLS=of("NGAY_RA", minutes=1))),
    _d("X6-002", "tested after the result", _HIV, put("XML6", NGAY_XN_PCR="20260202", NGAY_KQ_XN_PCR="20260201")),
    _d("X6-003", "more days of medicine than of treatment", _HIV, put("XML6", SO_NGAY_CAP_THUOC_ARV="31")),
    _d("X7-004", "a paper of the day before", _STAY, put("XML7", NGAY_CT=day_of("NGAY_RA", days=-1))),
    _d(
        "X7-006",
        "off from two days later",
        _STAY,
        put("XML7", NGOAITRU_TUNGAY=day_of("NGAY_RA", days=2), NGOAITRU_DENNGAY=day_of("NGAY_RA", days=4)),
    ),
    _d("X7-007", "5 days off that are 3", _STAY, put("XML7", SO_NGAY_NGHI="5")),
    _d("X8-006", "a summary of the day before", _UNINSURED, put("XML8", NGAY_CT=day_of("NGAY_RA", days=-1))),
    _d("X9-002", "born before the arrival", _BIRTH, put("XML9", NGAY_SINH_CON=of("NGAY_VAO", minutes=-30))),
    _d("X9-004", "a paper of before the birth", _BIRTH, put("XML9", NGAY_CT=day_of("NGAY_SINH_CON", "XML9", days=-1))),
    _d("X10-001", "9 days off that are 7", _PREGNANT, put("XML10", SO_NGAY="9")),
    _d(
        "X10-002",
        "leave from after the visit",
        _PREGNANT,
        put("XML10", TU_NGAY=day_of("NGAY_RA", days=1), DEN_NGAY=day_of("NGAY_RA", days=7)),
    ),
    _d("X11-002", "5 days off that are 3", _SICK, put("XML11", SO_NGAY_NGHI="5")),
    _d(
        "X11-003",
        "off from after the visit",
        _SICK,
        put("XML11", TU_NGAY=day_of("NGAY_RA", days=1), DEN_NGAY=day_of("NGAY_RA", days=3)),
    ),
    _d(
        "X11-003W",
        "off from before the visit",
        _SICK,
        put("XML11", TU_NGAY=day_of("NGAY_VAO", days=-1), DEN_NGAY=day_of("NGAY_VAO", days=1)),
    ),
    _d(
        "X14-003",
        "an appointment before leaving",
        _AGAIN,
        put("XML14", NGAY_HEN_KL=day_of("NGAY_RA", days=-1)),
        also=frozenset({"X14-002"}),
    ),
    _d(
        "X14-003W",
        "an appointment on the day of leaving",
        _AGAIN,
        put("XML1", NGAY_TAI_KHAM=day_of("NGAY_RA")),
        put("XML14", NGAY_HEN_KL=day_of("NGAY_RA")),
        also=frozenset({"FMT-025W"}),
    ),
    _d("X14-004", "a paper of before the arrival", _AGAIN, put("XML14", NGAY_CT=day_of("NGAY_VAO", days=-1))),
    _d(
        "X15-002",
        "ended before it began",
        _TB,
        put("XML15", NGAYKT_DTRI_LAO=day_of("NGAYBD_DTRI_LAO", "XML15", days=-1)),
    ),
    _d("X15-002W", "a result without an end", _TB, put("XML15", KET_QUA_DTRI_LAO="1")),
)
_CATEGORY = (
    _d("X1-008", "sent by itself", _UNINSURED, put("XML1", MA_NOI_DI=of("MA_CSKCB"), GIAY_CHUYEN_TUYEN="CT-1")),
    _d("X1-012", "registered here, category 3.2", _EXAM, put("XML1", MA_DOITUONG_KCB="3.2"), _NO_CATEGORY_COPY),
    _d("X1-012W", "registered here, category 1.4", _EXAM, put("XML1", MA_DOITUONG_KCB="1.4"), _NO_CATEGORY_COPY),
    _d("X1-013", "category 1.1, registered elsewhere", _EXAM, put("XML1", MA_DKBD="01998")),
    _d(
        "X1-014",
        "category 1.15 of an outpatient",
        _EXAM,
        put("XML1", MA_DKBD="01998", MA_DOITUONG_KCB="1.15"),
        _NO_CATEGORY_COPY,
    ),
    _d(
        "X1-015",
        "a newborn's category of a grown-up",
        _EXAM,
        put("XML1", MA_DKBD="01998", MA_DOITUONG_KCB="1.7"),
        _NO_CATEGORY_COPY,
    ),
    _d("X1-016", "a child's card of a grown-up", _SMALL, put("XML1", MA_THE_BHYT="TE1990000000001"), _NO_CARD_COPIES),
    _d(
        "X1-016W",
        "a child's card of a child of 6",
        _SMALL,
        put("XML1", MA_THE_BHYT="TE1990000000001", NGAY_SINH=of("NGAY_VAO", days=-2400)),
        _NO_CARD_COPIES,
        _without_copies("NGAY_SINH"),
    ),
    _d(
        "X1-017",
        "a child pays a share",
        _EXAM,
        put("XML1", MA_THE_BHYT="TE4990000000001", NGAY_SINH=of("NGAY_VAO", days=-1000)),
        _NO_CARD_COPIES,
        _without_copies("NGAY_SINH"),
        _level_again("80"),
    ),
    _d("X1-020", "5 days of treatment in an examination", _UNINSURED, put("XML1", SO_NGAY_DTRI="5")),
    _d("X1-020W", "1 day for a course of weeks", _COURSE, put("XML1", SO_NGAY_DTRI="1")),
    _d("X1-022", "a general examination", _EXAM, put("XML1", MA_BENH_CHINH="Z00.0"), _without_copies("MA_BENH_CHINH")),
    _d("X1-023", "a visit that costs nothing", _MEDICINES, drop("XML2"), retotal),
    _d("X1-024", "no examination", _EXAM, keep("XML3", lambda row: row["MA_NHOM"] != "13"), retotal),
    _d("X1-025", "a region that means nothing", _EXAM, put("XML1", MA_KHUVUC="K1")),
    _d("X1-026", "a reason without letters", _UNINSURED, put("XML1", LY_DO_VV="123")),
    _d("NB-001", "no insurance, but a first-care facility", _UNINSURED, put("XML1", MA_DKBD="01998")),
    _d(
        "NB-002",
        "category 1.1 without a card",
        _SMALL,
        put("XML1", MA_THE_BHYT="", MA_DKBD="", GT_THE_TU="", GT_THE_DEN=""),
        _NO_CARD_COPIES,
    ),
    _d("NB-003", "no insurance and no summary", _UNINSURED, drop("XML8")),
    _d(
        "NB-004",
        "a child without insurance and number",
        _UNINSURED,
        put("XML1", SO_CCCD="", NGAY_SINH=of("NGAY_VAO", days=-3000)),
    ),
    _d("NB-005", "no insurance, but the fund pays", _UNINSURED, put("XML1", T_BHTT="100.00")),
    _d("NB-005W", "no insurance, but a co-payment", _UNINSURED, put("XML1", T_BNCCT="5.00")),
)
_MONEY = (
    _d(
        "MON-001",
        "a medicine costs 100 too much",
        _EXAM,
        reckoned("XML2", 0, THANH_TIEN_BV=add("100", "THANH_TIEN_BV", "XML2")),
    ),
    _d(
        "MON-002",
        "100 too little of a medicine is covered",
        _EXAM,
        reckoned("XML2", 0, THANH_TIEN_BH=add("-100", "THANH_TIEN_BH", "XML2")),
    ),
    _d(
        "MON-003",
        "a service costs 100 too much",
        _EXAM,
        reckoned("XML3", _TEST, THANH_TIEN_BV=add("100", "THANH_TIEN_BV", "XML3", _TEST)),
    ),
    _d(
        "MON-004",
        "100 too little of a service is covered",
        _EXAM,
        reckoned("XML3", _TEST, THANH_TIEN_BH=add("-100", "THANH_TIEN_BH", "XML3", _TEST)),
    ),
    _d("MON-005", "more is covered than it costs", _SMALL, _more_covered_than_it_costs),
    _d("MON-006", "other sources are not their sum", _EXAM, put("XML2", T_NGUONKHAC_CL="5.00")),
    _d("MON-007", "others pay more than it costs", _EXAM, _paid_by_others_beyond_the_amount),
    _d("MON-008", "the shares are a dong and a half too much", _EXAM, _shares_off_by_a_dong_and_a_half),
    _d(
        "MON-009",
        "outside coverage with a rate",
        _EXAM,
        _line("XML2", 0, PHAM_VI="2", TYLE_TT_BH="50", DON_GIA="0", MUC_HUONG="0"),
    ),
    _d("MON-010", "a level of 101", _EXAM, _line("XML2", 0, TYLE_TT_BH="0", MUC_HUONG="101")),
    _d(
        "MON-011",
        "the patient pays half a dong too much",
        _EXAM,
        put("XML2", T_BNTT=add("0.5", "T_BNTT", "XML2")),
        retotal,
    ),
    _d(
        "MON-012", "half a dong too much co-payment", _EXAM, put("XML2", T_BNCCT=add("0.5", "T_BNCCT", "XML2")), retotal
    ),
    _d(
        "MON-013",
        "half a dong too much from the fund",
        _EXAM,
        put("XML2", T_BHTT=add("0.5", "T_BHTT", "XML2")),
        retotal,
    ),
    _d("MON-014", "half a dong of help that nobody took off", _EXAM, _helped("XML2", 0, "0.50")),
    _d("MON-015", "the fund pays above the ceiling", _EXAM, put("XML3", _PROCEDURE, T_TRANTT="1.00")),
    _d("MON-015W", "a package above its ceiling", _TWO_SUPPLIES, _two_supplies_beyond_their_ceiling),
    _d("MON-016", "a level of 100 in a large bill", _STAY, reckoned("XML2", 0, MUC_HUONG="100")),
    _d("MON-016W", "a level of 50", _STAY, reckoned("XML2", 0, MUC_HUONG="50")),
    _d("MON-101", "T_THUOC is 100 too much", _EXAM, put("XML1", T_THUOC=add("100", "T_THUOC", "XML1"))),
    _d("MON-102", "T_VTYT is 100 too much", _EXAM, put("XML1", T_VTYT=add("100", "T_VTYT", "XML1"))),
    _d("MON-103", "T_TONGCHI_BV is 1.50 too much", _EXAM, put("XML1", T_TONGCHI_BV=add("1.5", "T_TONGCHI_BV", "XML1"))),
    _d(
        "MON-104",
        "T_TONGCHI_BH is 1.50 too much",
        _EXAM,
        put("XML1", T_TONGCHI_BH=add("1.5", "T_TONGCHI_BH", "XML1"), T_BHTT=add("0.75", "T_BHTT", "XML1")),
    ),
    _d("MON-105", "T_BNTT is 1.50 too much", _EXAM, put("XML1", T_BNTT=add("1.5", "T_BNTT", "XML1"))),
    _d(
        "MON-106",
        "T_BNCCT is 1.50 too much",
        _EXAM,
        put("XML1", T_BNCCT=add("1.5", "T_BNCCT", "XML1"), T_BHTT=add("-0.75", "T_BHTT", "XML1")),
    ),
    _d("MON-107", "T_BHTT is 1.50 too much", _EXAM, put("XML1", T_BHTT=add("1.5", "T_BHTT", "XML1"))),
    _d("MON-107W", "others paid what the fund would", _EXAM, _help_from_the_fund_under_a_ceiling),
    _d("MON-108", "T_NGUONKHAC is 1.50 too much", _EXAM, put("XML1", T_NGUONKHAC="1.50")),
    _d("MON-109", "T_BHTT_GDV is 5 too much", _EXAM, put("XML1", T_BHTT_GDV=add("5", "T_BHTT_GDV", "XML1"))),
    _d(
        "MON-110",
        "more is covered than the visit costs",
        _ground(VisitKind.EXAM, _all_covered, size=Size.TINY),
        put(
            "XML1",
            T_TONGCHI_BH=add("1", "T_TONGCHI_BH", "XML1"),
            T_TONGCHI_BV=add("-0.9", "T_TONGCHI_BV", "XML1"),
            T_BHTT=add("0.5", "T_BHTT", "XML1"),
        ),
    ),
    _d(
        "MON-111",
        "the shares are 2.70 too much together",
        _EXAM,
        put(
            "XML1",
            T_BNTT=add("0.9", "T_BNTT", "XML1"),
            T_NGUONKHAC="0.90",
            T_TONGCHI_BV=add("-0.9", "T_TONGCHI_BV", "XML1"),
        ),
    ),
)
_LINES = (
    _d(
        "X2-004",
        "no medicine at all",
        _EXAM,
        _line("XML2", 0, SO_LUONG="0", DUONG_DUNG="2.10", LIEU_DUNG="Theo y lệnh"),
    ),
    _d(
        "X2-005",
        "more is taken than was given out",
        _EXAM,
        put("XML2", LIEU_DUNG="1 viên/lần * 9 lần/ngày * 30 ngày [9 viên/ngày]"),
    ),
    _d("X2-006", "outside the list without a card of the forces", _SMALL, put("XML2", PHAM_VI="3")),
    _d(
        "X2-007",
        "31 days of medicine",
        _EXAM,
        _line("XML2", 0, SO_LUONG="31", LIEU_DUNG="1 viên/lần * 1 lần/ngày * 31 ngày [1 viên/ngày]"),
    ),
    _d("X2-008", "a medicine of a service that is not there", _EXAM, put("XML2", MA_DICH_VU="99.9999")),
    _d(
        "X2-008W",
        "a medicine of a service of another day",
        _STAY,
        put("XML2", -1, MA_DICH_VU=of("MA_DICH_VU", "XML3", _CONSULTATION)),
    ),
    _d("X3-006", "two interventions with two hands", _EXAM, copy_row("XML3", _PROCEDURE), retotal),
    _d("X3-007", "ordered and done by one", _EXAM, put("XML3", _TEST, NGUOI_THUC_HIEN=of("MA_BAC_SI", "XML3", _TEST))),
    _d("X3-008", "two whole examinations in a day", _EXAM, copy_row("XML3", _CONSULTATION), retotal),
    _d(
        "X3-009",
        "two whole surgeries at once",
        _WITH_SURGERY,
        copy_row("XML3", _SURGERY, NGUOI_THUC_HIEN="999999/TEST-CCHN"),
        retotal,
    ),
    _d("X3-010", "a bed in an examination", _EXAM, put("XML3", _PROCEDURE, MA_NHOM="14", MA_GIUONG="H012")),
    _d(
        "X3-011",
        "two day beds in a day",
        _DAY,
        put("XML3", {"MA_NHOM": "14"}, NGAY_KQ=of("NGAY_YL", "XML3", {"MA_NHOM": "14"}, hours=2)),
        copy_row(
            "XML3",
            {"MA_NHOM": "14"},
            NGAY_YL=of("NGAY_KQ", "XML3", {"MA_NHOM": "14"}),
            NGAY_TH_YL=of("NGAY_KQ", "XML3", {"MA_NHOM": "14"}),
            NGAY_KQ=of("NGAY_RA"),
        ),
        retotal,
    ),
    _d(
        "X3-012",
        "3 bed days in 2 days",
        _ground(VisitKind.INPATIENT, care="03"),
        put("XML3", _BED, NGAY_KQ=of("NGAY_YL", "XML3", _BED, days=1)),
    ),
    _d(
        "X3-012W",
        "two beds at once",
        _STAY,
        copy_row("XML3", _BED, SO_LUONG="0", THANH_TIEN_BV="0", THANH_TIEN_BH="0", T_BNTT="0", T_BNCCT="0", T_BHTT="0"),
    ),
    _d(
        "X3-013",
        "two bed days in 20 hours",
        _ground(VisitKind.INPATIENT, _beds_of_a_night_and_a_day, _level_again("100"), care="03"),
        copy_row(
            "XML3",
            _BED,
            MA_NHOM="14",
            NGAY_YL=of("NGAY_RA", hours=-2),
            NGAY_TH_YL=of("NGAY_RA", hours=-2),
            NGAY_KQ=of("NGAY_RA"),
        ),
        retotal,
        _level_again(),
    ),
    _d("X3-014", "60 % of a bed", _STAY, _line("XML3", _BED, TYLE_TT_DV="60")),
    _d(
        "X3-015",
        "an inpatient examined twice",
        _STAY,
        copy_row(
            "XML3",
            _CONSULTATION,
            NGAY_YL=of("NGAY_YL", "XML3", _CONSULTATION, days=1),
            NGAY_TH_YL=of("NGAY_TH_YL", "XML3", _CONSULTATION, days=1),
            NGAY_KQ=of("NGAY_KQ", "XML3", _CONSULTATION, days=1),
        ),
        retotal,
    ),
    _d(
        "X3-016",
        "a supply of a service that is not there",
        _EXAM,
        put("XML3", _SUPPLY, MA_DICH_VU="99.9999", TEN_DICH_VU="Dịch vụ mẫu thử"),
    ),
    _d("X3-017", "60 % of a test", _EXAM, _line("XML3", _TEST, TYLE_TT_DV="60")),
    _d("X3-018", "outside the list without a card of the forces", _SMALL, put("XML3", _CONSULTATION, PHAM_VI="3")),
    _d("X3-019", "a test without results", _EXAM, _without_results_of_a_test),
    _d("X3-020", "no procedure at all", _EXAM, _line("XML3", _PROCEDURE, SO_LUONG="0")),
    _d("X3-021", "a child's service for a grown-up", _EXAM, put("XML3", _PROCEDURE, MA_DICH_VU="99.0016")),
    _d("X3-022", "an included service with a price", _EXAM, put("XML3", _PROCEDURE, MA_DICH_VU="99.0000")),
    _d("X3-023", "2 nights that are 3", _STAY, _line("XML3", _BED, SO_LUONG="2")),
    _d("X4-002", "a result of another minute", _EXAM, put("XML4", NGAY_KQ=of("NGAY_KQ", "XML4", minutes=1))),
    _d("X4-003", "an unknown index", _EXAM, put("XML4", MA_CHI_SO="XX99")),
    _d("X5-003", "the same note twice", _DAY, copy_row("XML5")),
)
_PAPERS = (
    _d("X5-002", "day treatment without notes", _DAY, drop("XML5")),
    _d("X6-001", "another address in table 6", _HIV, put("XML6", DIA_CHI="Nơi khác")),
    _d("X6-004", "HIV without table 6", _UNINSURED, put("XML1", MA_BENH_KT="Z21")),
    _d("X7-001", "a stay without discharge paper", _DAY, drop("XML7")),
    _d("X7-002", "another patient's discharge paper", _STAY, put("XML7", MA_YTE="KHAC")),
    _d("X7-003", "discharged by a department where nobody was", _STAY, put("XML7", MA_KHOA_RV="K15")),
    _d("X7-003W", "discharged by the first department", _STAY, put("XML7", MA_KHOA_RV="K01")),
    _d("X7-005", "43 weeks of pregnancy", _STAY, put("XML7", TUOI_THAI="43")),
    _d("X8-001", "day treatment without summary", _DAY, drop("XML8")),
    _d("X8-002", "a summary that nobody asked for", _EXAM, put("XML8"), xml8_every_visit=False),
    _d("X8-003", "another result in the summary", _UNINSURED, put("XML8", KET_QUA_DTRI="1")),
    _d("X8-004", "another diagnosis in the summary", _UNINSURED, put("XML8", CHAN_DOAN_RV="Chẩn đoán khác")),
    _d("X8-005", "a summary of 4 characters", _UNINSURED, put("XML8", TOMTAT_KQ="Ngắn")),
    _d("X9-001", "no child at all", _BIRTH, put("XML9", SO_CON="0")),
    _d("X9-003", "surgery that the note does not name", _BIRTH, put("XML9", SINHCON_PHAUTHUAT="1")),
    _d("X10-003", "leave that is not for pregnancy", _PREGNANT, put("XML10", CHAN_DOAN_RV=of("CHAN_DOAN_RV"))),
    _d("X10-004", "another diagnosis on the paper", _PREGNANT, put("XML10", CHAN_DOAN_RV="Nghỉ dưỡng thai")),
    _d("X10-005", "a man's pregnancy", _PREGNANT, put("XML1", GIOI_TINH="1"), _without_copies("GIOI_TINH")),
    _d("X11-001", "31 days off", _SICK, put("XML11", SO_NGAY_NGHI="31", DEN_NGAY=of("TU_NGAY", "XML11", days=30))),
    _d("X11-004", "another card on the paper", _SICK, put("XML11", MA_THE_BHYT="DN4990000000009")),
    _d("X11-004W", "another number on the paper", _SICK, put("XML11", MA_BHXH="9900000009")),
    _d("X11-005", "another diagnosis on the paper", _SICK, put("XML11", CHAN_DOAN_RV="Chẩn đoán khác")),
    _d("X11-007", "one absence, two papers", _STAY, _sick_paper_beside_the_discharge_paper),
    _d("X13-001", "a transfer without referral", _REFERRED, drop("XML13")),
    _d("X13-002", "another address on the referral", _REFERRED, put("XML13", DIA_CHI="Nơi khác")),
    _d("X13-003", "referred elsewhere", _REFERRED, put("XML13", MA_CSKCB_DEN="01997")),
    _d("X13-004", "a referral of another stay", _REFERRED, put("XML13", NGAY_VAO="202601010000")),
    _d("X14-001", "an appointment without paper", _AGAIN, drop("XML14")),
    _d("X14-002", "a paper of another day", _AGAIN, put("XML14", NGAY_HEN_KL=day_of("NGAY_HEN_KL", "XML14", days=1))),
    _d("X14-002W", "two papers for one day", _AGAIN, copy_row("XML14")),
    _d("X14-005", "another address on the paper", _AGAIN, put("XML14", DIA_CHI="Nơi khác")),
    _d("X15-001", "another patient in table 15", _TB, put("XML15", MA_BN="KHAC")),
    _d("X15-003", "tuberculosis without table 15", _UNINSURED, put("XML1", MA_BENH_KT="A15.0")),
)
_CATALOGUES = (
    _d("CAT-001", "another name than approved", _EXAM, put("XML2", TEN_THUOC="Thuốc khác")),
    _d("CAT-002", "dearer than approved", _EXAM, _line("XML2", 0, DON_GIA="99999")),
    _d("CAT-003", "cheaper than approved", _EXAM, _line("XML2", 0, DON_GIA="1")),
    _d("CAT-004", "another name than approved", _EXAM, put("XML3", _TEST, TEN_DICH_VU="Dịch vụ khác")),
    _d("CAT-005", "another name than approved", _EXAM, put("XML3", _SUPPLY, TEN_VAT_TU="Vật tư khác")),
    _d("CAT-006", "somebody who does not work here", _EXAM, put("XML3", _PROCEDURE, NGUOI_THUC_HIEN="999999/KHAC")),
    _d("CAT-007", "a machine that is not here", _EXAM, put("XML3", _TEST, MA_MAY="HH.1.99999")),
    _d("CAT-008", "a result of a service that is not there", _EXAM, put("XML4", MA_DICH_VU="99.9998")),
    _d(
        "LNK-003",
        "MA_LK of another visit",
        _UNINSURED,
        put("XML1"),
        earlier=EarlierDossiers(EarlierRevision("KHAC", "20200101")),
    ),
    _d("LNK-005", "another patient at the check-in", _UNINSURED, put("XML1"), checkin={"MA_BN": "KHAC"}),
    _d(
        "X11-006",
        "a serial that was used before",
        _SICK,
        put("XML11", SO_SERI="NV-CU"),
        earlier=EarlierDossiers(None, frozenset({"NV-CU"})),
    ),
)

RULE_DEFECTS: Mapping[str, RuleDefect] = {
    defect.code: defect
    for defect in (
        *_READING,
        *_FORMS,
        *_CODES,
        *_PRESENCE,
        *_DATES,
        *_CATEGORY,
        *_MONEY,
        *_LINES,
        *_PAPERS,
        *_CATALOGUES,
    )
}
"""By the code of the rule."""
