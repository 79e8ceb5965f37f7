"""What the law and a facility withhold does not reach the health book, and each withholding is on record."""

import pytest

from events.health_book import EntryState, HealthBookEntry
from streams.domain.dossier.data import read_csv
from streams.domain.privacy_fields import FREE_TEXTS
from streams.domain.privacy_rules import COLUMNS, fold, rules_on
from tests.support.health_book import DAY, Rows, dossier, drug_row, encoded, entry_of

RESULT = {"MA_DICH_VU": "23.1", "MA_CHI_SO": "GLU", "TEN_CHI_SO": "Glucose", "GIA_TRI": "5.1"}


def recorded(entry: HealthBookEntry) -> set[tuple[str, str]]:
    return {(item.path, item.rule_id) for item in entry.withheld}


def test_visit_without_anything_to_withhold_is_shown_whole() -> None:
    entry = entry_of(dossier(XML2=[drug_row()], XML4=[RESULT]))
    assert entry.state is EntryState.ACTIVE
    assert entry.withheld == ()


@pytest.mark.parametrize(
    ("xml1", "tables", "rule"),
    [
        ({"MA_BENH_CHINH": "B20"}, {}, "WH-02"),
        ({"MA_BENH_CHINH": "B24.1"}, {}, "WH-02"),
        ({"MA_BENH_CHINH": "Z21"}, {}, "WH-03"),
        ({"MA_BENH_CHINH": "z21†"}, {}, "WH-03"),
        ({"MA_BENH_CHINH": "Z20.6"}, {}, "WH-04"),
        ({}, {"XML6": [{"MA_LK": "TEST-1"}]}, "WH-01"),
    ],
)
def test_visit_about_hiv_is_withheld_whole_and_keeps_the_persons_key_only(
    xml1: dict[str, str], tables: dict[str, Rows], rule: str
) -> None:
    entry = entry_of(dossier(xml1, **tables))
    assert entry.state is EntryState.WITHHELD
    assert recorded(entry) == {("entry", rule)}
    assert (entry.visit, entry.summary, entry.papers, entry.completeness) == (None, None, (), None)
    assert entry.person is not None
    assert entry.person.key == "001090000000"
    shown = encoded(entry)
    for secret in ("Nguyễn", "Thử Nghiệm", "Viêm họng", "0900000000", "B2", "Z2", "HIV"):
        assert secret.encode() not in shown


def test_accompanying_code_goes_and_the_others_stay() -> None:
    entry = entry_of(dossier({"MA_BENH_KT": "I10;B20.1;E11"}))
    assert entry.visit is not None
    assert entry.visit.discharge_diagnosis.accompanying == ("I10", "E11")
    assert entry.visit.discharge_diagnosis.main == "J02"
    assert ("visit.dischargeDiagnosis", "WH-02") in recorded(entry)


def test_with_an_item_every_text_written_about_the_visit_is_withheld_and_recorded() -> None:
    entry = entry_of(dossier({"MA_BENH_KT": "Z21"}, XML4=[RESULT, {**RESULT, "KET_LUAN": "Bệnh phổi"}]))
    assert entry.visit is not None
    assert entry.summary is not None
    texts = (entry.visit.reason, entry.visit.admission_diagnosis, entry.visit.discharge_diagnosis.text)
    assert texts == (None, None, None)
    assert (entry.summary.course, entry.summary.results, entry.summary.advice) == (None, None, None)
    assert [result.conclusion for group in entry.visit.results for result in group.results] == [None, None]
    assert {("visit.reason", "WH-03"), ("summary.course", "WH-03"), ("visit.results.conclusion", "WH-03")} <= recorded(
        entry
    )


def test_withheld_items_do_not_count_as_missing() -> None:
    whole, filtered = entry_of(dossier()), entry_of(dossier({"MA_BENH_KT": "Z21"}))
    assert filtered.completeness == whole.completeness


@pytest.mark.parametrize("name", ["Tenofovir disoproxil 300mg", "LAMIVUDINE", "Lopinavir/Ritonavir", "Thuốc ARV (TLD)"])
def test_antiretroviral_drug_goes_and_other_drugs_stay(name: str) -> None:
    entry = entry_of(dossier(XML2=[drug_row(TEN_THUOC=name), drug_row(), drug_row(TEN_THUOC="Carvedilol")]))
    assert entry.visit is not None
    assert [drug.name for drug in entry.visit.drugs] == ["Thuốc thử A", "Carvedilol"]
    assert "visit.drugs" in {path for path, _ in recorded(entry)}


@pytest.mark.parametrize("name", ["HIV Ab test nhanh", "Anti-HIV", "antiHIV", "H.I.V", "Đếm CD4", "H\u200bIV"])
def test_result_that_names_the_test_goes_whatever_it_says(name: str) -> None:
    entry = entry_of(dossier(XML4=[{**RESULT, "TEN_CHI_SO": name, "GIA_TRI": "Âm tính"}, RESULT]))
    assert entry.visit is not None
    assert [result.name for group in entry.visit.results for result in group.results] == ["Glucose"]


