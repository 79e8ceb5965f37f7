"""Every visit that can be ordered keeps every rule and its XSD, on every day of every standard."""

from hypothesis import given, settings

from events.xml import parse
from streams.domain.dossier import xsd
from streams.domain.dossier.sample import Trait
from streams.domain.dossier.sample.model import NEWBORNS
from streams.domain.dossier.standard import standard_on
from streams.domain.dossier.verdict import judge
from tests.unit.sample.orders import Order, files, orders

NOBODYS = {Trait.NO_CITIZEN_NUMBER, Trait.UNIDENTIFIED}


def cannot_be_mended(order: Order) -> set[str]:
    """Warnings that say what the order asked for: nobody knows the number, nobody paid yet."""
    numberless, newborn = bool(order.traits & NOBODYS), bool(order.traits & NEWBORNS)
    return {
        *(["REQ-013"] if numberless and not newborn else []),
        *(["NB-004"] if (numberless or newborn) and not order.insured else []),
        *(["REQ-015"] if Trait.UNPAID in order.traits else []),
    }


@settings(max_examples=600, deadline=None)
@given(orders())
def test_every_visit_keeps_every_rule_and_its_schema(order: Order) -> None:
    sample = order.sample()
    verdict = judge(files(sample), now=order.ended, facility=order.facility)
    assert {item.code for item in verdict.findings} == cannot_be_mended(order)
    assert not verdict.rejected
    standard = standard_on(order.ended.date())
    assert verdict.standard == standard.name
    for kind, content in sample.tables:
        xsd.compiled(standard, kind).assertValid(parse(content))
