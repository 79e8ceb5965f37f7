"""Every alert fires when it must and stays silent when it must, and leads to a page that says what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import streams.metrics
from streams.runtime.processes import PROCESSES
from tests.support.metric_families import families

REPOSITORY = Path(__file__).parents[3]
PROMETHEUS = REPOSITORY / "infra" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOK_PARTS = ("**Means.**", "**Look at.**", "**Do.**", "**Verify.**")
NOT_OURS = {"up", "process_start_time_seconds"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in load(path)["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_rules_and_configuration() -> None:
    promtool("check", "rules", *RULES)
    promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent(cases: Path) -> None:
    promtool("test", "rules", cases)


def test_every_alert_has_a_case_that_fires_and_one_that_stays_silent() -> None:
    fired, silent = set[str](), set[str]()
    for case in (case for path in CASES for test in load(path)["tests"] for case in test["alert_rule_test"]):
        (fired if case["exp_alerts"] else silent).add(case["alertname"])
    assert fired == ALERTS.keys()
    assert silent == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_and_leads_to_its_page(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    base, page, anchor = re.fullmatch(r"(.*)/([\w-]+\.md)#(\w+)", alert["annotations"]["runbook_url"]).groups()  # type: ignore[union-attr]
    assert (base, anchor) == ("{{ $externalLabels.runbooks }}", name.lower())
    text = (REPOSITORY / "docs" / "runbooks" / page).read_text(encoding="utf-8")
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert section, f"{page} has no section {name}"
    missing = [part for part in RUNBOOK_PARTS if part not in section[1]]
    assert not missing, f"{page}, {name}: {missing}"


def test_rules_ask_only_for_what_is_measured_or_recorded() -> None:
    known = families(streams.metrics).keys() | {rule["record"] for rule in rules() if "record" in rule} | NOT_OURS
    for rule in rules():
        asked = set(re.findall(r"\b(?:\w+:)?(?:healthbook|process)_\w+(?::\w+)?", rule["expr"]))
        asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
        assert asked <= known, f"{rule.get('alert', rule.get('record'))}: {asked - known}"


def test_a_process_that_was_never_started_is_missed() -> None:
    named = set(re.findall(r'process="(\w+)"', ALERTS["HealthbookProcessMissing"]["expr"]))
    assert named == set(PROCESSES)
