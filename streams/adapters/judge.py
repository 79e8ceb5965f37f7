"""Judges dossiers by the facility register: who may send, and by whose certificate an envelope must be signed."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from events.visit import CHECK_IN, VisitClosed
from streams.adapters.certificate_register import CertificateRegister, Registered
from streams.adapters.facilities import FacilityError, FacilityRegister
from streams.domain.certificates import CertificateState, in_force, state_of
from streams.domain.dossier.checkin import checkin_row
from streams.domain.dossier.codelists import SHIPPED, Lists
from streams.domain.dossier.history import EarlierDossiers
from streams.domain.dossier.verdict import Opened, Verdict, judge_opened, open_dossier
from streams.domain.dossier.visit import Registration
from streams.domain.signature import SignatureError, SignatureFault, verify_envelope
from streams.errors import RetryLater

REPLACED = CertificateState.REPLACED


class RegisteredJudge:
    """Port `Judge` of validate."""

    def __init__(self, register: FacilityRegister, size_limit: int, lists: Lists = SHIPPED) -> None:
        self._register = register
        self._certificates = CertificateRegister(register)
        self._size_limit = size_limit
        self._lists = lists

    def open(self, visit: VisitClosed, now: datetime) -> Opened:
        """See the port."""
        return open_dossier(
            visit.envelope or [table for table in visit.tables if table.kind != CHECK_IN],
            now=now,
            verify_signature=self._verifier(visit.facility, now),
            size_limit=self._size_limit,
        )

    def judge(self, visit: VisitClosed, opened: Opened, earlier: EarlierDossiers) -> Verdict:
        """See the port. Raises RetryLater while the register cannot be read."""
        check_in = next((table.content for table in visit.tables if table.kind == CHECK_IN), None)
        return judge_opened(
            opened,
            facility=visit.facility,
            register=_Registrations(self._register),
            lists=self._lists,
            earlier=earlier,
            checkin=None if check_in is None else checkin_row(check_in),
        )

    def _verifier(self, facility: str, now: datetime) -> Callable[[bytes], str | None]:
        def fault(envelope: bytes) -> str | None:
            try:
                known = self._certificates.of(facility)
            except FacilityError:
                known = []
            first = in_force(known, now)
            if first is None:
                return "CERTIFICATE_MISSING"
            found = _fault(envelope, first, now)
            # What its HIS signed before a certificate was replaced is on its way still, and the gateway knows both.
            for other in known:
                if found == SignatureFault.SIGNATURE_FOREIGN and state_of(other, known, now) is REPLACED:
                    found = _fault(envelope, other, now)
            return found

        return fault


def _fault(envelope: bytes, by: Registered, now: datetime) -> str | None:
    try:
        verify_envelope(envelope, expected=by.certificate, at=now)
    except SignatureError as error:
        return str(error.code)
    return None


class _Registrations(Mapping[str, Registration]):
    """The register as the rules ask it; an entry that cannot be used counts as none."""

    def __init__(self, register: FacilityRegister) -> None:
        self._register = register

    def __getitem__(self, code: str) -> Registration:
        if not self._register.is_there():
            raise RetryLater("facility register: the folder is not there")  # a mount that is away is no verdict
        try:
            facility = self._register.get(code)
        except FacilityError:
            facility = None
        if facility is None:
            raise KeyError(code)
        return Registration(facility.valid_from, facility.valid_to)

    def __iter__(self) -> Iterator[str]:
        return (facility.code for facility in self._register.all())

    def __len__(self) -> int:
        return len(self._register.all())
