"""The SDK without a bus: what is durable when, what is refused before anything is taken."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.his import Adapter, DossierError, SpoolError
from events.his.addresses import find_addresses
from tests.support.his import dossier

NOWHERE = ("127.0.0.1:1", "http://127.0.0.1:1")


async def test_a_bus_that_is_away_does_not_keep_a_visit_from_being_handed_over(tmp_path: Path) -> None:
    async with Adapter("01999", tmp_path, *NOWHERE) as his:
        receipt = await his.close_visit(dossier("V1"))
        assert await his.state(receipt) == "WAITING"
        again = await his.close_visit(dossier("V1"))
        assert again == type(receipt)(receipt.event_id, receipt.revision, "V1", repeated=True)
    async with Adapter("01999", tmp_path, *NOWHERE) as his:
        assert (await his.close_visit(dossier("V1"))).event_id == receipt.event_id


async def test_calls_at_once_are_all_taken_each_with_its_own_receipt(tmp_path: Path) -> None:
    async with Adapter("01999", tmp_path, *NOWHERE) as his:
        receipts = await asyncio.gather(*(his.close_visit(dossier(f"V{number}")) for number in range(300)))
    assert len({receipt.event_id for receipt in receipts}) == 300
    assert [receipt.ma_lk for receipt in receipts] == [f"V{number}" for number in range(300)]


async def test_one_that_cannot_be_read_does_not_touch_the_others(tmp_path: Path) -> None:
    async with Adapter("01999", tmp_path, *NOWHERE) as his:
        good, bad = await asyncio.gather(
            his.close_visit(dossier("V1")), his.close_visit({"XML1": b"no xml"}), return_exceptions=True
        )
        assert not isinstance(good, BaseException)
        assert isinstance(bad, DossierError)


async def test_wrong_arguments_have_codes(tmp_path: Path) -> None:
    for facility in ("", "0199", "019999", "01 99", "01|99", "0199Đ"):
        with pytest.raises(DossierError, match="FACILITY_CODE"):
            Adapter(facility, tmp_path)
    async with Adapter("01999", tmp_path, *NOWHERE) as his:
        for revision in (0, -1, 2**63):
            with pytest.raises(DossierError, match="REVISION"):
                await his.close_visit(dossier("V1"), revision=revision)
        with pytest.raises(DossierError, match="CLOSED_AT"):
            await his.close_visit(dossier("V1"), closed_at=datetime(2026, 11, 24))  # noqa: DTZ001 - just that
        for moment in (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)):  # "no date" of many a HIS
            with pytest.raises(DossierError, match="CLOSED_AT"):
                await his.close_visit(dossier("V1"), closed_at=moment)
        with pytest.raises(DossierError, match="DOSSIER_NOT_FOUND"):
            await his.close_visit(tmp_path / "nothing")


async def test_two_adapters_on_one_spool_are_refused(tmp_path: Path) -> None:
    async with Adapter("01999", tmp_path, *NOWHERE):
        with pytest.raises(SpoolError, match="SPOOL_IN_USE"):
            async with Adapter("01999", tmp_path, *NOWHERE):
                pass


def test_addresses_are_those_given_then_of_the_environment_then_of_the_running_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTHBOOK_HOME", str(tmp_path))
    monkeypatch.delenv("HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("HEALTHBOOK_SCHEMA_REGISTRY_URL", raising=False)
    assert find_addresses(None, None).kafka == ""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "addresses.json").write_text('{"kafka": "k:1", "schema_registry": "http://r"}')
    assert (find_addresses(None, None).kafka, find_addresses(None, None).schema_registry) == ("k:1", "http://r")
    monkeypatch.setenv("HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS", "e:1")
    assert find_addresses("", "").kafka == "e:1"
    assert find_addresses("g:1", None).kafka == "g:1"
