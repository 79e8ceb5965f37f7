"""COD: values that must stand in a code list on the visit's day."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date

from events.visit import Finding
from streams.domain.dossier.codelists import codes_on
from streams.domain.dossier.data import read_csv
from streams.domain.dossier.findings import finding, shape
from streams.domain.dossier.rules.rule import Check, Rule
from streams.domain.dossier.rules.words import age, cards, listed, members
from streams.domain.dossier.visit import Line, Visit

Fields = Mapping[str, tuple[str, ...]]
_CATEGORIES_FROM = date(2025, 7, 1)
_REGIONS_FROM = "20250701"
_ZONES_FROM = date(2026, 1, 1)
_OLD_PROVINCES, _PROVINCES = "tinh_tp_truoc_2025_07", "tinh_tp_tu_2025_07"
_CATEGORIES = ("ma_doituong_kcb", "ma_doituong_kcb_qd824_retired")
_SHORT_CODE = re.compile(r"[0-9A-Za-z.]{1,4}")
_DISEASES: Fields = {"XML1": ("MA_BENH_CHINH", "MA_BENH_KT")}
_DEPARTMENTS: Fields = {
    "XML1": ("MA_KHOA",),
    "XML2": ("MA_KHOA",),
    "XML3": ("MA_KHOA",),
    "XML7": ("MA_KHOA_RV",),
}


def _every(fields: Fields, visit: Visit) -> Iterator[tuple[Line, str, str]]:
    for kind, names in fields.items():
        for line in visit.lines(kind):
            for name in names:
                value = line[name]
                if value:
                    yield line, name, value


def _found(code: str) -> str:
    """A short code may be shown; anything longer may be somebody's data in the wrong field."""
    return code if _SHORT_CODE.fullmatch(code) else shape(code)


def one_of(text_id: str, fields: Fields, allowed: Callable[[Visit], frozenset[str]], *, several: bool = False) -> Check:
    """Each value (with `several`: each part between semicolons) must be one of the codes."""

    def check(visit: Visit) -> Iterator[Finding]:
        codes: frozenset[str] | None = None
        right: set[str] = set()
        for line, name, value in _every(fields, visit):
            if value in right:
                continue
            codes = allowed(visit) if codes is None else codes
            wrong = [code for code in (members(value) if several else [value]) if code not in codes]
            if wrong:
                yield finding(text_id, line.at(name), expected=listed(codes), found=_found(wrong[0]))
            else:
                right.add(value)

    return check


def in_list(text_id: str, fields: Fields, *lists: str, several: bool = False) -> Check:
    """Like `one_of`, with the codes that the lists have on the visit's day."""
    return one_of(text_id, fields, lambda visit: codes_on(visit.lists, visit.day, *lists), several=several)


def these(*codes: str | int) -> Callable[[Visit], frozenset[str]]:
    allowed = frozenset(map(str, codes))
    return lambda _visit: allowed


def _services(visit: Visit) -> frozenset[str]:
    """MA_NHOM of table 3: the groups of the visit's day without those of medicines."""
    groups = {"1", "2", "3", *map(str, range(8, 17)), "18", "19"}
    return codes_on(visit.lists, visit.day, "ma_nhom") & groups


def categories(visit: Visit) -> Iterator[Finding]:
    """COD-003, and its doubtful half before 2025-07-01, of which no complete list is held."""
    fields: Fields = dict.fromkeys(("CHECKIN", "XML1", "XML14"), ("MA_DOITUONG_KCB",))
    if visit.day >= _CATEGORIES_FROM:
        yield from in_list("COD-003", fields, *_CATEGORIES)(visit)
    else:
        known = frozenset(row["code"] for name in _CATEGORIES for row in read_csv(f"codes/{name}.csv"))
        yield from one_of("COD-003W", fields, lambda _visit: known)(visit)


