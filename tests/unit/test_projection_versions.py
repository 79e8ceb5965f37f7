"""Versions of an entry only rise, whatever order and however often their revisions arrive (HBR-12)."""

from hypothesis import given
from hypothesis import strategies as st

from events.health_book import HealthBookEntry
from streams.domain.projection_versions import Current, Outcome, after, outcome
from tests.support.health_book import dossier, entry_of

SHOWN = entry_of(dossier())
WITHHELD = entry_of(dossier({"MA_BENH_CHINH": "B20"}))

revisions = st.dictionaries(st.integers(1, 9), st.sampled_from([SHOWN, WITHHELD, None]), min_size=1)


def outcomes(arrivals: list[tuple[int, HealthBookEntry | None]]) -> list[tuple[int, Outcome]]:
    """What becomes of each arrival; a revision that was seen before is not asked about again."""
    current, seen, found = Current(), set[int](), []
    for revision, entry in arrivals:
        if revision not in seen:
            seen.add(revision)
            done = outcome(current, revision, entry)
            current = after(current, revision, done)
            found.append((revision, done))
    return found


ON_THE_BUS = (Outcome.PUBLISHED, Outcome.WITHHELD, Outcome.WITHDRAWN)


@given(visit=revisions, data=st.data())
def test_versions_rise_strictly_and_each_revision_is_decided_once(
    visit: dict[int, HealthBookEntry | None], data: st.DataObject
) -> None:
    arrivals = data.draw(st.lists(st.sampled_from(sorted(visit)), min_size=1, max_size=30))
    found = outcomes([(revision, visit[revision]) for revision in arrivals])
    versions = [revision for revision, done in found if done in ON_THE_BUS]
    assert versions == sorted(set(versions))
    assert sorted(revision for revision, _ in found) == sorted(set(arrivals))


@given(visit=revisions, data=st.data())
def test_what_stays_shown_does_not_depend_on_the_order(
    visit: dict[int, HealthBookEntry | None], data: st.DataObject
) -> None:
    arrivals = data.draw(st.permutations(sorted(visit)))
    found = [(revision, done) for revision, done in outcomes([(r, visit[r]) for r in arrivals]) if done in ON_THE_BUS]
    newest = max(visit)
    if visit[newest] is None:
        assert not found or found[-1][1] is Outcome.WITHDRAWN
    else:
        assert found[-1][0] == newest


def test_late_answer_for_an_old_revision_is_history() -> None:
    assert outcomes([(2, SHOWN), (1, SHOWN)]) == [(2, Outcome.PUBLISHED), (1, Outcome.HISTORY)]


def test_visit_without_identifier_is_not_due_and_an_older_revision_does_not_come_back() -> None:
    assert outcomes([(2, None), (1, SHOWN)]) == [(2, Outcome.NOT_DUE), (1, Outcome.HISTORY)]


def test_correction_without_identifier_takes_the_shown_version_away_once() -> None:
    found = outcomes([(1, SHOWN), (2, None), (3, None), (4, SHOWN)])
    assert [done for _, done in found] == [Outcome.PUBLISHED, Outcome.WITHDRAWN, Outcome.NOT_DUE, Outcome.PUBLISHED]


def test_withheld_visit_names_its_person_and_can_be_withdrawn() -> None:
    assert outcomes([(1, WITHHELD), (2, None)]) == [(1, Outcome.WITHHELD), (2, Outcome.WITHDRAWN)]
