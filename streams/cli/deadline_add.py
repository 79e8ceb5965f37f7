"""`healthbook deadline add`: what a clock promises from a day on."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from streams.adapters.clocks import FolderClocks, content_of
from streams.cli.config import settings_or_fail
from streams.cli.deadline import names, policy
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.config import PREFIX, Settings
from streams.domain.dossier.moments import VIETNAM
from streams.sla.clock import Clock
from streams.sla.clocks import CLOSED_TO_RECEIPT, read_added, versions

_DAY = click.DateTime(["%Y-%m-%d"])
_COMPARED = ("lasts", "calendar", "at_risk_at", "warn_at", "offer_again_at", "basis", "article")


class _Marks(click.ParamType):
    name = "percents"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            return tuple(int(mark) for mark in value.split(","))
        except ValueError:
            self.fail("expected are percents parted by commas: 50,75,90", param, ctx)


@click.command("add")
@click.argument("name", metavar="CLOCK")
@click.option("--duration", required=True, help="15min, 24h, or 2wd: working days.")
@click.option("--from", "valid_from", type=_DAY, required=True, help="First day in Vietnam on which it counts.")
@click.option("--legal-basis", required=True, help="Decision or rule that it comes from.")
@click.option("--article", required=True, help="Its article.")
@click.option("--warn-at", type=_Marks(), help="Percents of the time.  [default: as before]")
@click.option("--at-risk", type=int, help="Percent after which it is at risk.  [default: as before]")
@click.option("--offer-again-at", type=_Marks(), help="Percents after which an entry is offered again.")
@click.option("--dry-run", is_flag=True, help="Shows what would change and changes nothing.")
@output_option
def deadline_add(
    name: str,
    duration: str,
    valid_from: datetime,
    legal_basis: str,
    article: str,
    warn_at: tuple[int, ...] | None,
    at_risk: int | None,
    offer_again_at: tuple[int, ...] | None,
    dry_run: bool,
    output: str,
) -> None:
    """Adds a version of CLOCK that counts for what starts on a day or later, until the next version begins.

    The day is tomorrow at the earliest: no running clock changes, and every process knows it in time. Exit code 1 when
    it cannot be used, or such a version is there already; 2: there is no such clock.
    """
    settings = settings_or_fail()
    known, day = FolderClocks(settings), valid_from.date()
    others = versions(name, known())
    if not others:
        raise click.UsageError(f"there is no clock {name}; known are {', '.join(names(known()))}")
    _place_is_free(others, known.path(name, day), day)
    before = next((clock for clock in reversed(others) if (clock.valid_from or date.min) < day), None)
    if before is None:
        fail(f"{name} begins on {others[0].valid_from}; before it there is nothing to change", Exit.NO)
    marks = {
        "warn_at": before.warn_at if warn_at is None else warn_at,
        "at_risk": before.at_risk if at_risk is None else at_risk,
        "offer_again_at": before.offer_again_at if offer_again_at is None else offer_again_at,
    }
    content = content_of({"duration": duration, **marks, "legal_basis": legal_basis, "article": article})
    try:
        version = read_added(name, day, content, str(known.path(name, day)))
        _within_the_horizon(version, settings)
        if not dry_run:
            known.add(version, content)
    except FileExistsError:
        fail(_taken(name, day), Exit.NO)
    except OSError as error:
        fail(f"{error.filename}: cannot be written ({error.strerror}); who may is its folder's owner", Exit.NO)
    except ValueError as error:
        fail(str(error), Exit.NO)
    after = next((clock for clock in others if (clock.valid_from or date.min) > day), None)
    told = _told(version, before, after) | {"dry_run": dry_run}
    if output == "json":
        emit_json(told)
    else:
        until = f" until {after.valid_from}" if after else ""
        click.echo(f"{name} from {day}{until}: {version.source}")
        emit_rows(told["changes"], ("what", "before", "after"), output)
    say("nothing was changed" if dry_run else f"it counts for what starts on {day} or later; what runs keeps its clock")


def _place_is_free(others: list[Clock], path: Path, day: date) -> None:
    tomorrow = datetime.now(UTC).astimezone(VIETNAM).date() + timedelta(days=1)
    if day < tomorrow:
        fail(
            f"a version begins on {tomorrow} at the earliest, found is {day}: what was promised when a clock started is"
            " not changed behind it",
            Exit.NO,
        )
    if path.exists() or any(clock.valid_from == day for clock in others):
        fail(_taken(others[0].name, day), Exit.NO)


def _taken(name: str, day: date) -> str:
    return f"a version of {name} from {day} is there already: `healthbook deadline list --clock {name}` says where"


def _within_the_horizon(version: Clock, settings: Settings) -> None:
    """As for the setting of our own target: else visits would be held that are still in time."""
    lasts = version.duration if isinstance(version.duration, timedelta) else timedelta(days=version.duration)
    if version.name == CLOSED_TO_RECEIPT and lasts.total_seconds() > settings.send_horizon:
        raise ValueError(
            f"{PREFIX}SEND_HORIZON ({settings.send_horizon:g} s) is shorter than this duration: visits would be held"
            " that are still in time; raise it first"
        )


def _told(version: Clock, before: Clock, after: Clock | None) -> dict[str, Any]:
    old, new = policy(before), policy(version)
    ends = after and after.valid_from and after.valid_from.isoformat()
    return {
        "clock": version.name,
        "valid_from": new["valid_from"],
        "valid_until": ends,
        "changes": [
            {"what": what, "before": old[what], "after": new[what]} for what in _COMPARED if old[what] != new[what]
        ],
        "source": version.source,
    }
