-- Which version of each entry of the health book is on the bus. The row of a visit is the lock under which its next
-- version is decided, so that versions leave in rising order whatever consumers overlap.

create table publication (
    facility text    not null,
    ma_lk    text    not null,
    revision bigint,                        -- highest accepted one; null: none yet
    shown    boolean not null default false, -- an entry on the bus names a person
    primary key (facility, ma_lk)
);

-- What became of every accepted revision. NOT_DUE and WITHDRAWN have a reason.
create table publication_revision (
    facility    text        not null,
    ma_lk       text        not null,
    revision    bigint      not null,
    outcome     text        not null check (outcome in ('PUBLISHED', 'WITHHELD', 'WITHDRAWN', 'HISTORY', 'NOT_DUE')),
    reason      text,
    recorded_at timestamptz not null default now(),
    primary key (facility, ma_lk, revision)
);

create index publication_revision_outcome on publication_revision (outcome, facility) where outcome <> 'PUBLISHED';
