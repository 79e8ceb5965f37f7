"""For every rule that relates values: a sound dossier, and the one change that breaks just this rule.

A module for each of `rules/`. Used by `dossier new --defect CODE`, by `dossier rules` (which shows each one passing and
failing), and by the tests.
"""

from collections.abc import Mapping

from streams.domain.dossier.sample.rule_defects import (
    catalogues,
    category,
    codes,
    dates,
    forms,
    lines,
    money,
    papers,
    presence,
    reading,
)
from streams.domain.dossier.sample.rule_defects.ground import Ground, RuleDefect

RULE_DEFECTS: Mapping[str, RuleDefect] = {
    defect.code: defect
    for module in (catalogues, category, codes, dates, forms, lines, money, papers, presence, reading)
    for defect in module.DEFECTS
}
"""By the code of the rule."""

__all__ = ["RULE_DEFECTS", "Ground", "RuleDefect"]
