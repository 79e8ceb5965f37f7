"""Settings that cannot be together are refused at the start, by name."""

import pytest

from streams.config import ConfigError, load


def test_a_visit_is_not_held_while_it_is_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decision 0015."""
    monkeypatch.setenv("HEALTHBOOK_RECEIPT_TARGET", "10800")
    monkeypatch.setenv("HEALTHBOOK_SEND_HORIZON", "10799")
    with pytest.raises(ConfigError, match=r"HEALTHBOOK_SEND_HORIZON .* HEALTHBOOK_RECEIPT_TARGET"):
        load()
    monkeypatch.setenv("HEALTHBOOK_SEND_HORIZON", "10800")
    assert load().send_horizon == load().receipt_target
