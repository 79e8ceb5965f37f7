"""The verdict on a dossier: everything that is wrong with it, in one pass, whatever bytes it is made of."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time

from events.visit import Finding, PersonKeyKind, Severity, TableFile
from streams.domain.dossier.codelists import SHIPPED, Lists
from streams.domain.dossier.envelope import Dossier, read_envelope
from streams.domain.dossier.findings import ENVELOPE, Place, finding, most_important
from streams.domain.dossier.history import EarlierDossiers, History, history_of
from streams.domain.dossier.identity import insured, person_key
from streams.domain.dossier.moments import VIETNAM, instant_of
from streams.domain.dossier.reader import Table
from streams.domain.dossier.reading import Reading, read_files
from streams.domain.dossier.rules import judge_rows, not_judged
from streams.domain.dossier.severities import LIST, judged_by
from streams.domain.dossier.standard import standard_on
from streams.domain.dossier.visit import Registration, Sender, Visit

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


@dataclass(frozen=True, slots=True)
class Opened:
    """A dossier that was read, before it is judged."""

    local: datetime
    """The moment of judging in Vietnam, without zone."""
    findings: tuple[Finding, ...]
    """About size, envelope and signature; those about tables are in `reading`."""
    tables: tuple[TableFile, ...] = field(default=(), repr=False)
    envelope: Dossier | None = None
    reading: Reading | None = None
    """None: an envelope that nobody can open."""

    @property
    def history(self) -> History | None:
        """What later dossiers are compared with; None without a readable XML1."""
        read = self.reading
        return history_of(read.tables) if read is not None and read.xml1 is not None else None


def judge(
    dossier: bytes | Iterable[TableFile],
    *,
    now: datetime,
    facility: str | None = None,
    register: Mapping[str, Registration] | None = None,
    on: date | None = None,
    rules_of: date | None = None,
    verify_signature: VerifySignature | None = None,
    size_limit: int = SIZE_LIMIT,
    lists: Lists = SHIPPED,
    earlier: EarlierDossiers | None = None,
    checkin: Mapping[str, str] | None = None,
    xml8_every_visit: bool = True,
) -> Verdict:
    """Opens a dossier and judges it: see the two functions below."""
    return judge_opened(
        open_dossier(
            dossier, now=now, on=on, rules_of=rules_of, verify_signature=verify_signature, size_limit=size_limit
        ),
        facility=facility,
        register=register,
        lists=lists,
        earlier=earlier,
        checkin=checkin,
        xml8_every_visit=xml8_every_visit,
    )


def open_dossier(
    dossier: bytes | Iterable[TableFile],
    *,
    now: datetime,
    on: date | None = None,
    rules_of: date | None = None,
    verify_signature: VerifySignature | None = None,
    size_limit: int = SIZE_LIMIT,
) -> Opened:
    """Reads an envelope (bytes) or the table files of a folder. Always answers, for any bytes.

    `now` is aware; with `on` the dossier is judged as at the end of that day in Vietnam (RULES §2). `rules_of`: by the
    rules of that day instead of the visit's own.
    """
    local = datetime.combine(on, time(23, 59)) if on else now.astimezone(VIETNAM).replace(tzinfo=None)
    if not isinstance(dossier, bytes):
        tables = tuple(dossier)
        found = tuple(_size(_size_of(tables), size_limit))
        return Opened(local, found, tables, reading=read_files(tables, (), local.date(), rules_of))
    envelope, troubles = _unwrapped(dossier, verify_signature)
    found = (*_size(_base64_size(len(dossier)), size_limit), *troubles)
    if envelope is None:
        return Opened(local, found)
    reading = read_files(envelope.tables, envelope.undecoded, local.date(), rules_of)
    return Opened(local, found, envelope.tables, envelope, reading)


def judge_opened(
    opened: Opened,
    *,
    facility: str | None = None,
    register: Mapping[str, Registration] | None = None,
    lists: Lists = SHIPPED,
    earlier: EarlierDossiers | None = None,
    checkin: Mapping[str, str] | None = None,
    xml8_every_visit: bool = True,
) -> Verdict:
    """`facility` is who hands it over, `register` who may, `earlier` what is remembered of its other dossiers,
    `checkin` the check-in sent before; what is not given is not judged.
    """
    local, envelope, tables, reading = opened.local, opened.envelope, opened.tables, opened.reading
    if reading is None:
        return Verdict(opened.findings, 0, standard_on(local.date()).name, signed=False, tables=(), rows={})
    not_checked: Mapping[str, str] = {}
    found = (*opened.findings, *reading.findings)
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


def _unwrapped(data: bytes, verify_signature: VerifySignature | None) -> tuple[Dossier | None, tuple[Finding, ...]]:
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
        rows[table.spec.kind] += len(table)
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
