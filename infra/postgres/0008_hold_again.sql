-- A hold ends when the visit goes on, and may come again: each time is an event of its own.
alter table hold add column number integer not null default 1;
alter table hold add column ended_at timestamptz;
create index hold_waiting on hold (held_by, held_at) where ended_at is null;
