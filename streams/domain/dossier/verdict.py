"""The verdict on a dossier: everything that is wrong with it, in one pass, whatever bytes it is made of."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time

from events.visit import Finding, PersonKeyKind, Severity, TableFile
from streams.domain.dossier.codelists import SHIPPED, Lists
from streams.domain.dossier.envelope import Dossier, read_envelope
from streams.domain.dossier.findings import ENVELOPE, Place, finding, most_important
from streams.domain.dossier.identity import insured, person_key
from streams.domain.dossier.moments import VIETNAM, instant_of
from streams.domain.dossier.reader import Table
from streams.domain.dossier.reading import Reading, read_files
from streams.domain.dossier.rules import judge_rows, not_judged
from streams.domain.dossier.severities import LIST, judged_by
from streams.domain.dossier.standard import standard_on
from streams.domain.dossier.visit import EarlierDossiers, Registration, Sender, Visit

SIZE_LIMIT = 20 * 1024 * 1024
"""Bytes of the envelope in base64 that the gateway takes at any hour (GATEWAY §6.7)."""

_ENVELOPE_AROUND = 8 * 1024
"""What envelope and signature add to the base64 of the tables, at most."""

VerifySignature = Callable[[bytes], str | None]
"""Envelope bytes → None when its one signature holds, else a stable reason without personal data."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What validation says. Facts of the visit are as written in XML1, and empty when there is no readable XML1."""

    findings: tuple[Finding, ...]
    """At most 1000, by table, row and field; when there are more, warnings are left out first."""
    findings_omitted: int
    """How many findings are not listed."""
    standard: str
    """Name of the standard that the visit's day chose: 130, 4750, 3176 or 1931."""
    signed: bool
    """An envelope with a signature: it is forwarded as it is. Everything else is signed by us."""
    tables: tuple[TableFile, ...] = field(repr=False)
    rows: Mapping[str, int]
    """Rows of the readable tables by kind."""
    facility: str = ""
    ma_lk: str = field(default="", repr=False)
    discharged_at: datetime | None = None
    """NGAY_RA as aware UTC."""
    visit_type: str = ""
    """MA_LOAI_KCB."""
    insured: bool = False
    person_key_kind: PersonKeyKind = PersonKeyKind.NONE
    not_judged: Mapping[str, str] = field(default_factory=dict)
    """Coverage (RULES §1): rules that were neither passed nor failed, each with the list that is not loaded."""

    @property
    def rejected(self) -> bool:
        """A critical finding: the dossier is not sent."""
        return any(item.severity is Severity.CRITICAL for item in self.findings)


def judge(
    dossier: bytes | Iterable[TableFile],
    *,
    now: datetime,
    facility: str | None = None,
    register: Mapping[str, Registration] | None = None,
    on: date | None = None,
    verify_signature: VerifySignature | None = None,
    size_limit: int = SIZE_LIMIT,
    lists: Lists = SHIPPED,
    earlier: EarlierDossiers | None = None,
    checkin: Mapping[str, str] | None = None,
    xml8_every_visit: bool = True,
) -> Verdict:
    """Judges an envelope (bytes) or the table files of a folder. Always answers, for any bytes.

    `now` is aware; with `on` the dossier is judged as at the end of that day in Vietnam (RULES §2). `facility` is who
    hands it over, `register` who may, `earlier` what is remembered of its other dossiers, `checkin` the check-in sent
    before; what is not given is not judged.
    """
    local = datetime.combine(on, time(23, 59)) if on else now.astimezone(VIETNAM).replace(tzinfo=None)
    envelope: Dossier | None = None
    tables: tuple[TableFile, ...]
    undecoded: tuple[str, ...] = ()
    found: tuple[Finding, ...] = ()
    not_checked: Mapping[str, str] = {}
    if isinstance(dossier, bytes):
        size = _base64_size(len(dossier))
        envelope, found = _opened(dossier, verify_signature)
        if envelope is None:
            findings = (*_size(size, size_limit), *found)
            return Verdict(findings, 0, standard_on(local.date()).name, signed=False, tables=(), rows={})
        tables, undecoded = envelope.tables, envelope.undecoded
    else:
        tables = tuple(dossier)
        size = _size_of(tables)
    reading = read_files(tables, undecoded, local.date())
    found = (*_size(size, size_limit), *found, *reading.findings)
    if reading.xml1 is not None:
        sender = Sender(facility, register)
        visit = Visit(
            reading.standard,
            reading.day,
            local,
            reading.tables,
            sender=sender,
            envelope_facility=envelope.facility if envelope else None,
            unknown=reading.unknown,
            lists=lists.of(reading.xml1["MA_CSKCB"]),
            earlier=earlier,
            checkin=checkin,
            xml8_every_visit=xml8_every_visit,
        )
        visit.discard(found)
        found = (*found, *judge_rows(visit))
        not_checked = not_judged(visit)
        operators, own = lists.on(LIST, reading.day), visit.lists.on(LIST, reading.day)
        found = judged_by(found, operators, None if own is operators else own)
    listed, omitted = most_important(sorted(found, key=_place_in(reading.tables)))
    return replace(_verdict(tables, envelope, reading, listed, omitted), not_judged=not_checked)


