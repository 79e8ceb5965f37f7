"""validate: a closed visit is judged by the standard of its own day; what may not leave the house is rejected."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from events.visit import CHECK_IN, Finding, Severity, VisitClosed, VisitRejected, VisitValidated
from streams.domain.dossier.history import EarlierDossiers, History
from streams.domain.dossier.verdict import Opened, Verdict


class Judge(Protocol):
    """Says everything that is wrong with a dossier, whatever bytes it is made of."""

    def open(self, visit: VisitClosed, now: datetime) -> Opened:
        """Reads it; always answers."""
        ...

    def judge(self, visit: VisitClosed, opened: Opened, earlier: EarlierDossiers) -> Verdict:
        """Judges what was read beside what is remembered. Raises RetryLater."""
        ...


@dataclass(frozen=True, slots=True)
class HandOver:
    """A revision as it was handed over. `history` is None when nobody can read it."""

    facility: str
    ma_lk: str
    revision: int
    digest: str
    history: History | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """Digest of the first dossier seen under a revision, and the dossiers before it."""

    first_digest: str
    earlier: EarlierDossiers


class Revisions(Protocol):
    """Remembers what was handed over."""

    async def remember(self, hand_over: HandOver) -> Remembered:
        """Keeps the first of each revision; answers what was there before it, the same at every repeat."""
        ...

    async def judged(self, hand_over: HandOver, *, rejected: bool) -> None:
        """A dossier that was always rejected went nowhere: no later one is compared with it."""
        ...


async def validate(
    visit: VisitClosed, revisions: Revisions, judge: Judge, now: Callable[[], datetime]
) -> VisitValidated | VisitRejected:
    """The dossier's bytes pass unchanged; findings that are only warnings travel with it."""
    digest = dossier_sha256(visit)
    opened = judge.open(visit, now())
    hand_over = HandOver(visit.facility, visit.ma_lk, visit.revision, digest, opened.history)
    remembered = await revisions.remember(hand_over)
    verdict = judge.judge(visit, opened, remembered.earlier)
    decided = decide(visit, digest, verdict, conflict=remembered.first_digest != digest)
    await revisions.judged(hand_over, rejected=isinstance(decided, VisitRejected))
    return decided


def decide(visit: VisitClosed, digest: str, verdict: Verdict, *, conflict: bool) -> VisitValidated | VisitRejected:
    """The verdict as an event."""
    findings = (*((REVISION_CONFLICT,) if conflict else ()), *verdict.findings)
    if any(finding.severity is Severity.CRITICAL for finding in findings):
        return VisitRejected(
            facility=visit.facility,
            ma_lk=visit.ma_lk,
            revision=visit.revision,
            closed_at=visit.closed_at,
            standard=verdict.standard,
            dossier_sha256=digest,
            findings=findings,
            findings_omitted=verdict.findings_omitted,
        )
    return VisitValidated(
        facility=visit.facility,
        ma_lk=visit.ma_lk,
        revision=visit.revision,
        closed_at=visit.closed_at,
        standard=verdict.standard,
        visit_type=verdict.visit_type,
        insured=verdict.insured,
        person_key_kind=verdict.person_key_kind,
        tables=tuple(table for table in visit.tables if table.kind != CHECK_IN),
        envelope=visit.envelope,
        signed=verdict.signed,
        warnings=findings,
        warnings_omitted=verdict.findings_omitted,
    )


def dossier_sha256(visit: VisitClosed) -> str:
    """Digest over the dossier as handed over; each part is preceded by its length, so that no two dossiers meet.

    A check-in beside it is no part of it.
    """
    digest = hashlib.sha256()
    tables = [(table.kind, table.content) for table in visit.tables if table.kind != CHECK_IN]
    for name, content in [*tables, ("", visit.envelope or b"")]:
        digest.update(f"{name}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


REVISION_CONFLICT = Finding(
    code="REV-001",
    severity=Severity.CRITICAL,
    table=None,
    row=None,
    field=None,
    message_vi="Số phiên bản (revision) này của lượt khám đã được gửi trước đó với nội dung khác.",
    message_en="This revision of the visit was handed over before with other content.",
    expected="a revision number higher than any used for this MA_LK",
    found="the same revision, other bytes",
    mend_vi="Gửi hồ sơ đã sửa với số phiên bản lớn hơn, hoặc để SDK tự cấp số.",
    mend_en="Hand the corrected dossier over with a higher revision, or let the SDK number it.",
)
