"""The data files of the dossier standard (`schemas/dossier`), read once: the law is data, the code only applies it."""

import csv
import io
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

ROOT: Traversable = files("schemas").joinpath("dossier")


@cache
def read_csv(path: str) -> tuple[dict[str, str], ...]:
    """The rows of `schemas/dossier/<path>`; a caller must not change them (they are shared)."""
    text = ROOT.joinpath(*path.split("/")).read_text(encoding="utf-8")
    return tuple(csv.DictReader(io.StringIO(text)))


def in_force(row: dict[str, str], on: date) -> bool:
    """Whether `on` lies within valid_from..valid_to, both included; an empty bound is open (RULES §2)."""
    day = on.isoformat()
    return row["valid_from"] <= day and (not row["valid_to"] or day <= row["valid_to"])