def _opened(data: bytes, verify_signature: VerifySignature | None) -> tuple[Dossier | None, tuple[Finding, ...]]:
    """The envelope with the verifier's word on its signature."""
    dossier, found = read_envelope(data)
    countable = not any(item.code == "ENV-010" for item in found)
    if dossier is not None and dossier.signed and countable and verify_signature is not None:
        reason = verify_signature(data)
        if reason is not None:
            place = Place(ENVELOPE, None, "CHUKYDONVI")
            return dossier, (*found, finding("ENV-010/invalid", place, found=reason, reason=reason))
    return dossier, found


def _base64_size(length: int) -> int:
    return 4 * -(-length // 3)


def _size_of(tables: tuple[TableFile, ...]) -> int:
    """Size in base64 of the envelope that we will make of the tables."""
    return _base64_size(_ENVELOPE_AROUND + sum(_base64_size(len(table.content)) for table in tables))


def _size(size: int, limit: int) -> Iterator[Finding]:
    if size > limit:
        expected, found = f"at most {limit} bytes", f"{size} bytes"
        yield finding("SIZE-001", Place(ENVELOPE), expected=expected, found=found, size=size, limit=limit)


def _place_in(tables: tuple[Table, ...]) -> Callable[[Finding], tuple[int, str, int, int, str]]:
    """Sort key: envelope and unreadable files, then tables as they stand in a dossier, then row, then field."""
    specs = {table.label: (n, table.spec) for n, table in enumerate(tables, 1)}

    def key(item: Finding) -> tuple[int, str, int, int, str]:
        position, spec = specs.get(item.table or "", (0, None))
        known = spec.by_name.get(item.field or "") if spec else None
        return position, item.table or "", item.row or 0, known.order if known else 0, item.code

    return key


def _verdict(
    tables: tuple[TableFile, ...],
    envelope: Dossier | None,
    reading: Reading,
    listed: tuple[Finding, ...],
    omitted: int,
) -> Verdict:
    rows: Counter[str] = Counter()
    for table in reading.tables:
        rows[table.spec.kind] += len(table.elements)
    signed = envelope is not None and envelope.signed
    xml1 = reading.xml1
    if xml1 is None:
        return Verdict(listed, omitted, reading.standard.name, signed, tables, rows)
    return Verdict(
        findings=listed,
        findings_omitted=omitted,
        standard=reading.standard.name,
        signed=signed,
        tables=tables,
        rows=rows,
        facility=xml1["MA_CSKCB"],
        ma_lk=xml1["MA_LK"],
        discharged_at=instant_of(xml1["NGAY_RA"]),
        visit_type=xml1["MA_LOAI_KCB"],
        insured=insured(xml1),
        person_key_kind=person_key(xml1).kind,
    )
