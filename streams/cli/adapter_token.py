"""`healthbook adapter token`: who may hand visits over by HTTP, for which facility."""

import click

from streams.adapters.facilities import FacilityError, FacilityRegister
from streams.adapters.tokens import TokenFileError, Tokens
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, fail, output_option, say
from streams.config import Settings


@click.command("token")
@click.argument("facility")
@click.option(
    "--revoke", type=click.Choice(["earlier", "all"]), help="Ends tokens instead: all but the newest one, or all."
)
@click.option("--dry-run", is_flag=True, help="Says what would be done, and changes nothing.")
@output_option
def adapter_token(facility: str, revoke: str | None, dry_run: bool, output: str) -> None:
    """Issues a token for FACILITY (MA_CSKCB) and prints it, this once: only its hash is kept.

    Earlier tokens go on. To change without a gap: issue one, give it to the HIS, then --revoke earlier. A running
    `adapter http` knows within seconds. A token counts until it is revoked, also after its facility left the register.
    Exit 1: a token for a facility that is not in the register, or tokens that cannot be read.
    """
    settings = settings_or_fail()
    tokens = Tokens(settings.tokens_dir)
    token = None
    try:
        if revoke is None:
            _check_registered(settings, facility)
        valid = tokens.count(facility)
        ended = {None: 0, "earlier": max(0, valid - 1), "all": valid}[revoke]
        if revoke and not dry_run:
            tokens.revoke(facility, keep_newest=revoke == "earlier")
        elif not dry_run:
            token = tokens.issue(facility)
    except FacilityError as error:
        fail(f"{error}. Mend the file. Its tokens go on; --revoke ends them also now.", Exit.NO)
    except TokenFileError as error:
        fail(f"{error}.", Exit.NO)
    except OSError as error:
        fail(f"{settings.tokens_dir}: {error.strerror}. Name a folder that this user may write.", Exit.NO)
    left = valid - ended if revoke else valid + 1
    if output == "json":
        emit_json({"facility": facility, "token": token, "valid": left, "ended": ended, "dry_run": dry_run})
        return
    if token:
        click.echo(token)
    say(f"{facility}: {left} valid, {ended} ended{' (nothing was changed)' if dry_run else ''}")


def _check_registered(settings: Settings, facility: str) -> None:
    """In the register's folder a token for a mistyped code would be nobody's; elsewhere there may be no register."""
    if settings.tokens is None and FacilityRegister(settings.facilities_dir).get(facility) is None:
        fail(
            f"{facility} is not in the facility register {settings.facilities_dir}. Check the code, or add it there"
            " (of one that left, --revoke all ends the tokens); on a machine without the register name a folder for"
            " tokens in HEALTHBOOK_TOKENS.",
            Exit.NO,
        )