def departments(visit: Visit) -> Iterator[Finding]:
    """COD-015 by the form, COD-015W by the list, which is of general knowledge only."""
    known = codes_on(visit.lists, visit.day, "ma_khoa")
    right: set[str] = set()
    for line, name, value in _every(_DEPARTMENTS, visit):
        if value in right:
            continue
        codes = members(value)
        if not all(re.fullmatch(r"K[0-9]{2}([0-9]*|\.[0-9])", code) for code in codes):
            form = shape(value)
            yield finding("COD-015", line.at(name), expected="K and two digits, such as K01", found=form, shape=form)
        elif unlisted := [code for code in codes if code not in known]:
            yield finding("COD-015W", line.at(name), expected="a department of the list", found=_found(unlisted[0]))
        else:
            right.add(value)


def provinces(visit: Visit) -> Iterator[Finding]:
    """COD-020: a province of any time; COD-020W: one of the visit's day."""
    line = visit.xml1
    province = line["MATINH_CU_TRU"]
    if not province:
        return
    old, new = (
        frozenset(row["code"] for row in read_csv(f"codes/{name}.csv")) for name in (_OLD_PROVINCES, _PROVINCES)
    )
    if province not in old | new:
        yield finding("COD-020", line.at("MATINH_CU_TRU"), expected="a province code", found=_found(province))
        return
    today = codes_on(visit.lists, visit.day, _OLD_PROVINCES, _PROVINCES)
    came = visit.of_xml1("NGAY_VAO")
    if province not in today and not (province in old and came and came < _REGIONS_FROM):
        found = _found(province)
        yield finding("COD-020W/province", line.at("MATINH_CU_TRU"), expected="a province of that day", found=found)


def communes(visit: Visit) -> Iterator[Finding]:
    """COD-020W for MAXA_CU_TRU: the commune exists and belongs to the province. List COMMUNES: code, province."""
    line, known = visit.xml1, visit.lists.on("COMMUNES", visit.day)
    province, commune = line["MATINH_CU_TRU"], line["MAXA_CU_TRU"]
    if known is None or not province or not commune:
        return
    rows = known.by_code.get(commune, ())
    if not any(row["province"] == province for row in rows):
        yield finding(
            "COD-020W/commune", line.at("MAXA_CU_TRU"), expected="a commune of the province", found="another code"
        )


def person_lists(visit: Visit) -> Iterator[Finding]:
    """COD-021: each list is judged when it is loaded."""
    names = {"MA_QUOCTICH": "NATIONALITIES", "MA_DANTOC": "ETHNIC_GROUPS", "MA_NGHE_NGHIEP": "OCCUPATIONS"}
    for name, wanted in names.items():
        known = visit.lists.on(wanted, visit.day)
        if known is not None:
            yield from one_of("COD-021", {"XML1": (name,)}, these(*known.codes))(visit)


def diseases(visit: Visit) -> Iterator[Finding]:
    """COD-016: a diagnosis is a person's data, so no finding names it."""
    known = visit.lists.on("ICD10", visit.day)
    if known is None:
        return
    for line, name, value in _every(_DISEASES, visit):
        if any(code not in known for code in members(value)):
            yield finding("COD-016", line.at(name), expected="codes of list ICD10", found="a code that is not in it")


def _limits(visit: Visit) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """(field, code, row of ICD10_LIMITS) for each disease of the summary that the list names.

    Columns of the list: code, main (0: not as main disease), sex (1 or 2), age_from, age_to; empty means no limit.
    """
    known = visit.lists.on("ICD10_LIMITS", visit.day)
    if known is not None:
        for _line, name, value in _every(_DISEASES, visit):
            for code in members(value):
                yield from ((name, code, row) for row in known.by_code.get(code, ()))


def main_disease(visit: Visit) -> Iterator[Finding]:
    """COD-017."""
    for name, _code, row in _limits(visit):
        if name == "MA_BENH_CHINH" and row.get("main") == "0":
            yield finding("COD-017", visit.xml1.at(name), expected="a code that may be the main disease")


def fits_sex(visit: Visit) -> Iterator[Finding]:
    """COD-018; a person of sex 3 is never judged."""
    sex = visit.of_xml1("GIOI_TINH")
    for name, _code, row in _limits(visit):
        if sex in ("1", "2") and row.get("sex") and row["sex"] != sex:
            yield finding("COD-018", visit.xml1.at(name), expected="codes that fit GIOI_TINH")


