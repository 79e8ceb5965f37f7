"""The tables of a spool: `entry` waits for the broker; `handed` remembers which bytes were which revision, also after
they were sent; `day` counts what was handed over of each day, whatever became of it.
"""

VERSION = 2
"""`user_version` of the file: one more for each change of the tables."""

_DAYS = """
CREATE TABLE identity (spool TEXT NOT NULL); -- one row: a spool made anew is another one
INSERT INTO identity VALUES (lower(hex(randomblob(8))));
CREATE TABLE day (
    facility TEXT NOT NULL,
    day TEXT NOT NULL,          -- of closing, in Vietnam
    closed INTEGER NOT NULL,    -- revisions that were handed over
    number INTEGER NOT NULL,    -- rises with each change of the count, or of what waits
    told INTEGER NOT NULL,      -- the number that the bus has
    PRIMARY KEY (facility, day)
) WITHOUT ROWID;
"""
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entry (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    facility TEXT NOT NULL,
    ma_lk TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest BLOB NOT NULL,
    closed_at INTEGER NOT NULL, -- Unix milliseconds
    bytes INTEGER NOT NULL,
    refused TEXT                -- why the broker will never take it
);
CREATE INDEX IF NOT EXISTS entry_of_visit ON entry (facility, ma_lk);
CREATE TABLE IF NOT EXISTS file (
    entry INTEGER NOT NULL,
    place INTEGER NOT NULL,
    kind TEXT,                  -- null: the envelope
    content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS file_of_entry ON file (entry, place);
CREATE TABLE IF NOT EXISTS handed (
    facility TEXT NOT NULL,
    ma_lk TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest BLOB NOT NULL,
    at INTEGER NOT NULL,        -- Unix seconds
    PRIMARY KEY (facility, ma_lk, revision, digest)
) WITHOUT ROWID;
{_DAYS}
PRAGMA user_version = {VERSION};
COMMIT;
"""
# Of the days before the upgrade only what still waits is known; it must not be missed because nothing else came.
_WAITING = """
INSERT INTO day
SELECT facility, date(closed_at / 1000, 'unixepoch', '+7 hours'), count(*), 1, 0 FROM entry GROUP BY 1, 2;
"""
UPGRADES = {1: f"BEGIN IMMEDIATE; {_DAYS} {_WAITING} PRAGMA user_version = 2; COMMIT;"}
"""By the version from which each leads to the next."""
