"""An invented dossier: always the same for its seed, in the layout of its day, of the size that was ordered."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from streams.domain.dossier.sample import Expected, Sample, Size, Trait, VisitKind, new_dossier, unsigned_envelope
from streams.domain.dossier.sample.write import write_table
from streams.domain.dossier.tables import catalogue
from tests.unit.sample.support import FACILITY, NOW, all_cares, dossier, header, rows

EVERY_KIND = list(product(VisitKind, (True, False)))
DETAILS = ("XML2", "XML3", "XML4", "XML5")


@pytest.mark.parametrize(("kind", "insured"), EVERY_KIND)
def test_the_same_seed_gives_the_same_bytes(kind: VisitKind, insured: bool) -> None:
    assert dossier(3, kind=kind, insured=insured) == dossier(3, kind=kind, insured=insured)


def test_another_seed_gives_another_person() -> None:
    assert header(dossier(3))["MA_BN"] != header(dossier(4))["MA_BN"]


def test_visit_keys_do_not_collide() -> None:
    keys = [
        dossier(seed, kind=kind, insured=insured, size=Size.TINY, facility=facility).ma_lk
        for seed in range(40)
        for kind, insured in EVERY_KIND
        for facility in ("01999", "48999")
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("sample", list(all_cares(range(2))), ids=lambda s: f"{s.kind}-{s.insured}-{s.ma_lk}")
def test_every_table_has_all_fields_in_order_and_the_required_ones_filled(sample: Sample) -> None:
    layout = catalogue(NOW.date())
    for kind in {kind for kind, _ in sample.tables}:
        for row in rows(sample, kind):
            assert list(row) == [field.name for field in layout[kind].fields]
            assert [field.name for field in layout[kind].fields if field.is_required and not row[field.name]] == []


@pytest.mark.parametrize("kind", VisitKind)
def test_without_insurance_only_the_visit_and_its_summary_are_sent(kind: VisitKind) -> None:
    assert [table for table, _ in dossier(kind=kind, insured=False).tables] == ["XML1", "XML8"]


@pytest.mark.parametrize(("kind", "insured"), EVERY_KIND)
def test_every_visit_has_a_summary(kind: VisitKind, insured: bool) -> None:
    assert rows(dossier(kind=kind, insured=insured), "XML8")


def test_the_kinds_of_care_are_those_of_the_health_book() -> None:
    found: dict[VisitKind, set[str]] = {kind: set() for kind in VisitKind}
    for seed, kind in product(range(30), VisitKind):
        found[kind].add(header(dossier(seed, kind=kind, size=Size.TINY))["MA_LOAI_KCB"])
    assert found == {
        VisitKind.EXAM: {"01"},
        VisitKind.OUTPATIENT_TREATMENT: {"02", "05", "08"},
        VisitKind.APPOINTED_DRUGS: {"07"},
        VisitKind.INPATIENT: {"03", "09"},
        VisitKind.DAY: {"04"},
        VisitKind.REMOTE: {"14"},
    }


def test_a_standard_examination_is_the_measured_outpatient_visit() -> None:
    """54 KB and 60 rows (DESIGN §8)."""
    for seed in range(10):
        sample = dossier(seed)
        assert sum(len(rows(sample, kind)) for kind in DETAILS) == 60
        assert 48_000 < sample.size < 58_000


def test_a_large_stay_has_2000_rows() -> None:
    sample = dossier(kind=VisitKind.INPATIENT, size=Size.LARGE)
    assert sum(len(rows(sample, kind)) for kind in DETAILS) == 2000
    assert header(sample)["MA_LOAI_KCB"] == "03"
    assert 1_500_000 < sample.size < 3_000_000


def test_some_visits_end_in_a_referral_and_some_in_an_appointment() -> None:
    tables = [{kind for kind, _ in sample.tables} for sample in all_cares(range(12), insured=(True,), size=Size.TINY)]
    assert any("XML13" in found for found in tables)
    assert any("XML14" in found for found in tables)
    assert any(not found & {"XML13", "XML14"} for found in tables)


@pytest.mark.parametrize(
    ("traits", "insured", "expected"),
    [
        ({Trait.HIV}, True, Expected.WITHHELD),
        ({Trait.HIV}, False, Expected.WITHHELD),
        ({Trait.TB}, True, Expected.DISPLAYED),
        ({Trait.FOREIGNER}, False, Expected.DISPLAYED),
        ({Trait.NEWBORN}, True, Expected.DISPLAYED),
        ({Trait.NEWBORN}, False, Expected.NOT_DUE),
        ({Trait.NO_CITIZEN_NUMBER}, True, Expected.DISPLAYED),
        ({Trait.NO_CITIZEN_NUMBER}, False, Expected.NOT_DUE),
    ],
)
def test_what_becomes_of_a_special_visit(traits: set[Trait], insured: bool, expected: Expected) -> None:
    sample = new_dossier(
        1, facility=FACILITY, kind=VisitKind.INPATIENT, insured=insured, discharged_at=NOW, traits=traits
    )
    assert sample.expected is expected


def test_an_hiv_visit_shows_it_in_every_place_that_must_be_withheld() -> None:
    sample = new_dossier(1, facility=FACILITY, kind=VisitKind.EXAM, insured=True, discharged_at=NOW, traits={Trait.HIV})
    assert len(rows(sample, "XML6")) == 1
    assert header(sample)["MA_BENH_CHINH"].startswith("B20")
    assert "Tenofovir" in rows(sample, "XML2")[0]["TEN_THUOC"]
    assert any(row["MA_CHI_SO"] == "HIVVL" for row in rows(sample, "XML4"))


def test_a_tuberculosis_visit_has_its_table() -> None:
    sample = new_dossier(1, facility=FACILITY, kind=VisitKind.EXAM, insured=True, discharged_at=NOW, traits={Trait.TB})
    assert len(rows(sample, "XML15")) == 1
    assert header(sample)["MA_BENH_CHINH"].startswith("A15")


def test_nothing_is_later_than_the_moment_at_which_the_visit_closed() -> None:
    at_night = datetime(2026, 11, 19, 17, 10, tzinfo=UTC)  # 00:10 in Vietnam
    sample = new_dossier(1, facility=FACILITY, kind=VisitKind.EXAM, insured=True, discharged_at=at_night)
    assert header(sample)["NGAY_RA"] == "202611200010"
    assert sample.closed_at == at_night


def test_seconds_are_cut_because_a_dossier_has_none() -> None:
    sample = new_dossier(
        1, facility=FACILITY, kind=VisitKind.EXAM, insured=True, discharged_at=NOW + timedelta(seconds=59)
    )
    assert sample.closed_at == NOW


def test_remote_care_before_its_code_is_refused() -> None:
    before = datetime(2026, 6, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="remote care"):
        new_dossier(1, facility=FACILITY, kind=VisitKind.REMOTE, insured=True, discharged_at=before)


def test_a_visit_before_the_oldest_standard_is_refused() -> None:
    before = datetime(2023, 1, 17, tzinfo=UTC)
    with pytest.raises(ValueError, match="2023-01-18"):
        new_dossier(1, facility=FACILITY, kind=VisitKind.EXAM, insured=True, discharged_at=before)


def test_care_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="not care of kind"):
        dossier(kind=VisitKind.EXAM, care="03")


def test_a_misspelt_field_cannot_vanish() -> None:
    with pytest.raises(ValueError, match="MA_LKK"):
        write_table("XML8", [{"MA_LKK": "1"}], NOW.date())


def test_free_text_survives_the_end_mark_of_its_own_section() -> None:
    sample = dossier()
    content = write_table("XML8", [rows(sample, "XML8")[0] | {"QT_BENHLY": "a ]]> b < c & d"}], NOW.date())
    assert rows(replace(sample, tables=(("XML8", content),)), "XML8")[0]["QT_BENHLY"] == "a ]]> b < c & d"


def test_repr_shows_nothing_of_the_person() -> None:
    sample = dossier()
    for field in ("HO_TEN", "SO_CCCD", "MA_THE_BHYT", "DIEN_THOAI", "CHAN_DOAN_RV"):
        assert header(sample)[field] not in repr(sample)


def test_the_envelope_holds_the_table_files_as_they_are() -> None:
    sample = dossier()
    envelope = unsigned_envelope(sample)
    assert all(b64encode(content) in envelope for _, content in sample.tables)