def fits_age(visit: Visit) -> Iterator[Finding]:
    """COD-019."""
    years = age(visit)
    for name, _code, row in _limits(visit):
        if years is None:
            return
        if years < int(row.get("age_from") or 0) or years > int(row.get("age_to") or 999):
            yield finding("COD-019", visit.xml1.at(name), expected="codes that fit the age")


def traditional(visit: Visit) -> Iterator[Finding]:
    """COD-022."""
    known = visit.lists.on("YHCT", visit.day)
    if known is None:
        return
    for line, name, value in _every({"XML1": ("MA_BENH_YHCT",), "XML3": ("MA_BENH_YHCT",)}, visit):
        if any(code not in known for code in members(value)):
            yield finding("COD-022", line.at(name), expected="codes of list YHCT", found="a code that is not in it")


def card_groups(visit: Visit) -> Iterator[Finding]:
    """COD-023: who pays (two letters) and how much (third character)."""
    groups = codes_on(visit.lists, visit.day, "the_bhyt_doi_tuong")
    levels = codes_on(visit.lists, visit.day, "the_bhyt_muc_huong")
    for card in cards(visit):
        if card[:2] not in groups or card[2] not in levels:
            expected = "a group of the list and a level 1 to 5"
            yield finding("COD-023", visit.xml1.at("MA_THE_BHYT"), expected=expected, found=card[:3])
            return


def fuel(visit: Visit) -> Iterator[Finding]:
    """COD-029; the list before QĐ 3276/2025 is not held."""
    if visit.day >= _ZONES_FROM:
        yield from in_list("COD-029", {"XML3": ("MA_XANG_DAU",)}, "ma_xang_dau")(visit)


def hiv(visit: Visit) -> Iterator[Finding]:
    """COD-024: every coded field of table 6."""
    for name, wanted in _HIV_LISTS.items():
        yield from in_list("COD-024", {"XML6": (name,)}, wanted, several=name in _HIV_SEVERAL)(visit)
    yield from one_of("COD-024", {"XML6": ("GIAI_DOAN_LAM_SANG",)}, these(1, 2, 3, 4))(visit)


_HIV_LISTS = {
    "MA_LYDO_DTRI": "xml6_ma_lydo_dtri",
    "LOAI_DTRI_LAO": "loai_dtri_lao",
    "SANG_LOC_LAO": "xml6_sang_loc_lao",
    "KQ_DTRI_LAO": "xml6_kq_dtri_lao",
    "MA_LOAI_BN": "xml6_ma_loai_bn",
    "NHOM_DOI_TUONG": "xml6_nhom_doi_tuong",
    "MA_TINH_TRANG_DK": "xml6_ma_tinh_trang_dk",
    "MA_XU_TRI": "xml6_ma_xu_tri",
    "LY_DO_CHUYEN_PHAC_DO": "xml6_ly_do_chuyen_phac_do",
    "KQ_XNTL_VR": "xml6_kq_xntl_vr",
}
_HIV_SEVERAL = frozenset({"MA_TINH_TRANG_DK", "MA_XU_TRI"})


def tuberculosis(visit: Visit) -> Iterator[Finding]:
    """COD-025 and its doubtful half: regimens 26 and 27 are known from one source."""
    yield from one_of("COD-025", {"XML15": ("PHANLOAI_LAO_VITRI", "PHANLOAI_LAO_VK")}, these(1, 2))(visit)
    yield from one_of("COD-025", {"XML15": ("PHANLOAI_LAO_HIV",)}, these(1, 2, 3))(visit)
    yield from in_list("COD-025", {"XML15": ("PHANLOAI_LAO_TS",)}, "xml15_phanloai_lao_ts")(visit)
    yield from in_list("COD-025", {"XML15": ("PHANLOAI_LAO_KT",)}, "xml15_phanloai_lao_kt")(visit)
    yield from in_list("COD-025", {"XML15": ("LOAI_DTRI_LAO",)}, "loai_dtri_lao")(visit)
    yield from in_list("COD-025", {"XML15": ("KET_QUA_DTRI_LAO",)}, "xml15_ket_qua_dtri_lao")(visit)
    regimens: Fields = {"XML6": ("PHACDO_DTRI_LAO",), "XML15": ("PHACDO_DTRI_LAO",)}
    yield from one_of("COD-025", regimens, these(*range(1, 28)))(visit)
    for line, name, value in _every(regimens, visit):
        if value in ("26", "27"):
            yield finding("COD-025W", line.at(name), expected="1 to 25", found=value)


