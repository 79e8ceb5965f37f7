"""The checker finds every kind of defect, and none in a clean history: else its zeros would mean nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.faults.checker import Wrong, all_ended, check
from tests.faults.history import (
    ACCEPTED,
    CLOSED,
    DISPLAYED,
    ENTRY,
    HELD,
    REFUSED,
    REJECTED,
    SIGNED,
    VALIDATED,
    Closing,
    History,
    Page,
    Receipt,
    Record,
    Revision,
    Signature,
    Visit,
)
from tests.faults.story import witnesses

GOOD, BAD, NONE = Signature(True, True), Signature(True, False), Signature(False, False)
ONE, TWO, WRONG, OVERTAKEN = (Visit("01999", name) for name in ("ONE", "TWO", "WRONG", "OVERTAKEN"))


def record(topic: str, visit: Visit, number: int, offset: int) -> Record:
    revision = Revision(visit, number)
    bytes_of = f"bytes of {revision}" if topic in (SIGNED, ACCEPTED) else ""
    receipt = f"receipt of {revision}" if topic == ACCEPTED else ""
    return Record(topic, 0, offset, revision, f"{topic} {revision}", f"value {topic} {revision}", "", bytes_of, receipt)


def receipt(visit: Visit, number: int) -> Receipt:
    revision = Revision(visit, number)
    return Receipt(visit, f"receipt of {revision}", f"bytes of {revision}", GOOD, "2026-11-20T03:00:00+00:00")


def whole(visit: Visit, number: int, offset: int) -> list[Record]:
    """All that the topics tell of a revision that is shown."""
    topics = (CLOSED, VALIDATED, SIGNED, ACCEPTED, ENTRY, DISPLAYED)
    return [record(topic, visit, number, offset) for topic in topics]


CLEAN = History(
    closings=(
        Closing(Revision(ONE, 1), "displayed"),
        Closing(Revision(TWO, 1), "displayed"),
        Closing(Revision(TWO, 2), "displayed"),
        Closing(Revision(WRONG, 1), "rejected"),
        Closing(Revision(OVERTAKEN, 3), "displayed"),
        Closing(Revision(OVERTAKEN, 7), "displayed"),
        Closing(Revision(OVERTAKEN, 8), "rejected"),
    ),
    records=(
        *whole(ONE, 1, 0),
        *whole(TWO, 1, 1),
        *whole(TWO, 2, 2),
        record(CLOSED, WRONG, 1, 3),
        record(REJECTED, WRONG, 1, 3),
        *(record(topic, OVERTAKEN, 3, 4) for topic in (CLOSED, VALIDATED, SIGNED)),  # overtaken before it was sent
        *whole(OVERTAKEN, 7, 5),
        record(CLOSED, OVERTAKEN, 8, 6),
        record(REJECTED, OVERTAKEN, 8, 6),  # a correction that was rejected replaces nothing
        record(CLOSED, ONE, 1, 9),  # at least once: the same again
        record(SIGNED, ONE, 1, 9),
        replace(record(DISPLAYED, ONE, 1, 9), digest="shown again, at another moment"),
    ),
    receipts=(receipt(ONE, 1), receipt(ONE, 1), receipt(TWO, 1), receipt(TWO, 2), receipt(OVERTAKEN, 7)),
    pages=(Page(ONE, 1, 1), Page(TWO, 2, 2), Page(OVERTAKEN, 7, 7)),
)

Change = Callable[[History], History]


def without(*gone: tuple[str, Visit, int]) -> Change:
    def change(history: History) -> History:
        kept = [item for item in history.records if (item.topic, *item.revision) not in gone]
        return replace(history, records=tuple(kept))

    return change


def beside(*more: Record) -> Change:
    return lambda history: replace(history, records=(*history.records, *more))


def taken(*more: Receipt) -> Change:
    return lambda history: replace(history, receipts=(*history.receipts, *more))


def pages(*found: Page) -> Change:
    return lambda history: replace(history, pages=found)


def both(*changes: Change) -> Change:
    def change(history: History) -> History:
        for one in changes:
            history = one(history)
        return history

    return change


def signed_by(signature: Signature) -> Change:
    return lambda history: replace(
        history, receipts=(replace(history.receipts[0], signature=signature), *history.receipts[1:])
    )


DEFECTS: Sequence[tuple[str, Wrong, Visit, Change]] = (
    ("the spool forgot it", Wrong.LOST, ONE, without(*((topic, ONE, 1) for topic in (CLOSED, VALIDATED, SIGNED)))),
    ("validate skipped it", Wrong.LOST, TWO, without((VALIDATED, TWO, 1))),
    ("sign skipped it", Wrong.LOST, OVERTAKEN, without((SIGNED, OVERTAKEN, 3))),
    ("publish skipped it", Wrong.LOST, TWO, without((ENTRY, TWO, 2))),
    ("a rejection got lost", Wrong.LOST, WRONG, without((REJECTED, WRONG, 1))),
    ("validate stands still", Wrong.STUCK, OVERTAKEN, without((REJECTED, OVERTAKEN, 8))),
    ("no answer ever came", Wrong.STUCK, ONE, without((ACCEPTED, ONE, 1), (ENTRY, ONE, 1))),
    ("publish stands still", Wrong.STUCK, OVERTAKEN, without((ENTRY, OVERTAKEN, 7))),
    ("nobody sees it", Wrong.STUCK, TWO, pages(Page(ONE, 1, 1), Page(TWO, 2, 1), Page(OVERTAKEN, 7, 7))),
    ("an entry twice", Wrong.DUPLICATED, ONE, beside(record(ENTRY, ONE, 1, 20))),
    ("accepted twice", Wrong.DUPLICATED, ONE, beside(record(ACCEPTED, ONE, 1, 20))),
    (
        "an entry twice, with another id",
        Wrong.DUPLICATED,
        ONE,
        beside(replace(record(ENTRY, ONE, 1, 20), event_id="x")),
    ),
    (
        "sent again after the gateway had taken it",
        Wrong.DUPLICATED,
        ONE,
        taken(replace(receipt(ONE, 1), transaction="another", at="2026-11-20T03:01:00+00:00")),
    ),
    (
        "an older entry behind a newer",
        Wrong.REORDERED,
        TWO,
        both(without((ENTRY, TWO, 1)), beside(record(ENTRY, TWO, 1, 20))),
    ),
    (
        "an older revision became the gateway's",
        Wrong.REORDERED,
        TWO,
        taken(receipt(TWO, 1)),
    ),
    ("unsigned", Wrong.UNSIGNED, ONE, signed_by(NONE)),
    ("signed by nobody that is believed", Wrong.WRONGLY_SIGNED, ONE, signed_by(BAD)),
    ("signed again", Wrong.OTHER_BYTES, ONE, taken(Receipt(ONE, "another", "other bytes", GOOD))),
    ("validated with other bytes", Wrong.OTHER_BYTES, ONE, beside(replace(record(VALIDATED, ONE, 1, 20), digest="x"))),
    ("never closed, at the gateway", Wrong.PHANTOM, Visit("01999", "X"), taken(receipt(Visit("01999", "X"), 1))),
    (
        "never closed, in the book",
        Wrong.PHANTOM,
        Visit("01999", "X"),
        pages(*CLEAN.pages, Page(Visit("01999", "X"), 1, 1)),
    ),
    ("a revision never closed", Wrong.PHANTOM, ONE, beside(record(CLOSED, ONE, 5, 20))),
    ("accepted, says nobody at the gateway", Wrong.PHANTOM, ONE, lambda h: replace(h, receipts=h.receipts[2:])),
    ("an entry without the gateway's word", Wrong.PHANTOM, OVERTAKEN, without((ACCEPTED, OVERTAKEN, 7))),
    ("a sound dossier refused", Wrong.MISJUDGED, ONE, beside(record(REFUSED, ONE, 1, 20))),
    ("a sound dossier held", Wrong.MISJUDGED, ONE, beside(record(HELD, ONE, 1, 20))),
    (
        "a bad dossier signed",
        Wrong.MISJUDGED,
        WRONG,
        beside(record(VALIDATED, WRONG, 1, 20), record(SIGNED, WRONG, 1, 20)),
    ),
)


def test_a_clean_history_has_no_defects() -> None:
    assert check(CLEAN) == []
    assert all_ended(CLEAN)


@pytest.mark.parametrize(("what", "wrong", "visit", "change"), DEFECTS, ids=[what for what, *_ in DEFECTS])
def test_a_defect_is_found_at_the_visit_that_it_hurts(what: str, wrong: Wrong, visit: Visit, change: Change) -> None:
    found = check(change(CLEAN))
    assert (wrong, visit) in {(defect.wrong, defect.visit) for defect in found}, what
    assert {defect.visit for defect in found} == {visit}, "nobody else is accused"


def test_every_kind_of_defect_has_a_history_that_shows_it() -> None:
    assert {wrong for _, wrong, _, _ in DEFECTS} == set(Wrong)


def test_what_the_his_still_holds_is_not_lost_yet() -> None:
    gone = without(*((topic, ONE, 1) for topic in (CLOSED, VALIDATED, SIGNED, ACCEPTED, ENTRY, DISPLAYED)))
    history = replace(gone(CLEAN), finished=False, receipts=CLEAN.receipts[2:], pages=CLEAN.pages[1:])
    assert {(defect.wrong, defect.visit) for defect in check(history)} == {(Wrong.STUCK, ONE)}
    assert not all_ended(history)


def test_the_story_of_a_visit_has_every_witness() -> None:
    told = "\n".join(witnesses(CLEAN, TWO))
    for wanted in (
        "revision 2, to be displayed",
        "health-book.entry.v1 0/2",
        "receipt of 01999|TWO revision 1",
        "version 2",
    ):
        assert wanted in told
