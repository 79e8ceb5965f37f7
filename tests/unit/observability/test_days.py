"""A quiet month pages nobody; on a bad day the right alerts fire, and no other page."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.embedded.prometheus import RULES
from tests.support.promtool import FIRING, not_silenced
from tests.support.simulated_days import MINUTES, Days


def promtool(days: Days, folder: Path, every: str, expected: dict[str, set[str]]) -> None:
    """Evaluates the rules `every` so often; `expected`: by PromQL, the names of the alerts that it must find."""
    names = [
        {
            "expr": f"group by (alertname) ({expr})",
            "eval_time": f"{days.minutes - 1}m",
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(found)],
        }
        for expr, found in expected.items()
    ]
    test: dict[str, Any] = {"interval": "1m", "input_series": days.input_series(), "promql_expr_test": names}
    file = folder / "days.yml"
    document = {"rule_files": [str(RULES / "*.yml")], "evaluation_interval": every, "tests": [test]}
    file.write_text(yaml.safe_dump(document, width=10**9), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def over(expr: str, days: Days, every: str = "1m") -> str:
    """What was ever so, looked at as often as the rules were."""
    return f"max_over_time(({expr})[{days.minutes}m:{every}])"


TICKETS = {
    "HealthbookMaintenance": "announced for the night of day 12",
    "HealthbookOutageOver": "after it",
    "HealthbookBacklogLingers": "one visit that the gateway answers at its sixth try, after three hours",
    "HealthbookFacilitySilent": "a hospital that sends nothing for an afternoon",
    "HealthbookVisitsHeld": "a visit that waits for a certificate",
    "HealthbookCertificateEndsIn30Days": "20 days are left for one at the beginning …",
    "HealthbookCertificateEndsIn7Days": "… and it is renewed three days before its end",
}
"""What a quiet month leaves for working hours, and why. Late visits are none of it: the allowance is not touched."""


def quiet_days(number: int) -> Days:
    """The first days of a quiet month."""
    days = Days(number, seed=611, holidays=frozenset({9, 10}))
    if number > 13:
        announced_maintenance(days, 12 * MINUTES + 22 * 60, 240)
    for day in (8, 15, 22):
        if day < number:
            days.deploy(day * MINUTES + 12 * 60 + 30)
    return days


def replay(days: Days, folder: Path, *, pages: set[str], tickets: set[str]) -> None:
    """Exactly these fire, pages if nothing silences them. Evaluated every five minutes: one would take five minutes."""
    any_ticket = f'count_over_time(ALERTS{{{FIRING}, severity="ticket"}}[{days.minutes}m])'
    expected = {over(not_silenced("page"), days, "5m"): pages, f"{any_ticket} > bool 0": tickets}
    promtool(days, folder, "5m", expected)


@pytest.mark.timeout(600)
def test_a_quiet_month_pages_nobody(tmp_path: Path) -> None:
    replay(quiet_days(30), tmp_path, pages=set(), tickets=set(TICKETS))


@pytest.mark.timeout(600)
def test_twenty_bad_minutes_in_quiet_days_are_found(tmp_path: Path) -> None:
    """The same days and the same question, so "nobody" above is an answer and not a question that nothing can fail."""
    days = quiet_days(4)
    stage_stands_still(days, "sign", 1 * MINUTES + 9 * 60, 20)
    start = 3 * MINUTES + 15 * 60
    days.during('up{job="healthbook",process="publish"}', start, start + 20, lambda _: 0)
    pages = {"HealthbookStageStopped", "HealthbookProcessDown"}
    tickets = {"HealthbookBacklogLingers", "HealthbookFacilitySilent", "HealthbookVisitsHeld"}
    # Four days are little to divide by: the first late visits are more than the allowance of so few.
    replay(days, tmp_path, pages=pages, tickets=tickets | {"HealthbookPromiseBurnsSlowly"})


def stage_stands_still(days: Days, stage: str, start: int, minutes: int) -> None:
    """What comes waits; it drains within five minutes afterwards."""
    end = start + minutes
    where = f'stage="{stage}",process="{stage}"'
    coming = {minute: days.closed[minute] for minute in range(start, end)}
    waiting = sum(coming.values())
    days.during(f"healthbook_backlog{{{where}}}", start, end, lambda minute: sum(days.closed[start : minute + 1]))
    days.during(f"healthbook_backlog{{{where}}}", end, end + 5, lambda minute: waiting * (end + 5 - minute) // 5)
    handled = next(series for series in days.series if series.startswith(f"healthbook_events_total{{{where}"))
    shift(days, handled, {minute: -number for minute, number in coming.items()})
    shift(days, handled, {end: waiting})


def test_a_day_of_deployments_and_a_hiccup_pages_nobody_minute_by_minute(tmp_path: Path) -> None:
    days = Days(1, seed=12)
    for hour in (9, 12, 16):
        days.deploy(hour * 60)
    promtool(days, tmp_path, "1m", {over(not_silenced("page"), days): set()})


def announced_maintenance(days: Days, start: int, minutes: int) -> None:
    """Nothing is sent meanwhile; visits closed before and in it are late, and are sent when it ends."""
    end = start + minutes
    days.during('healthbook_outage_open{subject="gateway",announced="true",process="forward"}', start, end, lambda _: 1)
    gateway_away(days, start, end)


def gateway_away(days: Days, start: int, end: int) -> None:
    """What waits for the gateway waits, its clocks run out, and it drains within ten minutes afterwards."""
    waiting = 0
    series = 'healthbook_backlog{stage="forward",process="forward"}'
    for minute in range(start, end):
        waiting += days.closed[minute]
        days.series[series][minute] = waiting
    days.during(series, end, end + 10, lambda minute: waiting * (end + 10 - minute) // 10)
    oldest = 'healthbook_backlog_oldest_seconds{stage="forward",process="forward"}'
    days.during(oldest, start, end + 10, lambda minute: 60.0 * (minute - start))
    due = range(start + 15, end + 10)
    where = 'clock="closed-to-receipt"'
    broken = {minute: days.closed[minute - 15] for minute in due}
    shift(days, f'healthbook_deadline_breaches_total{{{where},process="deadlines"}}', broken)
    kept = {minute: -days.closed[minute] for minute in range(start, end)}
    shift(days, f'healthbook_deadline_kept_total{{{where},process="deadlines"}}', kept)
    at_risk = f'healthbook_deadlines{{{where},process="deadlines",state="AT_RISK"}}'
    days.during(at_risk, start + 12, end + 10, lambda minute: float(sum(days.closed[minute - 15 : minute - 11])))
    sent = 'healthbook_gateway_requests_total{operation="send",result="ACCEPTED",process="forward"}'
    shift(days, sent, kept)
    shift(days, 'healthbook_events_total{stage="forward",process="forward",outcome="visit.accepted.v1"}', kept)


def shift(days: Days, series: str, more: dict[int, int]) -> None:
    """A counter that is raised at these minutes by so much more (or less)."""
    added = 0
    values = days.series[series]
    for minute in range(min(more), days.minutes):
        added += more.get(minute, 0)
        values[minute] = (values[minute] or 0) + added


@pytest.mark.timeout(600)
def test_on_a_bad_day_each_cause_is_told_and_what_it_explains_is_not(tmp_path: Path) -> None:
    """Gateway slow at 9, down from 11 to 14; a hospital silent, a certificate expired, VNeID not acknowledging."""
    days = Days(1, seed=7)
    away, back = 11 * 60, 14 * 60
    unknown = 'healthbook_gateway_requests_total{operation="send",result="UNKNOWN",process="forward"}'
    slow = range(9 * 60, 9 * 60 + 45)
    shift(days, unknown, {minute: days.closed[minute] for minute in slow})
    predicted = 'healthbook_deadline_predicted_breaches{clock="closed-to-receipt",process="deadlines"}'
    days.during(predicted, 9 * 60 + 5, 9 * 60 + 40, lambda _: 60)
    days.during(
        'healthbook_outage_open{subject="gateway",announced="false",process="forward"}', away + 3, back, lambda _: 1
    )
    days.during('healthbook_gateway_breaker_open{process="forward"}', away + 2, back, lambda _: 1)
    gateway_away(days, away, back)
    days.during('healthbook_facility_silent{facility="04999",process="flow"}', 8 * 60, 17 * 60, lambda _: 1)
    expires = 'healthbook_certificate_not_after_timestamp_seconds{facility="05999",process="sign"}'
    days.put(expires, lambda _: 10 * 3600.0)
    shown = 'healthbook_receipt_to_display_seconds_count{process="deadlines"}'
    shift(days, shown, {minute: -days.closed[minute] for minute in range(15 * 60, days.minutes)})
    causes = {
        "HealthbookBreachPredicted",
        "HealthbookOutage",
        "HealthbookCertificateEndsIn1Day",
        "HealthbookNothingShown",
    }
    explained = {
        "HealthbookGatewayBreakerOpen",
        "HealthbookPromiseBurnsFast",
        "HealthbookVisitsAtRisk",
    }
    tickets = {
        "HealthbookGatewayErrors",
        "HealthbookFacilitySilent",
        "HealthbookCertificateExpired",
        "HealthbookOutageOver",
        "HealthbookVisitsHeld",
        "HealthbookBacklogLingers",
        "HealthbookPromiseBurnsSlowly",
        "HealthbookVisitStaysAtRisk",
    }
    promtool(
        days,
        tmp_path,
        "1m",
        {
            over(not_silenced("page"), days): causes,
            over(f'ALERTS{{{FIRING}, severity="page"}}', days): causes | explained,
            over(f'ALERTS{{{FIRING}, severity="ticket"}}', days): tickets,
        },
    )
