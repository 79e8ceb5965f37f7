"""What a dossier says that later dossiers are compared with (list EARLIER_DOSSIERS of RULES §6).

The running system remembers digests only: nobody can read a patient or a paper out of them, and the digests of two
visits of one patient are different.
"""

import hashlib
from collections.abc import Set
from dataclasses import dataclass, field

from streams.domain.dossier.reader import Table


@dataclass(frozen=True, slots=True)
class History:
    """What one revision says. Empty texts where it says nothing."""

    patient: str = field(repr=False)
    """Digest of MA_BN."""
    arrival_day: str
    """Day of NGAY_VAO."""
    serials: frozenset[str] = field(default=frozenset(), repr=False)
    """Digests of SO_SERI of the sick-leave papers (XML11)."""


@dataclass(frozen=True, slots=True)
class EarlierDossiers:
    """What is remembered beside a dossier that is judged."""

    revision_before: History | None = None
    """The last revision of the same visit that was not rejected."""
    serials_of_others: Set[str] = frozenset()
    """Digests of the serials that other visits of the facility named before."""


def history_of(tables: tuple[Table, ...]) -> History:
    """What these readable tables say; the first one is XML1."""
    xml1 = tables[0].rows[0]
    facility, visit, patient = xml1["MA_CSKCB"], xml1["MA_LK"], xml1["MA_BN"]
    serials = {row["SO_SERI"] for table in tables if table.spec.kind == "XML11" for row in table.rows}
    return History(
        patient_digest(facility, visit, patient) if patient else "",
        xml1["NGAY_VAO"][:8],
        frozenset(serial_digest(facility, serial) for serial in serials if serial),
    )


def patient_digest(facility: str, ma_lk: str, ma_bn: str) -> str:
    return _digest("MA_BN", facility, ma_lk, ma_bn)


def serial_digest(facility: str, serial: str) -> str:
    return _digest("SO_SERI", facility, serial)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
