"""`healthbook facility add`: a facility that may send from a day on."""

from datetime import UTC, datetime
from typing import IO

import click

from streams.adapters.certificate_register import CertificateError, read_pair
from streams.adapters.facilities import FACILITY, Facility, FacilityError, FacilityKind, FacilityRegister
from streams.cli.certificate import described as certificate_described
from streams.cli.config import settings_or_fail
from streams.cli.facility import described
from streams.cli.output import Exit, emit_fields, fail, output_option, say

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("add")
@click.argument("code")
@click.option("--name", required=True, help="Its name, as citizens know it.")
@click.option("--kind", type=click.Choice([str(kind) for kind in FacilityKind]), default="insured", show_default=True)
@click.option("--from", "valid_from", type=_DAY, required=True, help="First day on which it may send.")
@click.option("--to", "valid_to", type=_DAY, help="Last day.  [default: no end]")
@click.option("--gateway-username", help="Its account at the gateway.  [default: CODE_BV]")
@click.option(
    "--password-file",
    type=click.File("r", encoding="utf-8"),
    required=True,
    help="File with that account's password; - is stdin.",
)
@click.option("--certificate", type=click.File("rb"), required=True, help="Its signing certificate (PEM).")
@click.option("--key", type=click.File("rb"), help="The key of it (PEM); none where its own HIS signs.")
@click.option("--dry-run", is_flag=True, help="Checks everything and changes nothing.")
@output_option
def facility_add(
    code: str,
    name: str,
    kind: str,
    valid_from: datetime,
    valid_to: datetime | None,
    gateway_username: str | None,
    password_file: IO[str],
    certificate: IO[bytes],
    key: IO[bytes] | None,
    dry_run: bool,
    output: str,
) -> None:
    """Registers facility CODE; running processes take it within seconds.

    Secrets come from files or standard input only. Exit code 1 when the facility is there already, or something
    cannot be used.
    """
    register, now = FacilityRegister(settings_or_fail().facilities_dir), datetime.now(UTC)
    account = gateway_username or f"{code}_BV"
    last = valid_to.date() if valid_to else None
    facility = Facility(code, name.strip(), FacilityKind(kind), valid_from.date(), last, account)
    password = password_file.read().rstrip("\r\n")
    _check(facility, password, register)
    try:
        pair = read_pair(certificate.read(), key.read() if key else None, now)
        if not dry_run:
            register.add(facility, password=password, key=pair.key, certificate=pair.pem)
    except CertificateError as error:
        fail(str(error), Exit.NO)
    except OSError as error:
        fail(f"{error.filename}: cannot be written ({error.strerror}); who may is its folder's owner", Exit.NO)
    begins = max(now, pair.certificate.not_valid_before_utc)
    document = {
        **described(facility),
        "signs": "here" if pair.key else "its HIS",
        "signs_from": begins.isoformat(),
        "certificate": certificate_described(pair.certificate, now),
        "dry_run": dry_run,
    }
    emit_fields(document, output)
    if begins > now:
        say(f"its certificate begins at {begins:%Y-%m-%d %H:%M} UTC; what it sends before is held")
    say("nothing was changed" if dry_run else f"it may send from {facility.valid_from} on")


def _check(facility: Facility, password: str, register: FacilityRegister) -> None:
    try:
        file = register.file(facility.code, FACILITY)
    except FacilityError as error:
        raise click.UsageError(f"CODE: {error}") from None
    if facility.valid_to is not None and facility.valid_to < facility.valid_from:
        raise click.UsageError("--to is before --from")
    if file.exists():
        fail(
            f"facility {facility.code} is registered already: {file}. A new certificate: `healthbook certificate add"
            f" {facility.code}`; anything else is changed in that file, and counts within seconds",
            Exit.NO,
        )
    if file.parent.exists():
        fail(
            f"{file.parent} is there without {FACILITY}, and nothing is overwritten: move it away, add the facility,"
            " then move back what the folder had beside key, certificate and password hash",
            Exit.NO,
        )
    if not facility.name:
        raise click.UsageError("--name is empty")
    if not password:
        fail("--password-file is empty; expected is the password of the gateway account", Exit.NO)
    if facility.has_foreign_account:
        fail(
            f"account {facility.gateway_username} is another facility's; the gateway would take visits of"
            f" {facility.code} under it and not show them. Expected is {facility.code}_BV",
            Exit.NO,
        )