def test_results_go_with_the_service_that_names_the_test() -> None:
    entry = entry_of(
        dossier(
            XML3=[{"MA_DICH_VU": "24.1.K.01888", "TEN_DICH_VU": "HIV khẳng định", "MA_NHOM": "18"}],
            XML4=[{"MA_DICH_VU": "24.1", "TEN_CHI_SO": "Kết quả", "GIA_TRI": "Dương tính"}, RESULT],
        )
    )
    assert entry.visit is not None
    assert [group.service.code for group in entry.visit.results] == ["23.1"]
    assert entry.visit.procedures == ()


def test_service_ordered_for_the_disease_goes() -> None:
    row = {"MA_DICH_VU": "10.1", "TEN_DICH_VU": "Thủ thuật", "MA_NHOM": "18", "MA_BENH": "B20"}
    entry = entry_of(dossier(XML3=[row]))
    assert entry.visit is not None
    assert entry.visit.procedures == ()


@pytest.mark.parametrize(
    "words", ["Nhiễm HIV", "Hội chứng suy giảm miễn dịch", "điều trị ARV", "AIDS", "Bệnh (B20.1)", "SUY GIẢM MIỄN DỊCH"]
)
def test_words_in_a_text_withhold_every_text(words: str) -> None:
    entry = entry_of(dossier({"CHAN_DOAN_RV": f"Viêm họng; {words}."}))
    assert entry.state is EntryState.ACTIVE
    assert entry.visit is not None
    assert entry.visit.discharge_diagnosis.text is None
    assert entry.visit.reason is None


def test_words_in_any_other_field_take_that_field_too() -> None:
    entry = entry_of(dossier({"DIA_CHI": "Trung tâm điều trị HIV"}, XML14=[{"SO_GIAYHEN_KL": "ARV/12"}]))
    assert entry.person is not None
    assert entry.person.address is not None
    assert entry.person.address.text is None
    assert entry.papers[0].number is None


def test_tuberculosis_record_is_left_out_and_the_visit_is_shown() -> None:
    row = {"MA_BN": "BN000001", "PHANLOAI_LAO_HIV": "2", "PHACDO_DTRI_LAO": "10"}
    entry = entry_of(dossier({"MA_BENH_CHINH": "A15.0"}, XML15=[row]))
    assert recorded(entry) == {("programme", "WH-20")}
    assert entry.visit is not None
    assert entry.visit.reason == "Ho, sốt nhẹ"


@pytest.mark.parametrize("name", ["PHANLOAI_LAO_HIV", "NGAYKD_HIV", "BDDT_ARV"])
def test_hiv_state_inside_the_tuberculosis_record_withholds_every_text(name: str) -> None:
    entry = entry_of(dossier(XML15=[{name: "1"}]))
    assert entry.visit is not None
    assert entry.visit.reason is None


def own(kind: str, what: str, effect: str = "item", **more: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | {"id": "F-01", "kind": kind, "what": what, "effect": effect} | more


def test_facility_lists_its_own_items() -> None:
    tables = dossier({"MA_BENH_KT": "F20.0;I10"}, XML2=[drug_row(MA_THUOC="40.99"), drug_row(TEN_THUOC="Khác")])
    entry = entry_of(tables, own("disease", "F20;F25"), own("words", "40.99"))
    assert entry.visit is not None
    assert entry.visit.discharge_diagnosis.accompanying == ("I10",)
    assert [drug.name for drug in entry.visit.drugs] == ["Khác"]
    assert {rule for _, rule in recorded(entry)} == {"F-01"}


def test_rule_binds_only_on_the_days_it_is_in_force() -> None:
    tables = dossier({"MA_BENH_KT": "F20"})
    assert entry_of(tables, own("disease", "F20", valid_from="2026-11-03")).withheld == ()
    assert entry_of(tables, own("disease", "F20", valid_to="2026-11-02")).withheld != ()


@pytest.mark.parametrize(
    "row",
    [
        own("disease", ""),
        own("disease", "B20;;B21"),
        own("words", "*"),
        own("words", "…"),
        own("field", "XML1.HO_TEN"),
        own("colour", "red"),
        own("words", "abc", effect="maybe"),
    ],
)
def test_rule_that_cannot_be_used_is_an_error_never_skipped(row: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="F-01"):
        rules_on(DAY, [row])


def test_rule_ids_tell_nothing_about_their_reason() -> None:
    for row in read_csv("withholding.csv"):
        assert row["id"].startswith("WH-")
        assert row["id"][3:].isdigit()
        assert row["legal_basis"]


def test_folding_ignores_case_accents_punctuation_and_invisible_characters() -> None:
    assert fold("H.I.V –\u200b Đỏ\nSUY GIẢM") == " h i v do suy giam "


def test_free_texts_are_fields_of_their_tables() -> None:
    for kind, names in FREE_TEXTS.items():
        fields = {row["name"] for row in read_csv(f"tables/{kind.lower()}.csv")}
        assert set(names) <= fields
