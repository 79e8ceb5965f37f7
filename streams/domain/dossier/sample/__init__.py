"""Invented dossiers: valid ones of every visit type, and ones with exactly one named defect.

Used by `healthbook dossier new`, by `make run` and by tests. All people are invented (`person.py` says how that shows).
"""

from streams.domain.dossier.sample.build import can_be, new_dossier, unsigned_envelope
from streams.domain.dossier.sample.defects import BY_NAME, BY_RULE, DEFECTS, Defect, defective_dossier
from streams.domain.dossier.sample.demo import FACILITIES, samples
from streams.domain.dossier.sample.model import Expected, Sample, Size, Trait, VisitKind
from streams.domain.dossier.sample.padding import padded
from streams.domain.dossier.sample.write import table_files

__all__ = [
    "BY_NAME",
    "BY_RULE",
    "DEFECTS",
    "FACILITIES",
    "Defect",
    "Expected",
    "Sample",
    "Size",
    "Trait",
    "VisitKind",
    "can_be",
    "defective_dossier",
    "new_dossier",
    "padded",
    "samples",
    "table_files",
    "unsigned_envelope",
]
