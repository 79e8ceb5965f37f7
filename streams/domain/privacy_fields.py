"""Where a dossier could name what must not be shown, and where the entry would show it (HEALTHBOOK §§2, 6)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Row: TypeAlias = Mapping[str, str]
Tables: TypeAlias = Mapping[str, Sequence[Row]]
"""Table kind → its rows, field name → text."""

MAIN_DISEASE = "MA_BENH_CHINH"
DISEASES = (MAIN_DISEASE, "MA_BENH_KT", "MA_BENH", "MA_BENH_YHCT")
"""Fields that are codes of diseases between semicolons."""

FREE_TEXTS: Mapping[str, Mapping[str, str]] = {
    "XML1": {
        "LY_DO_VV": "visit.reason",
        "CHAN_DOAN_VAO": "visit.admissionDiagnosis",
        "CHAN_DOAN_RV": "visit.dischargeDiagnosis.text",
        "MA_BENH_YHCT": "visit.dischargeDiagnosis.traditional",  # its codes mirror the ICD-10 codes
        "PP_DIEU_TRI": "visit.treatment",
    },
    "XML2": {"CACH_DUNG": "visit.drugs.usage"},
    "XML4": {"MO_TA": "visit.results.description", "KET_LUAN": "visit.results.conclusion"},
    "XML5": {"PHAU_THUAT": "visit.operationNotes"},
    "XML7": {"CHAN_DOAN_RV": "papers.diagnosis", "PP_DIEUTRI": "papers.treatment", "GHI_CHU": "papers.note"},
    "XML8": {
        "QT_BENHLY": "summary.course",
        "TOMTAT_KQ": "summary.results",
        "PP_DIEUTRI": "summary.treatment",
        "GHI_CHU": "summary.advice",
        "CHAN_DOAN_VAO": "summary.admissionDiagnosis",
        "CHAN_DOAN_RV": "summary.dischargeDiagnosis",
    },
    "XML9": {"TINH_TRANG_CON": "papers.birth.condition", "GHI_CHU": "papers.note"},
    "XML10": {"CHAN_DOAN_RV": "papers.diagnosis"},
    "XML11": {"CHAN_DOAN_RV": "papers.diagnosis", "PP_DIEUTRI": "papers.treatment"},
    "XML13": {
        "CHAN_DOAN_RV": "papers.diagnosis",
        "MA_BENH_YHCT": "papers.diagnosis",
        "PP_DIEUTRI": "papers.treatment",
        "DAU_HIEU_LS": "papers.referral.signs",
        "QT_BENHLY": "papers.referral.course",
        "TOMTAT_KQ": "papers.referral.results",
        "TINH_TRANG_CT": "papers.referral.condition",
        "HUONG_DIEU_TRI": "papers.referral.plan",
    },
    "XML14": {"CHAN_DOAN_RV": "papers.diagnosis", "MA_BENH_YHCT": "papers.diagnosis"},
}
"""Every text a person writes about the visit, and where the entry shows it."""

SECTIONS: Mapping[str, str] = {
    "XML1": "visit",
    "XML2": "visit.drugs",
    "XML3": "visit.procedures",
    "XML4": "visit.results",
    "XML5": "visit.operationNotes",
    "XML8": "summary",
    "XML15": "programme",
}
LINES: Mapping[str, tuple[str, ...]] = {
    "XML2": (
        "MA_THUOC",
        "TEN_THUOC",
        "HAM_LUONG",
        "DANG_BAO_CHE",
        "LIEU_DUNG",
        "CACH_DUNG",
    ),
    "XML3": ("MA_DICH_VU", "TEN_DICH_VU"),
    "XML4": ("MA_DICH_VU", "MA_CHI_SO", "TEN_CHI_SO", "GIA_TRI", "DON_VI_DO", "MO_TA", "KET_LUAN"),
}
"""Tables of which a hit takes the whole row, and the fields of them that could be shown."""


def words_of(row: Row) -> Iterator[str]:
    """Fields that could hold words: every filled one that was read; codes of diseases are judged as codes."""
    return (name for name in row if row.get(name) and name not in DISEASES)
