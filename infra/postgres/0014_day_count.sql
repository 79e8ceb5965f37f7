-- How many revisions each adapter was handed of a facility's day, and which of them it still had when it last told
-- (day.counted.v1): what `facility reconcile` compares with when the HIS gives no list. The highest number counts.
create table day_count (
    facility        text        not null,
    day             date        not null,
    spool           text        not null,
    number          bigint      not null,
    closed          bigint      not null,
    waiting         jsonb       not null, -- [{"ma_lk": …, "revision": …, "refused": …}, …]
    waiting_omitted bigint      not null,
    counted_at      timestamptz not null,
    primary key (facility, day, spool)
);
