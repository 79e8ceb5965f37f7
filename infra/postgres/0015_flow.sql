-- What the processor `flow` knows: when each revision was first told to have taken each step (streams/sla/flow.py), and
-- what is counted from it. The counts are moved in the same transaction as the facts: they are never more or less.
create table flow_facts (
    facility        text   not null,
    ma_lk           text   not null,
    revision        bigint not null,
    closed_at       timestamptz,            -- when the visit closed; the rest: when its record was written
    closed          timestamptz,
    validated       timestamptz,
    rejected        timestamptz,
    signed          timestamptz,
    sign_held       timestamptz,
    forward_held    timestamptz,
    publish_held    timestamptz,
    accepted        timestamptz,
    refused         timestamptz,
    published       timestamptz,
    withheld        timestamptz,
    withdrawn       timestamptz,
    displayed       timestamptz,
    late_verdict    timestamptz,
    superseded      timestamptz,
    not_due         timestamptz,
    primary key (facility, ma_lk, revision)
) with (fillfactor = 80); -- room for the later steps of a revision beside its first ones

create table flow_hour (
    facility  text        not null,
    step      text        not null,
    hour      timestamptz not null,
    revisions bigint      not null,
    primary key (facility, step, hour)
);
create index flow_hour_hour on flow_hour (hour);

-- Closed = sum of outcomes: by facility and Vietnam's day of closing.
create table completeness (
    facility  text   not null,
    day       date   not null,
    outcome   text   not null,
    revisions bigint not null,
    primary key (facility, day, outcome)
);
create index completeness_day on completeness (day);
create index day_count_day on day_count (day);

-- When each facility was heard first and last, and what is expected of it in each hour of the week (streams/sla/silence.py).
create table rhythm (
    facility   text        not null primary key,
    first_at   timestamptz not null,
    last_at    timestamptz not null,
    expected   real[],                      -- null: not known for long enough
    learned_at timestamptz
);
create index rhythm_learned on rhythm (learned_at nulls first);
