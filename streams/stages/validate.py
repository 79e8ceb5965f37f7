"""validate: a closed visit is judged by the standard of its own day; what may not leave the house is rejected."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from events.visit import Finding, Severity, VisitClosed, VisitRejected, VisitValidated
from streams.domain.dossier.verdict import Verdict


class Judge(Protocol):
    """Says everything that is wrong with a dossier handed over by `facility`; always answers, never raises."""

    def __call__(self, visit: VisitClosed, now: datetime) -> Verdict: ...


class Revisions(Protocol):
    """Remembers the bytes of each revision."""

    async def first_digest(self, facility: str, ma_lk: str, revision: int, digest: str) -> str:
        """Digest of the first dossier seen under this revision: `digest` unless other bytes were there before."""
        ...


async def validate(
    visit: VisitClosed, revisions: Revisions, judge: Judge, now: Callable[[], datetime]
) -> VisitValidated | VisitRejected:
    """The dossier's bytes pass unchanged; findings that are only warnings travel with it."""
    digest = dossier_sha256(visit)
    first = await revisions.first_digest(visit.facility, visit.ma_lk, visit.revision, digest)
    return decide(visit, digest, judge(visit, now()), conflict=first != digest)


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
        tables=visit.tables,
        envelope=visit.envelope,
        signed=verdict.signed,
        warnings=findings,
        warnings_omitted=verdict.findings_omitted,
    )


def dossier_sha256(visit: VisitClosed) -> str:
    """Digest over the dossier as handed over; each part is preceded by its length, so that no two dossiers meet."""
    digest = hashlib.sha256()
    for name, content in [*((table.kind, table.content) for table in visit.tables), ("", visit.envelope or b"")]:
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
