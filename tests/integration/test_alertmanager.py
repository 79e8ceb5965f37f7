"""A real Alertmanager under the configuration of production: whom alerts reach, what an open outage silences."""

import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from infra.embedded import alertmanager
from infra.embedded.alertmanager import CONFIGURATION
from tests.support.eventually import eventually


@dataclass
class Notified:
    """What reached the receivers: by receiver, the alerts with their labels."""

    url: str = ""
    alerts: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def told(self) -> set[tuple[str, ...]]:
        """Name, and whatever tells it from others of that name."""
        return {
            (labels["alertname"], *(value for name, value in sorted(labels.items()) if name in ("clock", "stage")))
            for _, labels in self.alerts
        }


@pytest.fixture
async def notified() -> AsyncIterator[Notified]:
    found = Notified()

    async def take(request: web.Request) -> web.Response:
        body = await request.json()
        found.alerts += [(request.match_info["receiver"], alert["labels"]) for alert in body["alerts"]]
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/{receiver}", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    found.url = f"http://{host}:{port}"
    yield found
    await runner.cleanup()


def with_receivers(notified: Notified, folder: Path) -> Path:
    """The configuration of production, its receivers ours, and no patience between alerts of a group."""
    configuration: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    configuration["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for receiver in configuration["receivers"]:
        receiver["webhook_configs"] = [{"url": f"{notified.url}/{receiver['name']}"}]
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return file


@pytest.fixture
async def url(notified: Notified, tmp_path: Path) -> AsyncIterator[str]:
    started = await alertmanager.start(tmp_path, with_receivers(notified, tmp_path))
    assert started is not None, (tmp_path / "log" / "alertmanager.log").read_text()
    child, address = started
    yield address
    await child.stop()


async def fire(url: str, *alerts: tuple[str, str, dict[str, str]]) -> None:
    body = [{"labels": {"alertname": name, "severity": severity, **labels}} for name, severity, labels in alerts]
    async with aiohttp.ClientSession() as http, http.post(f"{url}/api/v2/alerts", json=body) as answer:
        assert answer.status == 200, await answer.text()


def test_the_configuration_is_sound_and_severities_go_where_they_should() -> None:
    subprocess.run(["amtool", "check-config", CONFIGURATION], check=True, capture_output=True)
    for severity in ("page", "ticket"):
        command = ["amtool", "config", "routes", "test", f"--config.file={CONFIGURATION}", f"severity={severity}"]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        assert found.stdout.split() == [severity]


OUTAGES = [("HealthbookOutage", "page"), ("HealthbookMaintenance", "ticket")]


@pytest.mark.parametrize(("name", "severity"), OUTAGES)
async def test_an_outage_of_the_gateway_silences_what_it_explains_and_nothing_else(
    url: str, notified: Notified, name: str, severity: str
) -> None:
    explained = [
        ("HealthbookGatewayBreakerOpen", "page", {}),
        ("HealthbookGatewayErrors", "ticket", {}),
        ("HealthbookStageStopped", "page", {"stage": "forward"}),
        ("HealthbookPromiseBurnsFast", "page", {"clock": "closed-to-receipt"}),
        ("HealthbookBreachPredicted", "page", {"clock": "closed-to-receipt"}),
    ]
    others: list[tuple[str, str, dict[str, str]]] = [
        ("HealthbookBacklogOld", "page", {"stage": "sign"}),
        ("HealthbookPromiseBurnsFast", "page", {"clock": "receipt-to-shown"}),
        ("HealthbookProcessDown", "page", {"stage": "forward"}),
    ]
    await fire(url, (name, severity, {"subject": "gateway"}), *explained, *others)
    wanted = {(name,), *((other, *labels.values()) for other, _, labels in others)}
    await eventually(lambda: notified.told() >= wanted, timeout=30)
    # One that comes later goes through the same pipeline behind all of them: what was silenced would be here by now.
    await fire(url, ("HealthbookDiskFull", "page", {"folder": "last"}))
    await eventually(lambda: ("HealthbookDiskFull",) in notified.told(), timeout=30)
    assert notified.told() == {*wanted, ("HealthbookDiskFull",)}
    assert {receiver for receiver, labels in notified.alerts if labels["severity"] == "page"} == {"page"}
    assert {receiver for receiver, labels in notified.alerts if labels["severity"] != "page"} <= {"ticket"}


async def test_without_an_outage_the_same_alerts_arrive(url: str, notified: Notified) -> None:
    await fire(
        url,
        ("HealthbookGatewayBreakerOpen", "page", {}),
        ("HealthbookStageStopped", "page", {"stage": "forward"}),
        ("HealthbookPromiseBurnsFast", "page", {"clock": "closed-to-receipt"}),
    )
    wanted = {
        ("HealthbookGatewayBreakerOpen",),
        ("HealthbookStageStopped", "forward"),
        ("HealthbookPromiseBurnsFast", "closed-to-receipt"),
    }
    await eventually(lambda: notified.told() == wanted, timeout=30)


async def test_an_outage_of_the_display_side_silences_its_own_clock_only(url: str, notified: Notified) -> None:
    await fire(
        url,
        ("HealthbookOutage", "page", {"subject": "display"}),
        ("HealthbookNothingShown", "page", {"clock": "receipt-to-shown"}),
        ("HealthbookPromiseBurnsFast", "page", {"clock": "closed-to-receipt"}),
    )
    wanted = {("HealthbookOutage",), ("HealthbookPromiseBurnsFast", "closed-to-receipt")}
    await eventually(lambda: notified.told() == wanted, timeout=30)
    await fire(url, ("HealthbookDiskFull", "page", {"folder": "last"}))
    await eventually(lambda: ("HealthbookDiskFull",) in notified.told(), timeout=30)
    assert notified.told() == {*wanted, ("HealthbookDiskFull",)}
