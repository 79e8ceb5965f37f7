"""A page of documentation that is written from the source, or told to be stale."""

from pathlib import Path

from streams.cli.output import Exit, fail, say


def write_or_check(file: Path, text: str, command: str, *, check: bool) -> None:
    """Writes `text`; with `check` writes nothing and ends with 1 when the page says something else."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        say(f"{file} is what the source says.")
    elif check:
        fail(f"{file} is not what the source says: run `{command}`.", Exit.NO)
    else:
        file.write_text(text, encoding="utf-8")
        say(f"{file} written.")
