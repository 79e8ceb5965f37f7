"""`healthbook adapter token`: who may hand visits over by HTTP, for which facility."""

import click

from streams.adapters.facilities import FacilityError, FacilityRegister
from streams.adapters.tokens import TokenFileError, Tokens
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, fail, output_option, say
from streams.config import Settings


@click.command("token")
@click.argument("facility")
@click.option("--replace", is_flag=True, help="The earlier tokens of the facility end; without it they go on.")
@click.option("--revoke", is_flag=True, help="All tokens of the facility end, and no new one is issued.")
@click.option("--dry-run", is_flag=True, help="Says what would be done, and changes nothing.")
@output_option
def adapter_token(facility: str, replace: bool, revoke: bool, dry_run: bool, output: str) -> None:
    """Issues a token for FACILITY (MA_CSKCB) and prints it, this once: only its hash is kept.

    A running `adapter http` knows it within seconds. To change tokens without a gap: issue one, give it to the HIS,
    then --replace later. Exit 1: the facility is not in the register, or its tokens cannot be read.
    """
    if replace and revoke:
        raise click.UsageError("--replace issues a new token, --revoke issues none: give one of them")
    settings = settings_or_fail()
    tokens = Tokens(settings.tokens_dir)
    try:
        _check_registered(settings, facility)
        earlier = tokens.count(facility)
        ended = earlier if replace or revoke else 0
        token = None
        if not dry_run:
            if revoke:
                tokens.revoke(facility)
            else:
                token = tokens.issue(facility, alone=replace)
    except (FacilityError, TokenFileError) as error:
        fail(f"{error}. Mend the file, or remove it and issue tokens anew.", Exit.NO)
    except OSError as error:
        fail(f"{settings.tokens_dir}: {error.strerror}. Name a folder that this user may write.", Exit.NO)
    issued = 0 if revoke else 1
    document = {
        "facility": facility,
        "token": token,
        "valid": earlier - ended + issued,
        "ended": ended,
        "dry_run": dry_run,
    }
    if output == "json":
        emit_json(document)
        return
    if token:
        click.echo(token)
    verb = "would be" if dry_run else "are"
    say(f"{facility}: {document['valid']} tokens {verb} valid, {ended} ended")


def _check_registered(settings: Settings, facility: str) -> None:
    """In the register's folder a token for a mistyped code would be nobody's; elsewhere there may be no register."""
    if settings.tokens is None and FacilityRegister(settings.facilities_dir).get(facility) is None:
        fail(
            f"{facility} is not in the facility register {settings.facilities_dir}. Check the code, or add it there;"
            " on a machine without the register name a folder for tokens in HEALTHBOOK_TOKENS.",
            Exit.NO,
        )
