"""What docs/durability.md says about settings is in force in running parts; three brokers: test_three_brokers.py."""

from pathlib import Path

from events.his.spool import Spool
from streams.adapters import postgres, topic_admin
from tests.support.durability import brokers_are_as_promised, promised


async def test_one_broker_has_the_settings_of_the_page(kafka: str) -> None:
    await topic_admin.apply(kafka)
    await brokers_are_as_promised(kafka, "one")


async def test_postgresql_has_the_settings_of_the_page_on_our_connections(database_url: str) -> None:
    async with await postgres.connect(database_url) as pool:
        expected = promised("PostgreSQL", "value")
        assert {name: await pool.fetchval("select current_setting($1)", name) for name in expected} == expected


def test_the_spool_has_the_settings_of_the_page(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    try:
        expected = promised("Spool of the HIS", "value")
        found = {name: str(*spool._db.execute(f"PRAGMA {name}").fetchone()) for name in expected}
        assert found == expected
    finally:
        spool.close()