def _fields(name: str, *kinds: str) -> Fields:
    return dict.fromkeys(kinds, (name,))


_SEX: Fields = {"CHECKIN": ("GIOI_TINH",), "XML1": ("GIOI_TINH",), "XML9": ("GIOI_TINH_CON",)}
_BIRTH_FLAGS: Fields = {"XML9": ("SINHCON_PHAUTHUAT", "SINHCON_DUOI32TUAN")}

RULES = (
    Rule("COD-001", in_list("COD-001", _SEX, "gioi_tinh")),
    Rule("COD-002", in_list("COD-002", _fields("MA_LOAI_KCB", "CHECKIN", "XML1", "XML8"), "ma_loai_kcb")),
    Rule("COD-003", categories, halves=("COD-003W",)),
    Rule("COD-004", in_list("COD-004", _fields("KET_QUA_DTRI", "XML1", "XML8"), "ket_qua_dtri")),
    Rule("COD-005", in_list("COD-005", _fields("MA_LOAI_RV", "XML1", "XML13"), "ma_loai_rv")),
    Rule("COD-006", in_list("COD-006", _fields("MA_TAI_NAN", "XML1"), "ma_tai_nan")),
    Rule("COD-007", in_list("COD-007", _fields("MA_KHUVUC", "XML1"), "ma_khuvuc")),
    Rule("COD-008", in_list("COD-008", _fields("PHAM_VI", "XML2", "XML3"), "pham_vi")),
    Rule("COD-009", in_list("COD-009", _fields("MA_PTTT", "XML2", "XML3"), "ma_pttt")),
    Rule("COD-010", in_list("COD-010", _fields("NGUON_CTRA", "XML2"), "nguon_ctra")),
    Rule("COD-011", one_of("COD-011", _fields("MA_NHOM", "XML2"), these(4, 5, 6, 7, 16, 17))),
    Rule("COD-011W", one_of("COD-011W", _fields("MA_NHOM", "XML2"), these(4, 5, 6, 7))),
    Rule("COD-012", one_of("COD-012", _fields("MA_NHOM", "XML3"), _services)),
    Rule("COD-013", in_list("COD-013", _fields("PP_VO_CAM", "XML3"), "pp_vo_cam")),
    Rule("COD-014", in_list("COD-014", _fields("MA_LYDO_CT", "XML13"), "ma_lydo_ct")),
    Rule("COD-015", departments, halves=("COD-015W",)),
    Rule("COD-016", diseases, lists=("ICD10",)),
    Rule("COD-017", main_disease, lists=("ICD10_LIMITS",)),
    Rule("COD-018", fits_sex, lists=("ICD10_LIMITS",)),
    Rule("COD-019", fits_age, lists=("ICD10_LIMITS",)),
    Rule("COD-020", provinces),
    Rule("COD-020W", communes, lists=("COMMUNES",)),
    Rule("COD-021", person_lists),
    Rule("COD-022", traditional, lists=("YHCT",)),
    Rule("COD-023", card_groups),
    Rule("COD-024", hiv),
    Rule("COD-025", tuberculosis, halves=("COD-025W",)),
    Rule("COD-026", one_of("COD-026", _fields("MA_DINH_CHI_THAI", "XML7", "XML11"), these(0, 1))),
    Rule("COD-027", one_of("COD-027", _BIRTH_FLAGS, these(0, 1))),
    Rule("COD-028", one_of("COD-028", _fields("MAU_SO", "XML11"), these("CT07"))),
    Rule("COD-029", fuel),
)
