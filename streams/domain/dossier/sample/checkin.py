"""The check-in of an invented visit, and what can be wrong with it."""

from collections.abc import Mapping
from datetime import datetime

from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.sample.edits import Edit, put, swap
from streams.domain.dossier.sample.model import Sample
from streams.domain.dossier.sample.rows import rows_of
from streams.domain.dossier.sample.write import write_table

_COPIED = (
    *("MA_LK", "MA_BN", "HO_TEN", "SO_CCCD", "NGAY_SINH", "GIOI_TINH", "MA_THE_BHYT", "MA_DKBD", "GT_THE_TU"),
    *("GT_THE_DEN", "MA_DOITUONG_KCB", "NGAY_VAO", "NGAY_VAO_NOI_TRU", "LY_DO_VNT", "MA_LOAI_KCB", "MA_CSKCB"),
)


def new_checkin(sample: Sample, ended: datetime) -> bytes:
    """The file that was sent when the patient came: the first service of the visit. Unsigned."""
    rows = rows_of(sample)
    summary, first = rows["XML1"][0], next(row for row in rows["XML3"] if "MA_DICH_VU" in row)
    row = {name: summary[name] for name in _COPIED if name in summary}
    row |= {
        "STT": "1",
        "MA_DICH_VU": first["MA_DICH_VU"],
        "TEN_DICH_VU": first["TEN_DICH_VU"],
        "NGAY_YL": first["NGAY_YL"],
    }
    return write_table("CHECKIN", [row], ended.astimezone(VIETNAM).date())


def _both(*edits: Edit) -> Edit:
    def edit(data: bytes) -> bytes:
        for one in edits:
            data = one(data)
        return data

    return edit


CHECKIN_DEFECTS: Mapping[str, tuple[str, Edit]] = {
    "ENV-015": ("a check-in without place for a signature", swap("  <CHUKYDONVI/>\n", "")),
    "REQ-002": ("a check-in that names nothing", _both(put("MA_DICH_VU", ""), put("TEN_DICH_VU", ""))),
    "REQ-003": ("a service without name", put("TEN_DICH_VU", "")),
    "REQ-004": ("an admission without reason", put("NGAY_VAO_NOI_TRU", "202611020700")),
    "CHK-001": ("a check-in of an emergency", put("MA_DOITUONG_KCB", "2")),
    "CHK-002": ("ordered before the arrival", put("NGAY_YL", "202601010000")),
    "CHK-003": (
        "a cost of before the admission",
        _both(put("NGAY_VAO_NOI_TRU", "202611020930"), put("LY_DO_VNT", "Theo dõi")),
    ),
}
"""Rule → (what is wrong, the edit)."""
