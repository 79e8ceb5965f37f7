"""Sound dossiers to look at, and their rows read back from the bytes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from events.xml import parse
from streams.domain.dossier.sample import Sample, Size, VisitKind, new_dossier
from streams.domain.dossier.sample.care import CARES
from streams.domain.dossier.tables import catalogue

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
FACILITY = "01999"

Row = dict[str, str]


def dossier(
    seed: int = 7,
    *,
    kind: VisitKind = VisitKind.EXAM,
    insured: bool = True,
    size: int = Size.STANDARD,
    care: str | None = None,
    facility: str = FACILITY,
) -> Sample:
    return new_dossier(seed, facility=facility, kind=kind, insured=insured, discharged_at=NOW, size=size, care=care)


def all_cares(
    seeds: range, *, insured: tuple[bool, ...] = (True, False), size: int = Size.STANDARD
) -> Iterator[Sample]:
    """Every MA_LOAI_KCB that samples know, by every seed."""
    for seed in seeds:
        for care in CARES:
            for with_card in insured:
                yield dossier(seed, kind=care.kind, insured=with_card, care=care.code, size=size)


def rows(sample: Sample, kind: str) -> list[Row]:
    """The rows of all files of a table, in the order of the file."""
    found: list[Row] = []
    for table, content in sample.tables:
        if table == kind:
            root = parse(content)
            listed = catalogue(NOW.date())[kind].list_element is not None
            found += ({field.tag: field.text or "" for field in row} for row in (root[0] if listed else [root]))
    return found


def header(sample: Sample) -> Row:
    (row,) = rows(sample, "XML1")
    return row


def total(found: list[Row], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in found), Decimal(0))


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M")  # noqa: DTZ007 (local times of one dossier, compared with each other)


def day(text: str) -> int:
    """Number of the day, to count with."""
    return moment(text[:8] + "0000").toordinal()
