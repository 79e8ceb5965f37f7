-- Visits that a stage before the gateway cannot move on: why, and the record that has to come again once it is mended.
create table hold (
    facility text        not null,
    ma_lk    text        not null,
    revision bigint      not null,
    held_by  text        not null,
    reason   text        not null,
    held_at  timestamptz not null,
    topic    text        not null,
    value    bytea       not null,
    primary key (facility, ma_lk, revision, held_by)
);
