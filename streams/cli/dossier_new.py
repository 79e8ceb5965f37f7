"""`healthbook dossier new`: invented dossiers in a folder, valid ones or with exactly one named defect."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.sample import (
    BY_NAME,
    BY_RULE,
    DEFECTS,
    Defect,
    Sample,
    Size,
    Trait,
    VisitKind,
    can_be,
    defective_dossier,
    new_dossier,
    padded,
)
from streams.domain.dossier.verdict import SIZE_LIMIT
from streams.simulators.dossier_files import SUFFIX, describe, manifest_entry, write_dossier

_FULL = "20mb"
_COLUMNS = ("path", "facility", "ma_lk", "kind", "insured", "defect", "expected")


class _SizeType(click.ParamType):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Rows, or the word for the largest dossier of all."""
        text = str(value).lower()
        if text == _FULL:
            return _FULL
        if text.upper() in Size.__members__:
            return int(Size[text.upper()])
        if text.isascii() and text.isdigit() and int(text) > 0:
            return int(text)
        return self.fail(f"{value} is none of tiny, standard, large, {_FULL} and no number of rows", param, ctx)


class _DefectType(click.ParamType):
    name = "defect"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Defect | str:
        if value == "list":
            return "list"
        if value not in DEFECTS:
            self.fail(f"there is no defect {value}; --defect list names them", param, ctx)
        return DEFECTS[value]


@click.command("new")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where the dossiers go.")
@click.option(
    "--as", "form", type=click.Choice(tuple(SUFFIX)), help="One folder, envelope or zip a dossier.  [default: folder]"
)
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same people and lines.")
@click.option("--facility", default="01999", show_default=True, help="MA_CSKCB, 5 characters.")
@click.option(
    "--kind", type=click.Choice([kind.value for kind in VisitKind]), help="Visit type.  [default: each in turn]"
)
@click.option("--insured/--not-insured", default=None, help="With or without BHYT.  [default: in turn]")
@click.option(
    "--size",
    type=_SizeType(),
    default="standard",
    show_default=True,
    help=f"tiny, standard (60 rows), large (2,000), {_FULL} (exactly what the gateway takes) or a number of rows.",
)
@click.option(
    "--trait",
    "traits",
    multiple=True,
    type=click.Choice([trait.value for trait in Trait]),
    help="Something special; may be repeated.",
)
@click.option("--discharged", type=click.DateTime(), help="When the visits end, Vietnamese time.  [default: now]")
@click.option("--defect", type=_DefectType(), help="Exactly one thing wrong: name or code; `list` prints all.")
@click.option("--dry-run", is_flag=True, help="Says what would be written and writes nothing.")
@output_option
def dossier_new(
    out: Path | None,
    form: str | None,
    count: int,
    seed: int,
    facility: str,
    kind: str | None,
    insured: bool | None,
    size: int | str,
    traits: tuple[str, ...],
    discharged: datetime | None,
    defect: Defect | str | None,
    dry_run: bool,
    output: str,
) -> None:
    """Makes invented dossiers."""
    if isinstance(defect, str):
        _list_defects(output)
        return
    if out is None:
        raise click.UsageError("--out says where the dossiers go")
    if len(facility) != 5:
        raise click.UsageError("a facility code has 5 characters")
    chosen = _form(form, defect)
    ended = discharged.replace(tzinfo=VIETNAM) if discharged else datetime.now(UTC)
    entries: list[dict[str, Any]] = []
    try:
        for sample in _samples(
            count, seed, facility, kind, insured, size, frozenset(map(Trait, traits)), ended, defect
        ):
            name = f"{sample.ma_lk}{SUFFIX[chosen]}"
            if not dry_run:
                write_dossier(out / name, sample, chosen)
            entries.append(manifest_entry(name, sample))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except FileExistsError as error:
        fail(f"{error.filename} is there already; choose another --out or --seed", Exit.NO)
    if not dry_run:
        describe(out, entries)
        say(f"{len(entries)} dossiers in {out}; all people are invented")
    emit_rows(entries, _COLUMNS, output)


def _list_defects(output: str) -> None:
    rows = [
        {"defect": defect.name, "code": defect.code, "what": defect.what, "needs_envelope": defect.needs_envelope}
        for defect in (*BY_NAME.values(), *BY_RULE.values())
    ]
    if output == "json":
        emit_json(rows)
    else:
        emit_rows(rows, ("defect", "code", "what"), output)


def _form(form: str | None, defect: Defect | None) -> str:
    """A defect of the envelope needs one; asking for a folder then is a contradiction, not something to overlook."""
    needs_envelope = defect is not None and defect.needs_envelope
    if needs_envelope and form not in (None, "envelope"):
        raise click.UsageError(f"defect {defect.name if defect else ''} exists only in an envelope: --as envelope")
    return form or ("envelope" if needs_envelope else "folder")


def _samples(
    count: int,
    seed: int,
    facility: str,
    kind: str | None,
    insured: bool | None,
    size: int | str,
    traits: frozenset[Trait],
    ended: datetime,
    defect: Defect | None,
) -> Iterator[Sample]:
    rows = Size.STANDARD if isinstance(size, str) else size
    turns = _turns(kind, insured, traits, ended)
    for number in range(count):
        one = seed * 1_000_000 + number  # so that neighbouring seeds share no dossier
        if defect is not None:
            wanted = VisitKind(kind) if kind else None
            yield defective_dossier(
                defect, one, facility=facility, discharged_at=ended, kind=wanted, insured=insured, size=rows
            )
            continue
        sample = new_dossier(
            one,
            facility=facility,
            kind=turns[number % len(turns)][0],
            insured=turns[number % len(turns)][1],
            discharged_at=ended,
            size=rows,
            traits=traits,
        )
        yield padded(sample, SIZE_LIMIT) if isinstance(size, str) else sample


def _turns(
    kind: str | None, insured: bool | None, traits: frozenset[Trait], ended: datetime
) -> list[tuple[VisitKind, bool]]:
    """Visit type and insurance of each dossier in turn: as ordered, else whatever goes with the traits and the day."""
    day = ended.astimezone(VIETNAM).date()
    ordered = [
        (one, card)
        for card in (True, False)
        for one in VisitKind
        if kind in (None, one.value) and insured in (None, card)
    ]
    return [(one, card) for one, card in ordered if can_be(one, card, traits, day)] or ordered[:1]
