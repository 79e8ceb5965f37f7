"""`healthbook standard list|show|diff|add`: standards and code lists with their dates."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from streams.adapters.code_lists import (
    FolderLists,
    ListError,
    Version,
    difference,
    known_names,
    parse_list,
    write_list,
)
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.domain.dossier import severities
from streams.domain.dossier.codelists import CodeList, shipped_names
from streams.domain.dossier.standard import Standard, standard_named, standards
from streams.domain.dossier.tables import FieldSpec, catalogue_of
from streams.sla import calendar

_DAY = click.DateTime(["%Y-%m-%d"])
_SHOWN = 20


def _lists() -> FolderLists:
    settings = settings_or_fail()
    return FolderLists(settings.lists_dir, settings.facilities_dir)


@click.command("list")
@output_option
def standard_list(output: str) -> None:
    """The standards and the days from which they count; then every loaded version of a code list."""
    rows: list[dict[str, Any]] = []
    known = standards()
    for standard, after in zip(known, [*known[1:], None], strict=True):
        rows.append(
            {
                "kind": "standard",
                "name": standard.name,
                "valid_from": standard.valid_from.isoformat() if standard.valid_from.year > 1 else "",
                "valid_to": _day_before(after),
                "facility": "",
                "about": f"{standard.decision}, {len(catalogue_of(standard))} tables",
            }
        )
    rows += [
        {"kind": "list", "name": name, "valid_from": "", "facility": "", "about": "shipped"}
        for name in sorted(shipped_names())
    ]
    rows += [_version(version) for version in _lists().versions()]
    emit_rows(rows, ("kind", "name", "valid_from", "valid_to", "facility", "about"), output)


def _version(version: Version) -> dict[str, Any]:
    try:
        found = parse_list(version.name, version.path.read_bytes())
        about = f"{len(found.codes)} codes, {found.source or 'no source given'}"
    except (ListError, OSError) as error:
        about = f"CANNOT BE USED: {error}"
    return {
        "kind": "list",
        "name": version.name,
        "valid_from": version.valid_from.isoformat(),
        "facility": version.facility or "",
        "about": about,
    }


def _day_before(after: Standard | None) -> str:
    return "" if after is None else (after.valid_from - timedelta(days=1)).isoformat()


@click.command("show")
@click.argument("name")
@click.option("--table", help="Only this table: XML1 … XML15, CHECKIN.")
@click.option("--on", type=_DAY, help="A list as it stands on this day.  [default: today]")
@click.option("--facility", help="With the lists of this facility.")
@output_option
def standard_show(name: str, table: str | None, on: datetime | None, facility: str | None, output: str) -> None:
    """The fields of standard NAME (130, 4750, 3176, 1931), or the codes of list NAME."""
    if name in {standard.name for standard in standards()}:
        rows = [
            {"table": kind, **_field(field)}
            for kind, spec in catalogue_of(standard_named(name)).items()
            if table in (None, kind)
            for field in spec.fields
        ]
        emit_rows(rows, ("table", "order", "name", "type", "max_length", "required", "meaning"), output)
        return
    if name not in known_names():
        raise click.UsageError(f"{name} is no standard and no list; `healthbook standard list` names them")
    lists = _lists()
    found = (lists.of(facility) if facility else lists).on(name, (on or datetime.now()).date())  # noqa: DTZ005
    if found is None:
        fail(f"list {name} is not loaded for that day: healthbook standard add {name} FILE --from DATE", Exit.NO)
    emit_rows(list(found.rows), tuple(found.rows[0]), output)


def _field(field: FieldSpec) -> dict[str, Any]:
    return {
        "order": field.order,
        "name": field.name,
        "type": field.type,
        "max_length": field.max_length,
        "required": field.required,
        "meaning": field.meaning,
    }


@click.command("diff")
@click.argument("before")
@click.argument("after")
@output_option
def standard_diff(before: str, after: str, output: str) -> None:
    """What standard AFTER changes in the tables of standard BEFORE: tables, fields, types, lengths, duties."""
    try:
        old, new = standard_named(before), standard_named(after)
    except KeyError as error:
        known = ", ".join(standard.name for standard in standards())
        raise click.UsageError(f"no standard {error.args[0]}; known are {known}") from None
    emit_rows(list(_changes(old, new)), ("table", "field", "change", "before", "after"), output)


def _changes(old: Standard, new: Standard) -> Iterator[dict[str, Any]]:
    tables = catalogue_of(old), catalogue_of(new)
    for kind in sorted({*tables[0], *tables[1]}, key=lambda kind: (len(kind), kind)):
        fields = [dict(table[kind].by_name) if kind in table else {} for table in tables]
        if not fields[0] or not fields[1]:
            change = "table added" if not fields[0] else "table removed"
            yield {"table": kind, "field": "", "change": change, "before": len(fields[0]), "after": len(fields[1])}
            continue
        for name in dict.fromkeys([*fields[0], *fields[1]]):
            yield from _field_changes(kind, name, fields[0].get(name), fields[1].get(name))


def _field_changes(kind: str, name: str, old: FieldSpec | None, new: FieldSpec | None) -> Iterator[dict[str, Any]]:
    if old is None or new is None:
        yield {"table": kind, "field": name, "change": "field added" if old is None else "field removed"}
        return
    for change, before, after in (
        ("type", old.type, new.type),
        ("max_length", old.max_length, new.max_length),
        ("warn_above", old.warn_above, new.warn_above),
        ("required", old.required, new.required),
    ):
        if before != after:
            yield {"table": kind, "field": name, "change": change, "before": before, "after": after}


@click.command("add")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "valid_from", type=_DAY, required=True, help="First day on which it counts.")
@click.option("--source", required=True, help="Decision or letter that it comes from.")
@click.option("--facility", help="Only for this facility, before the common one.")
@click.option("--dry-run", is_flag=True, help="Shows what would change and changes nothing.")
@output_option
def standard_add(
    name: str, file: Path, valid_from: datetime, source: str, facility: str | None, dry_run: bool, output: str
) -> None:
    """Loads FILE (CSV, UTF-8, first column `code`) as the version of list NAME that counts from a day on.

    What is in force until then stays. Exit code 1 when the file cannot be used, or such a version is there already.
    """
    lists, day, content = _lists(), valid_from.date(), file.read_bytes()
    try:
        path = lists.path(name, day, facility)
        new = parse_list(name, content)
        old = (lists.of(facility) if facility else lists).on(name, day)
    except ListError as error:
        fail(str(error), Exit.NO)
    wrong = list(_problems(new, facility))
    if wrong:
        fail("\n".join(wrong), Exit.NO)
    if path.exists():
        fail(f"a version of {name} from {day} is there already: {path}", Exit.NO)
    found = difference(old, new)
    document = {
        "list": name,
        "facility": facility,
        "valid_from": day.isoformat(),
        "source": source,
        "codes": len(new.codes),
        "added": found.added,
        "removed": found.removed,
        "changed": found.changed,
        "dry_run": dry_run,
    }
    if not dry_run:
        write_list(path, source, content)
    if output == "json":
        emit_json(document)
        return
    click.echo("\n".join(_difference(document)))
    say("nothing was changed" if dry_run else f"it counts from {day} on, for visits that end then or later")


def _problems(new: CodeList, facility: str | None) -> Iterator[str]:
    if new.name == severities.LIST:
        yield from severities.problems(new, facility)
    if new.name == calendar.LIST:
        yield from calendar.problems(new)


def _difference(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"{document['list']} from {document['valid_from']}: {document['codes']} codes"
    for what in ("added", "removed", "changed"):
        codes = document[what]
        more = f" … and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else ""
        yield f"  {what} {len(codes)}" + (f": {', '.join(codes[:_SHOWN])}{more}" if codes else "")
