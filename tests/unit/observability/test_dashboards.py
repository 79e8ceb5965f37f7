"""Dashboards are what their code says, in the order and with the links that docs/observability.md promises.

Grafana itself does not run here: what can be proved is that its own library reads them, and that each query has data
(tests/e2e/test_observability.py).
"""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

import streams.metrics
from infra.grafana.__main__ import FOLDER, budgets, rendered
from infra.grafana.panels import ORDER
from streams.sla.clocks import shipped
from tests.support.dashboards import dashboards, queries
from tests.support.metric_families import families

REPOSITORY = Path(__file__).parents[3]


def test_the_committed_files_are_what_the_code_writes() -> None:
    assert {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")} == rendered()


@pytest.mark.parametrize("name", ORDER)
def test_grafanas_own_library_reads_a_dashboard_back_unchanged(name: str) -> None:
    found = dashboards()[name]
    again = Dashboard.from_json(json.loads(json.dumps(found)))
    assert json.loads(json.dumps(again, cls=JSONEncoder))["panels"] == found["panels"]
    assert found["uid"] == f"healthbook-{name}"


@pytest.mark.parametrize("name", ORDER)
def test_a_dashboard_leads_to_the_others_to_the_runbooks_and_to_the_search(name: str) -> None:
    urls = [link["url"] for link in dashboards()[name]["links"]]
    others = [f"/d/healthbook-{other}" for other in ORDER if other != name]
    assert urls == [*others, "${console}/docs/runbooks/README.md", "${console}/visits"]


def test_thresholds_are_the_objectives() -> None:
    shown = {panel["title"]: panel for panel in dashboards()["promise"]["panels"]}
    for clock, budget in budgets().items():
        steps = shown[f"{clock}: kept in the last day"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[-1]["value"] == 1 - budget
        steps = shown[f"{clock}: how long it takes"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
        durations = [known.duration for known in shipped() if known.name == clock]
        assert timedelta(seconds=steps[-1]["value"]) in durations


def test_queries_ask_only_for_what_is_measured_or_recorded() -> None:
    rules = [yaml.safe_load(path.read_text("utf-8")) for path in (REPOSITORY / "infra/prometheus/rules").glob("*.yml")]
    recorded = {
        rule["record"] for file in rules for group in file["groups"] for rule in group["rules"] if "record" in rule
    }
    known = families(streams.metrics).keys() | recorded
    for query in queries():
        asked = set(re.findall(r"\b(?:\w+:)?healthbook_\w+(?::\w+)?", query.expr))
        asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
        assert asked <= known, f"{query}: {asked - known}"


@pytest.mark.parametrize("metric", ["close_to_receipt", "receipt_to_display", "stage_duration"])
def test_a_panel_of_durations_shows_the_exemplars_of_its_buckets_once(metric: str) -> None:
    asked = [query for query in queries() if f"healthbook_{metric}_seconds_bucket" in query.expr]
    panels = [(query.dashboard, query.panel) for query in asked]
    assert asked
    assert sorted((query.dashboard, query.panel) for query in asked if query.exemplars) == sorted(set(panels))


def test_an_exemplar_leads_to_its_trace() -> None:
    provisioned = REPOSITORY / "infra" / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(provisioned.read_text("utf-8"))["datasources"]
    (link,) = source["jsonData"]["exemplarTraceIdDestinations"]
    assert (link["name"], link["url"]) == ("trace_id", "${HEALTHBOOK_TRACE_PAGES}$${__value.raw}")
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))
    assert compose["services"]["grafana"]["environment"]["HEALTHBOOK_TRACE_PAGES"]


def test_uids_and_refs_are_unique() -> None:
    uids = [found["uid"] for found in dashboards().values()]
    assert len(set(uids)) == len(uids) == len(ORDER)
