-- The story of every visit: one row for each event that the bus carried about it. Read model of `record`; can be built
-- again from the topics. `detail` holds codes and times, never anything of a person.

create table timeline (
    event_id    uuid        not null primary key,
    facility    text        not null,
    ma_lk       text        not null,
    revision    bigint      not null,
    type        text        not null,
    happened_at timestamptz not null,
    detail      jsonb       not null,
    recorded_at timestamptz not null default now()
);

create index timeline_visit on timeline (facility, ma_lk, revision, happened_at);
create index timeline_day on timeline (facility, happened_at);
