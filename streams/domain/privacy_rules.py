"""The rules of the privacy filter: data (`schemas/dossier/withholding.csv`, and a facility's list in the same form).

    kind      what                        hit when
    table     XML6                        the table has a row
    field     XML15.NGAYKD_HIV=*          the field has this value, `*` any
    disease   B20;F02.4                   an ICD-10 code starts with one of these
    words     arv;tenofovir*;*hiv*        the whole words occur in a text that could be shown; `*` continues a word

    effect    what follows
    entry     nothing of the visit is shown
    main      the same when it is the main disease, else like item
    item      the item goes, and with it every text a person wrote about the visit: any of them could name it
    table     the table is left out, nothing else

No regular expressions: a list that a hospital writes must not be able to stop the flow.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal, cast

from streams.domain.dossier.data import in_force, read_csv

COLUMNS = ("id", "kind", "what", "effect", "valid_from", "valid_to", "legal_basis")
"""Of a list of rules."""

Kind = Literal["table", "field", "disease", "words"]
Effect = Literal["entry", "main", "item", "table"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the list. `what` is folded for diseases and words, as written for tables and fields."""

    id: str
    kind: Kind
    effect: Effect
    what: tuple[str, ...]

    def names(self, code: str) -> bool:
        """Whether an ICD-10 code, compacted, is one of this rule's diseases."""
        return self.kind == "disease" and code.startswith(self.what)

    def occurs_in(self, text: str) -> bool:
        """Whether one of this rule's words stands in a folded text."""
        return any(phrase in text for phrase in self.what)

    @property
    def table(self) -> str:
        """The table that a rule of kind table or field looks at."""
        return self.what[0]


def rules_on(day: date, rows: Iterable[dict[str, str]] = ()) -> tuple[Rule, ...]:
    """The national rules in force on the day, and then those of `rows`: a facility's own list.

    Raises ValueError for a row that cannot be used: a rule that is silently dropped would show what it should hide.
    """
    return _national(day) + tuple(_rule(row) for row in rows if in_force(row, day))


def fold(text: str) -> str:
    """Words in lower case without accents and punctuation, one blank around each: `"H.I.V, Đỏ"` is `" h i v do "`.

    Invisible characters vanish, so that they cannot hide a word.
    """
    plain = unicodedata.normalize("NFKD", text.lower().replace("đ", "d")).encode("ascii", "ignore").decode()
    return f" {' '.join(plain.translate(_PUNCTUATION).split())} "


def compact(code: str) -> str:
    """An ICD-10 code without dot and marks: `B20.1†` is `b201`."""
    return fold(code).replace(" ", "")


@lru_cache(maxsize=64)
def _national(day: date) -> tuple[Rule, ...]:
    return tuple(_rule(row) for row in read_csv("withholding.csv") if in_force(row, day))


_PUNCTUATION = {number: " " for number in range(128) if not chr(number).isalnum()}


def _rule(row: dict[str, str]) -> Rule:
    kind, effect, members = row["kind"], row["effect"], [part.strip() for part in row["what"].split(";")]
    if not all(members) or effect not in ("entry", "main", "item", "table"):
        raise ValueError(f"rule {row['id']}: an effect that is not known, or nothing to look for")
    if kind == "disease":
        what = [compact(member) for member in members]
    elif kind == "words":
        what = [_phrase(member) for member in members]
    elif kind == "table":
        what = members[:1]
    elif kind == "field":
        place, _, value = row["what"].partition("=")
        what = [*place.partition(".")[::2], value.strip()]
    else:
        raise ValueError(f"rule {row['id']}: a kind that is not known")
    if not all(part.strip() for part in what):
        raise ValueError(f"rule {row['id']}: nothing to look for")
    return Rule(row["id"], cast(Kind, kind), cast(Effect, effect), tuple(what))


def _phrase(member: str) -> str:
    words = fold(member.strip("*"))
    return words[member.startswith("*") : len(words) - member.endswith("*")]
