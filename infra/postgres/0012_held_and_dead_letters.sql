-- What a person decided about a held revision, and why: one table for every stage that holds. Nothing wrote the old one.
drop table submission_decision;
create table decision (
    id         bigint      generated always as identity primary key,
    facility   text        not null,
    ma_lk      text        not null,
    revision   bigint      not null,
    held_by    text        not null,
    act        text        not null check (act in ('RELEASED', 'ABANDONED')),
    actor      text        not null check (actor <> ''),
    reason     text        not null check (reason <> ''),
    decided_at timestamptz not null default now()
);
create index decision_visit on decision (facility, ma_lk, revision);

-- A hold has the words of the ledger: READY is released, its record comes again; NOT_DUE is abandoned. ENDED: it went
-- on, or a newer revision did. `headers` are those of the kept record.
alter table hold add column state text not null default 'HELD' check (state in ('HELD', 'READY', 'NOT_DUE', 'ENDED'));
alter table hold add column changed_at timestamptz not null default now();
alter table hold add column headers jsonb not null default '[]';
update hold set changed_at = held_at;
update hold set state = 'ENDED', changed_at = ended_at where ended_at is not null;
drop index hold_waiting;
alter table hold drop column ended_at;
create index hold_waiting on hold (held_by, held_at) where state in ('HELD', 'READY');

-- What a person did about a dead letter, and why. The letter is known by the record that its reader got; `copy_offset`
-- is where that record lies again (same topic and partition), null until the broker is known to have it.
create table dead_letter_act (
    id          bigint      generated always as identity primary key,
    topic       text        not null,
    partition   integer     not null,
    position    bigint      not null,
    act         text        not null check (act in ('REDRIVEN', 'DISMISSED')),
    actor       text        not null check (actor <> ''),
    reason      text        not null check (reason <> ''),
    acted_at    timestamptz not null default now(),
    copy_offset bigint
);
create index dead_letter_act_record on dead_letter_act (topic, partition, position);
