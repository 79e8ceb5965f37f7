"""Whose visits belong together: linked by later dossiers, found by old numbers, and no merge that cannot be undone."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import date, timedelta

import asyncpg
import pytest
from click.testing import CliRunner

from streams.adapters.identities import PostgresIdentities
from streams.cli import main
from streams.domain.identifiers import identifier, identifiers_of
from tests.support.health_book import accepted

CITIZEN, RENEWED, CARD, PASSPORT = "099190000001", "099190000002", "DN4999900000001", "X0000001"
DAY = date(2026, 11, 2)


@pytest.fixture
async def identities(database_url: str) -> AsyncIterator[PostgresIdentities]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        yield PostgresIdentities(pool)


class Book:
    """Accepted visits, and whose they are."""

    def __init__(self, identities: PostgresIdentities) -> None:
        self.identities = identities

    async def visit(self, ma_lk: str, *, paper: str = "", card: str = "", revision: int = 1, after: int = 0) -> None:
        found = identifiers_of({"SO_CCCD": paper, "MA_THE_BHYT": card})
        await self.identities.add([(accepted(revision, ma_lk=ma_lk), DAY + timedelta(days=after), found)])

    async def of(self, number: str, after: int = 99) -> set[str]:
        linked = await self.identities.person(identifier(number), DAY + timedelta(days=after))
        return {ma_lk for _, ma_lk, _ in linked.visits}


@pytest.fixture
def book(identities: PostgresIdentities) -> Book:
    return Book(identities)


async def test_a_dossier_that_has_both_numbers_links_the_visits_of_either(book: Book) -> None:
    await book.visit("BY-CARD", card=CARD)
    await book.visit("BY-CITIZEN-NUMBER", paper=CITIZEN, after=2)
    assert await book.of(CITIZEN) == {"BY-CITIZEN-NUMBER"}
    await book.visit("BOTH", paper=CITIZEN, card=CARD, after=1)
    everything = {"BY-CARD", "BY-CITIZEN-NUMBER", "BOTH"}
    for number in (CITIZEN, CARD, CARD[-10:], CARD.lower(), f" {CITIZEN}\n"):
        assert await book.of(number) == everything, "by either number, however it is written"
    assert await book.of(PASSPORT) == set()


async def test_a_cancelled_number_still_finds_the_person(book: Book) -> None:
    await book.visit("OLD", paper=CITIZEN, card=CARD)
    await book.visit("NEW", paper=RENEWED, card=CARD, after=30)
    assert await book.of(CITIZEN) == await book.of(RENEWED) == {"OLD", "NEW"}
    linked = await book.identities.person(identifier(CITIZEN), DAY)
    month = DAY + timedelta(days=30)
    assert sorted(linked.numbers) == [("BHYT", DAY, month), ("CCCD", DAY, DAY), ("CCCD", month, month)]


async def test_a_wrong_merge_goes_away_with_the_dossier_that_made_it(book: Book) -> None:
    await book.visit("A", paper=CITIZEN)
    await book.visit("B", paper=RENEWED, card=CARD)
    await book.visit("WRONG", paper=CITIZEN, card=CARD)  # somebody took the wrong card
    assert await book.of(CITIZEN) == {"A", "B", "WRONG"}
    await book.visit("WRONG", paper=CITIZEN, revision=2)
    assert await book.of(CITIZEN) == {"A", "WRONG"}
    assert await book.of(CARD) == {"B"}
    await book.visit("WRONG", paper=CITIZEN, card=CARD)  # the older revision comes again
    assert await book.of(CITIZEN) == {"A", "WRONG"}


async def test_a_number_given_to_another_person_is_not_the_first_ones_and_the_decision_can_be_undone(
    book: Book,
) -> None:
    await book.visit("FIRST", card=CARD)
    await book.visit("SECOND", card=CARD, after=20)
    number, day = identifier(CARD), DAY + timedelta(days=10)
    assert await book.identities.reissue(number, day, "officer", "notice 1")
    assert not await book.identities.reissue(number, day, "officer", "notice 1")
    assert (await book.of(CARD, after=5), await book.of(CARD)) == ({"FIRST"}, {"SECOND"})
    assert await book.identities.undo_reissue(number, day)
    assert not await book.identities.undo_reissue(number, day)
    assert await book.of(CARD) == {"FIRST", "SECOND"}


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_and_repetition_end_in_the_same_persons(book: Book, seed: int) -> None:
    told = [
        ("A", CITIZEN, "", 1),
        ("A", CITIZEN, CARD, 2),
        ("B", "", CARD, 1),
        ("B", RENEWED, "", 2),
        ("C", "", CARD, 1),
    ]
    chance = random.Random(seed)
    again = [*told, *chance.choices(told, k=4)]
    chance.shuffle(again)
    for ma_lk, paper, card, revision in again:
        await book.visit(ma_lk, paper=paper, card=card, revision=revision)
    assert await book.of(CITIZEN) == {"A", "C"}
    assert await book.of(RENEWED) == {"B"}


async def test_the_officer_gives_the_number_on_standard_input_only(book: Book, database_url: str) -> None:
    await book.visit("V1", paper=CITIZEN)

    def run(given: str, *arguments: str) -> tuple[int, str, str]:
        command = ["person", *arguments]
        answer = CliRunner().invoke(main, command, input=given, env={"HEALTHBOOK_DATABASE_URL": database_url})
        return answer.exit_code, answer.stdout, answer.stderr

    code, told, _ = await asyncio.to_thread(run, f"{CITIZEN}\n", "show", "--output", "json")
    assert code == 0
    assert json.loads(told) == {
        "visits": [{"facility": "01999", "ma_lk": "V1", "day": str(DAY)}],
        "numbers": [{"number": "CCCD", "first seen": str(DAY), "last seen": str(DAY)}],
    }
    assert CITIZEN not in told
    code, _, said = await asyncio.to_thread(run, f"{RENEWED}\n", "show")
    assert (code, RENEWED in said) == (1, False)
    assert (await asyncio.to_thread(run, "", "show"))[0] == 2
    decide = ("reissue", "--from", "2026-11-01", "--reason", "notice 1")
    assert (await asyncio.to_thread(run, f"{CITIZEN}\n", *decide))[0] == 0
    assert (await asyncio.to_thread(run, f"{CITIZEN}\n", *decide))[0] == 1
    assert (await asyncio.to_thread(run, f"{CITIZEN}\n", *decide, "--undo"))[0] == 0
