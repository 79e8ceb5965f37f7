-- Facts about each revision, as the events tell them; they only grow, so that order and repetition do not matter.
create table deadline_facts (
    facility        text   not null,
    ma_lk           text   not null,
    revision        bigint not null,
    closed_at       timestamptz,
    received_at     timestamptz,
    displayed_at    timestamptz,
    stopped_by      text,
    not_due_because text,
    primary key (facility, ma_lk, revision)
);

-- The clocks computed from them (streams/sla/deadline.py). `announced`: the state that deadline.changed.v1 last told.
create table deadline (
    clock        text        not null,
    facility     text        not null,
    ma_lk        text        not null,
    revision     bigint      not null,
    started_at   timestamptz not null,
    due_at       timestamptz not null,
    state        text        not null,
    stopped_at   timestamptz,
    late         boolean     not null,
    reason       text,
    next_look_at timestamptz,
    announced    text,
    primary key (clock, facility, ma_lk, revision)
);

-- A clock comes up by itself when its time has come; nothing scans the running ones.
create index deadline_next_look on deadline (next_look_at) where next_look_at is not null;
create index deadline_open on deadline (clock, due_at) where stopped_at is null;
create index deadline_unannounced on deadline (clock) where announced is distinct from state;
