"""The shipped clocks are dated data: each has a basis, versions follow each other, settings overrule what they may."""

from datetime import UTC, date, datetime, timedelta

import pytest

from streams.sla import clocks
from streams.sla.moments import of_a_revision

T = datetime(2027, 1, 10, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

ROW = """
[[clock]]
name = "a"
subject = "revision"
starts_on = "closed"
stops_on = "received"
duration = "{duration}"
legal_basis = "-"
article = "-"
"""


def test_four_clocks_are_shipped_each_with_its_legal_basis() -> None:
    shipped = clocks.shipped()
    assert {clock.name: clock.duration for clock in shipped} == {
        "closed-to-receipt": 15 * MINUTE,
        "receipt-to-shown": 24 * 60 * MINUTE,
        "late-verdict-to-correction": 2,
        "difficulty-to-solved": 24 * 60 * MINUTE,
    }
    assert all(clock.legal_basis and clock.article and clock.warn_at == (50, 75, 90) for clock in shipped)


def test_every_moment_of_a_revision_is_known() -> None:
    for clock in clocks.shipped():
        assert of_a_revision(clock) == (clock.subject == "revision")


def test_the_rule_of_three_hours_counts_from_the_day_that_the_setting_names_in_vietnam() -> None:
    found = clocks.clocks(20 * MINUTE, receipt_rule_from=date(2027, 1, 10))
    midnight = datetime(2027, 1, 9, 17, 0, tzinfo=UTC)
    before, after = midnight - timedelta(seconds=1), midnight
    assert clocks.due(clocks.CLOSED_TO_RECEIPT, before, found) == before + 20 * MINUTE
    assert clocks.due(clocks.CLOSED_TO_RECEIPT, after, found) == after + 180 * MINUTE


def test_without_the_setting_there_is_only_our_own_target() -> None:
    assert [clock.duration for clock in clocks.versions(clocks.CLOSED_TO_RECEIPT, clocks.clocks())] == [15 * MINUTE]


def test_a_clock_does_not_count_for_what_started_before_its_law() -> None:
    with pytest.raises(LookupError):
        clocks.due(clocks.RECEIPT_TO_SHOWN, datetime(2024, 9, 16, 16, 59, tzinfo=UTC), clocks.shipped())
    clocks.due(clocks.RECEIPT_TO_SHOWN, datetime(2024, 9, 16, 17, 0, tzinfo=UTC), clocks.shipped())


@pytest.mark.parametrize("duration", ["", "15", "15 minutes", "-1h"])
def test_a_duration_that_cannot_be_read_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        clocks.read(ROW.format(duration=duration), {})


def test_two_versions_that_begin_on_one_day_are_refused() -> None:
    with pytest.raises(ValueError, match="begin on one day"):
        clocks.read(ROW.format(duration="1h") * 2, {})
