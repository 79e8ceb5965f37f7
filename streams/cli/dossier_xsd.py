"""`healthbook dossier xsd`: writes the XML Schemas of all tables, or tells which of them are stale."""

from collections.abc import Iterator
from pathlib import Path

import click

from streams.cli.output import Exit, emit_rows, fail, output_option
from streams.domain.dossier.data import ROOT
from streams.domain.dossier.standard import standards
from streams.domain.dossier.xsd import generate

DEFAULT_FOLDER = Path(str(ROOT)) / "xsd"


@click.command("xsd")
@click.option("--check", is_flag=True, help="Writes nothing; fails when a committed schema is stale or left over.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default="the project's own",
    help="Where the schemas are.",
)
@output_option
def dossier_xsd(check: bool, folder: Path, output: str) -> None:
    """Generates the XML Schemas of the 16 tables, one folder for each standard."""
    wanted = {
        folder / standard.name / f"{kind}.xsd": text
        for standard in standards()
        for kind, text in generate(standard).items()
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    left_over = [path for path in _present(folder) if path not in wanted]
    if not check:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        for path in left_over:
            path.unlink()
    states = [*((path, "stale" if check else "written") for path in stale)]
    states += ((path, "left over" if check else "removed") for path in left_over)
    rows = [{"schema": str(path.relative_to(folder)), "state": state} for path, state in states]
    emit_rows(rows, ("schema", "state"), output)
    if check and rows:
        fail("schemas differ from schemas/dossier/tables; run `healthbook dossier xsd`", Exit.NO)


def _present(folder: Path) -> Iterator[Path]:
    return folder.glob("*/*.xsd")
