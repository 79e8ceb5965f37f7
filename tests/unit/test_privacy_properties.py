"""For no dossier does a withheld code, or a text that could name it, survive in the bytes of the entry."""

import random

from hypothesis import given
from hypothesis import strategies as st

from events.health_book import EntryState
from streams.domain.dossier.data import read_csv
from streams.domain.privacy_fields import DISEASES, FREE_TEXTS
from tests.support.health_book import XML1, Rows, encoded, entry_of

KINDS = tuple(f"XML{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15))
FIELDS = {kind: tuple(row["name"] for row in read_csv(f"tables/{kind.lower()}.csv")) for kind in KINDS}
PLACES = [(kind, name) for kind, names in FIELDS.items() for name in names]
FIXED = frozenset(
    {"MA_CSKCB", "NGAY_RA", "NGAY_VAO", "MA_LOAI_KCB", "PHANLOAI_LAO_HIV", "NGAYKD_HIV", "BDDT_ARV", *DISEASES}
)

WORDS = ("HIV", "Anti-HIV 1/2", "Tenofovir", "suy giảm miễn dịch", "ARV", "AIDS", "Kaletra", "b20.1")
CODES = ("B20", "B22.7", "Z21", "R75", "O98.7")
NAME = "Tên bệnh không ai được biết"
"""How a person might call the disease in a text, with no word that a rule knows."""

PERSONAL = {
    ("XML1", name)
    for name in (
        "HO_TEN",
        "SO_CCCD",
        "DIA_CHI",
        "DIEN_THOAI",
        "MA_THE_BHYT",
        "MA_QUOCTICH",
        "MA_DANTOC",
        "MA_NGHE_NGHIEP",
    )
}


def filled(seed: int, rows: int) -> dict[str, list[dict[str, str]]]:
    """Every field of every table with a text of its own; table 1 stays a visit that can be read."""
    chance = random.Random(seed)
    tables = {
        kind: [
            {name: "" if name in FIXED else f"{kind} {name} {chance.randrange(10**6)}" for name in names}
            for _ in range(1 if kind == "XML1" else rows)
        ]
        for kind, names in FIELDS.items()
    }
    tables["XML1"][0] |= {
        name: XML1[name] for name in ("SO_CCCD", "MA_BENH_CHINH", "NGAY_VAO", "NGAY_RA", "MA_LOAI_KCB")
    }
    for row in tables["XML3"]:
        row["MA_NHOM"], row["MA_VAT_TU"] = "18", ""
    return tables


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 3), secret=st.sampled_from(WORDS), data=st.data())
def test_words_survive_nowhere(seed: int, rows: int, secret: str, data: st.DataObject) -> None:
    tables = filled(seed, rows)
    places = [place for place in PLACES if place not in PERSONAL and place[1] not in FIXED]
    for kind, name in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        data.draw(st.sampled_from(tables[kind]))[name] += f" {secret}, "
    shown = encoded(entry_of(tables)).decode("utf-8", "ignore").lower()
    assert secret.lower() not in shown


@given(
    seed=st.integers(0, 2**32),
    code=st.sampled_from(CODES),
    place=st.sampled_from(
        [
            ("XML1", "MA_BENH_KT"),
            ("XML1", "MA_BENH_YHCT"),
            ("XML3", "MA_BENH"),
            ("XML13", "MA_BENH_KT"),
            ("XML14", "MA_BENH_KT"),
        ]
    ),
    others=st.lists(st.sampled_from(["I10", "E11.9"]), max_size=2),
    told=st.lists(st.sampled_from([(kind, name) for kind, names in FREE_TEXTS.items() for name in names]), max_size=6),
)
def test_code_and_every_text_that_could_name_it_survive_nowhere(
    seed: int, code: str, place: tuple[str, str], others: list[str], told: list[tuple[str, str]]
) -> None:
    tables = filled(seed, 2)
    kind, name = place
    tables[kind][-1][name] = ";".join([*others, code])
    for table, field in told:
        tables[table][-1][field] += NAME
    entry = entry_of(tables)
    shown = encoded(entry)
    assert entry.state is EntryState.ACTIVE
    assert entry.withheld
    assert code.encode() not in shown
    assert NAME.encode() not in shown


