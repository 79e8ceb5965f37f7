"""`status --watch`: what a picture of the flow shows in a terminal."""

from datetime import UTC, datetime, timedelta

from rich.console import Console

from streams.adapters.overview import Promise, Waiting
from streams.cli.watch import Picture, drawn

NOW = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)


def text_of(picture: Picture) -> str:
    console = Console(width=130)
    with console.capture() as shown:
        console.print(drawn(picture))
    return shown.get()


def test_a_picture_tells_promise_backlog_and_the_deadline_that_is_nearest() -> None:
    late = {"facility": "01999", "ma_lk": "V1", "clock": "closed-to-receipt", "due_at": NOW, "late": True}
    text = text_of(
        Picture(
            NOW + timedelta(minutes=5),
            breaker_open=True,
            promises=[Promise("receipt-to-shown", {"MET": 17, "AT_RISK": 3})],
            waiting=[Waiting("forward", 42, NOW, 7.0), Waiting("shown", 0, None, 60.0)],
            nearest=[late],
        )
    )
    assert "2026-01-31 09:05:00 (Vietnam)   gateway breaker: OPEN" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "│ receipt-to-shown │ 17 │ 0 │ 3 │ 0 │" in lines
    assert "│ forward │ 42 │ 0:05:00 │ 7 │" in lines
    assert "│ 01999 │ V1 │ closed-to-receipt │ 01-31 09:00:00 │ -0:05:00 │" in lines


def test_what_is_away_or_ended_is_said_in_place_of_figures() -> None:
    text = text_of(Picture(NOW, ended=["sign"], trouble="database does not answer: OSError"))
    assert "gateway breaker: forward does not answer" in text
    assert "ended: sign" in text
    assert "database does not answer" in text
