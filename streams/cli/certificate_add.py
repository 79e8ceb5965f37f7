"""`healthbook certificate add`: a new certificate takes over from the one that signs now."""

from datetime import UTC, datetime
from typing import IO

import click

from streams.adapters.certificate_register import CertificateError, CertificateRegister, Pair, Registered, read_pair
from streams.adapters.facilities import SIGNING_KEY, FacilityError, FacilityRegister
from streams.cli.certificate import described
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_fields, fail, output_option, say
from streams.domain.certificates import belongs, in_force, same_holder, serial, subject


@click.command("add")
@click.argument("facility")
@click.option("--certificate", type=click.File("rb"), required=True, help="PEM; those it rests on may follow it.")
@click.option("--key", type=click.File("rb"), help="Its key (PEM), - is stdin; none where the key stays as it is.")
@click.option("--holder-changed", is_flag=True, help="It is right that it names another organisation than before.")
@click.option("--dry-run", is_flag=True, help="Checks everything and changes nothing.")
@output_option
def certificate_add(
    facility: str, certificate: IO[bytes], key: IO[bytes] | None, holder_changed: bool, dry_run: bool, output: str
) -> None:
    """Registers a certificate of FACILITY beside those that it has: the one that began last signs.

    It signs from its first moment on; running processes take it within seconds. Register it on the gateway's portal
    first: that is not checked here, nor whether its authority is trusted. Exit code 1 when it cannot be used.
    """
    register, now = FacilityRegister(settings_or_fail().facilities_dir), datetime.now(UTC)
    certificates = CertificateRegister(register)
    try:
        if register.get(facility) is None:
            fail(f"facility {facility} is not registered: `healthbook facility add {facility}` …", Exit.NO)
        pair = read_pair(certificate.read(), key.read() if key else None, now)
        known, present = certificates.of(facility), certificates.in_force(facility, now)
        _takes_over(pair, known, now)
        if present is not None and not holder_changed:
            _same_holder(pair, present)
        if key is None:
            pair = _with_key_of(pair, known, certificates)
        folder = certificates.place(facility, pair) if dry_run else certificates.add(facility, pair)
    except (CertificateError, FacilityError) as error:
        fail(str(error), Exit.NO)
    except OSError as error:
        fail(f"{error.filename}: cannot be written ({error.strerror}); who may is its folder's owner", Exit.NO)
    begins = max(now, pair.certificate.not_valid_before_utc)
    document = {
        "facility": facility,
        **described(pair.certificate, now),
        "signs_from": begins.isoformat(),
        "takes_over_from": present and serial(present.certificate),
        "key": "given" if key else "as before" if pair.key else "none: its HIS signs",
        "folder": str(folder),
        "dry_run": dry_run,
    }
    emit_fields(document, output)
    if dry_run:
        say("nothing was changed")
    elif begins > now:
        say("it takes over by itself when it begins")
    else:
        say(f"it signs from now on; what was held: `healthbook held list --facility {facility}`")


def _takes_over(pair: Pair, known: list[Registered], now: datetime) -> None:
    """Raises CertificateError when it is there already, or another one would go on signing in its place."""
    new = pair.certificate
    for each in known:
        if each.certificate == new:
            raise CertificateError(f"certificate {serial(new)} is registered already: {each.folder}")
    dates = [each.certificate for each in known]
    signing = in_force([*dates, new], max(now, new.not_valid_before_utc))
    if signing is not None and signing != new:
        folder = next(each.folder for each in known if each.certificate == signing)
        raise CertificateError(
            f"certificate {serial(signing)} began later and would go on signing: {folder}."
            " Remove that folder if it must not, then add this one"
        )


def _same_holder(pair: Pair, present: Registered) -> None:
    if not same_holder(pair.certificate, present.certificate):
        raise CertificateError(
            f"the certificate is of {subject(pair.certificate)}, the present one of {subject(present.certificate)}."
            " Is it this facility's? If its holder did change: --holder-changed"
        )


def _with_key_of(pair: Pair, known: list[Registered], certificates: CertificateRegister) -> Pair:
    """The pair with the key that the facility has for it; as it is where the facility has no key at all."""
    keys = [(each, key) for each in known if (key := certificates.key(each)) is not None]
    for each, key in keys:
        if belongs(key, pair.certificate):
            return Pair(pair.certificate, (each.folder / SIGNING_KEY).read_bytes())
    if keys:
        raise CertificateError("no key of this facility belongs to the certificate; give its own with --key FILE")
    return pair
