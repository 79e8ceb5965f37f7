"""The shape of a rule that relates values: an id of `rules.csv` and a pure function over the visit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from events.visit import Finding
from streams.domain.dossier.findings import RuleText, rule_texts
from streams.domain.dossier.visit import Visit

Check = Callable[[Visit], Iterable[Finding]]


@dataclass(frozen=True)
class Rule:
    """`check` yields findings whose code is `id`, or `id` + `W` for its doubtful half."""

    id: str
    check: Check
    halves: tuple[str, ...] = ()
    """Further ids that the same function judges: the doubtful half `id` + `W`."""
    lists: tuple[str, ...] = ()
    """Lists without which the rule is not judged (RULES §6)."""

    @property
    def ids(self) -> tuple[str, ...]:
        return self.id, *self.halves

    @property
    def text(self) -> RuleText:
        return rule_texts()[self.id]

    @cached_property
    def tables(self) -> frozenset[str]:
        """The tables whose rows it needs."""
        return frozenset(self.text.tables)

    def judge(self, visit: Visit) -> Iterable[Finding]:
        """Its findings; none when a table that it needs could not be read, or a list is not loaded."""
        if visit.unknown and not self.tables.isdisjoint(visit.unknown):
            return ()
        if self.lists and self.missing_lists(visit):
            return ()
        return self.check(visit)

    def missing_lists(self, visit: Visit) -> tuple[str, ...]:
        """Lists that it needs and nobody loaded."""
        return tuple(filter(visit.lacks, self.lists))
