"""The check-in: a notice that a patient has come, sent apart from the dossier; it never holds one back (RULES §7)."""

from collections.abc import Iterator
from datetime import datetime

from events.visit import Finding
from streams.domain.dossier.codelists import SHIPPED, Lists
from streams.domain.dossier.findings import Place, finding
from streams.domain.dossier.moments import VIETNAM, day_of
from streams.domain.dossier.reader import TableError, parse_table, read_rows
from streams.domain.dossier.rules import STEPS
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.rules.structure import check_structure
from streams.domain.dossier.rules.values import check_values
from streams.domain.dossier.standard import standard_on
from streams.domain.dossier.tables import catalogue_of
from streams.domain.dossier.visit import Visit

KIND = "CHECKIN"
EMERGENCY = "2"


def judge_checkin(content: bytes, *, now: datetime, lists: Lists = SHIPPED) -> tuple[Finding, ...]:
    """Everything that is wrong with a check-in file, for any bytes. `now` is aware."""
    local = now.astimezone(VIETNAM).replace(tzinfo=None)
    try:
        root = parse_table(content)
    except TableError as error:
        return (finding(error.text_id, Place(KIND), expected=error.name, line=error.line, name=error.name),)
    day = day_of(next((element.text or "" for element in root.iter("NGAY_VAO")), "")) or local.date()
    standard = standard_on(day)
    spec = catalogue_of(standard)[KIND]
    children = [str(child.tag) for child in root]
    if root.tag != spec.root or children != [spec.list_element, "CHUKYDONVI"]:
        expected = f"{spec.root}/{spec.list_element}, CHUKYDONVI"
        return (finding("ENV-015", Place(KIND), expected=expected, found="another structure"),)
    try:
        table = read_rows(root, spec, 1, standard)
    except TableError:
        expected = f"{spec.list_element}/{spec.row_element}"
        return (finding("ENV-015", Place(KIND), expected=expected, found="another structure"),)
    if not len(table):
        return (finding("ENV-015", Place(KIND), expected=spec.row_element, found="no row"),)
    found = () if table.proven else (*check_structure(table, standard), *check_values(table, ""))
    visit = Visit(standard, day, local, (table,), lists=lists)
    visit.discard(found)
    return (*found, *_related(visit))


def checkin_row(content: bytes) -> dict[str, str] | None:
    """The first row of a check-in file, to compare the dossier with (LNK-005); None when it cannot be read."""
    try:
        root = parse_table(content)
    except TableError:
        return None
    row = root.find("*/*")
    return None if row is None else {str(child.tag): child.text or "" for child in row}


def _related(visit: Visit) -> Iterator[Finding]:
    for step in (*(tuple(rule for rule in step if rule.tables & {KIND} and not rule.lists) for step in STEPS), RULES):
        found = [item for rule in step for item in rule.judge(visit)]
        visit.discard(found)
        yield from found


def no_emergency(visit: Visit) -> Iterator[Finding]:
    """CHK-001."""
    for line in visit.lines(KIND):
        if line["MA_DOITUONG_KCB"] == EMERGENCY:
            yield finding("CHK-001", line.at("MA_DOITUONG_KCB"), expected="no check-in", found=EMERGENCY)


def first_cost_on_the_ward(visit: Visit) -> Iterator[Finding]:
    """CHK-003: the check-in of an admitted patient tells the first cost in the ward, not one of before."""
    for line in visit.lines(KIND):
        admitted, ordered = line["NGAY_VAO_NOI_TRU"], line["NGAY_YL"]
        if admitted and ordered and ordered < admitted:
            yield finding("CHK-003", line.at("NGAY_YL"), expected="from NGAY_VAO_NOI_TRU", found="an earlier order")


RULES = (Rule("CHK-001", no_emergency), Rule("CHK-003", first_cost_on_the_ward))