@given(seed=st.integers(0, 2**32), code=st.sampled_from(CODES), table=st.sampled_from(["XML1", "XML13", "XML14"]))
def test_main_disease_leaves_nothing_but_the_key(seed: int, code: str, table: str) -> None:
    tables = filled(seed, 1)
    tables[table][0]["MA_BENH_CHINH"] = code
    shown = encoded(entry_of(tables)).decode("utf-8", "ignore")
    assert code not in shown
    assert not any(f"{kind} " in shown for kind in KINDS)


MAY_STAY = {
    "XML1": {"HO_TEN", "DIA_CHI", "NHOM_MAU", "CAN_NANG", "CAN_NANG_CON", "DIEN_THOAI", "MA_PTTT_QT", "MA_LOAI_RV"}
    | {"KET_QUA_DTRI", "GIOI_TINH", "MA_QUOCTICH", "MA_DANTOC", "MA_NGHE_NGHIEP", "MATINH_CU_TRU", "MAHUYEN_CU_TRU"}
    | {"MAXA_CU_TRU", "MA_THE_BHYT", "MA_DKBD"},
    "XML2": {"TEN_THUOC", "HAM_LUONG", "DANG_BAO_CHE", "DUONG_DUNG", "LIEU_DUNG", "SO_LUONG", "DON_VI_TINH"},
    "XML3": {"MA_DICH_VU", "TEN_DICH_VU", "MA_PTTT_QT"},
    "XML4": {"MA_DICH_VU", "MA_CHI_SO", "TEN_CHI_SO", "GIA_TRI", "DON_VI_DO", "MA_BS_DOC_KQ"},
    "XML7": {"SO_LUU_TRU", "MA_KHOA_RV", "MA_BS", "TEN_BS", "HO_TEN_CHA", "HO_TEN_ME"},
    "XML8": {"KET_QUA_DTRI", "NGUOI_GIAM_HO", "HO_TEN_ME", "HO_TEN_CHA"},
    "XML9": {"SO", "QUYEN_SO", "HO_TEN_CON", "GIOI_TINH_CON", "CAN_NANG_CON", "NOI_SINH_CON", "NGUOI_DO_DE"},
    "XML10": {"SO_SERI", "MA_BS", "TEN_BS"},
    "XML11": {"SO_SERI", "MA_BS", "HO_TEN_ME", "HO_TEN_CHA"},
    "XML13": {"SO_CHUYENTUYEN", "SO_HOSO", "MA_CSKCB_DI", "MA_CSKCB_DEN", "MA_LYDO_CT", "PHUONGTIEN_VC", "MA_BAC_SI"},
    "XML14": {"SO_GIAYHEN_KL", "MA_DOITUONG_KCB", "MA_BAC_SI"},
}
"""Names, numbers and codes that an item's withholding leaves: what is shown and not in this list is a leak."""


@given(seed=st.integers(0, 2**32))
def test_beside_an_item_only_names_numbers_and_codes_stay(seed: int) -> None:
    tables: dict[str, list[dict[str, str]]] = filled(seed, 2)
    tables["XML1"][0]["MA_BENH_KT"] = "B20"
    shown = encoded(entry_of(tables)).decode("utf-8", "ignore")
    told = {
        (kind, name)
        for kind, rows in tables.items()
        for row in rows
        for name, text in row.items()
        if text.startswith(kind) and text in shown
    }
    assert told <= {(kind, name) for kind, names in MAY_STAY.items() for name in names}


def test_the_same_dossier_without_the_code_does_tell() -> None:
    """The property above could otherwise hold because nothing is ever shown."""
    tables: dict[str, Rows] = dict(filled(1, 2))
    shown = encoded(entry_of(tables)).decode("utf-8", "ignore")
    assert all(
        f"{kind} {name}" in shown for kind, names in FREE_TEXTS.items() for name in names if name not in DISEASES
    )
