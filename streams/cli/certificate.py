"""`healthbook certificate list|show`: by which certificates the facilities sign, and when those end."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from streams.adapters.certificate_register import CertificateRegister, Registered
from streams.adapters.facilities import FacilityError, FacilityRegister
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_rows, fail, output_option
from streams.domain.certificates import CertificateState, belongs, serial, state_of, subject, unusable

_LISTED = ("facility", "name", "state", "days_left", "not_after", "serial", "subject")
_SHOWN = ("serial", "state", "days_left", "not_before", "not_after", "key", "subject", "issuer", "file")
MISSING = "missing"
NEXT_AND_PRESENT = (CertificateState.VALID, CertificateState.NOT_YET)


def described(certificate: x509.Certificate, now: datetime) -> dict[str, Any]:
    """What a certificate says about itself, and for how many whole days more it may sign."""
    return {
        "serial": serial(certificate),
        "sha256": certificate.fingerprint(SHA256()).hex(),
        "subject": subject(certificate),
        "issuer": certificate.issuer.rfc4514_string(),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "days_left": (certificate.not_valid_after_utc - now).days,
    }


@click.command("list")
@click.option("--facility", help="Only this facility.")
@click.option("--all", "everything", is_flag=True, help="Also those that were replaced or have ended since.")
@output_option
def certificate_list(facility: str | None, everything: bool, output: str) -> None:
    """The certificate that each facility signs with, and those that will take over; the one that ends first on top."""
    register = FacilityRegister(settings_or_fail().facilities_dir)
    certificates, now = CertificateRegister(register), datetime.now(UTC)
    try:
        names = {each.code: each.name for each in register.all() if facility in (None, each.code)}
    except FacilityError as error:
        fail(str(error), Exit.NO)
    if facility is not None and not names:
        fail(f"facility {facility} is not registered; `healthbook facility list` names those that are", Exit.NO)
    rows = [row | {"name": name} for code, name in names.items() for row in _rows(code, certificates, now, everything)]
    # One that is missing holds all visits of its facility: there is nothing more urgent.
    emit_rows(sorted(rows, key=lambda row: row.get("not_after", "")), _LISTED, output)


def _rows(code: str, certificates: CertificateRegister, now: datetime, everything: bool) -> Iterator[dict[str, Any]]:
    known = certificates.of(code)
    if not known:
        yield {"facility": code, "state": MISSING}
    present = certificates.in_force(code, now)
    for each in known:
        state = state_of(each, known, now)
        if everything or state in NEXT_AND_PRESENT or (present is not None and each.folder == present.folder):
            yield {"facility": code, "state": str(state), **described(each.certificate, now)}


@click.command("show")
@click.argument("facility")
@output_option
def certificate_show(facility: str, output: str) -> None:
    """All certificates of FACILITY, with their keys and where they lie. Exit code 1 when it has none."""
    certificates, now = CertificateRegister(FacilityRegister(settings_or_fail().facilities_dir)), datetime.now(UTC)
    try:
        known = certificates.of(facility)
    except FacilityError as error:
        raise click.UsageError(f"FACILITY: {error}") from None
    if not known:
        fail(f"{facility} has no certificate that can be read; `healthbook certificate add {facility}` …", Exit.NO)
    rows = [
        described(each.certificate, now)
        | {
            "state": str(state_of(each, known, now)),
            "may_sign": unusable(each.certificate, now) is None,
            "key": _key(certificates, each),
            "file": str(each.folder),
        }
        for each in sorted(known, key=lambda each: each.not_valid_before_utc)
    ]
    emit_rows(rows, _SHOWN, output)


def _key(certificates: CertificateRegister, registered: Registered) -> str:
    key = certificates.key(registered)
    if key is None:
        return "none"
    return "belongs to it" if belongs(key, registered.certificate) else "OF ANOTHER"
