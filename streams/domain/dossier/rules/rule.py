"""The shape of a rule that relates values: an id of `rules.csv` and a pure function over the visit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from events.visit import Finding
from streams.domain.dossier.findings import RuleText, rule_texts
from streams.domain.dossier.visit import Visit

Check = Callable[[Visit], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """`check` yields findings whose code is `id`, or `id` + `W` for its doubtful half."""

    id: str
    check: Check

    @property
    def text(self) -> RuleText:
        return rule_texts()[self.id]
