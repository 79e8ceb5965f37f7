-- Where the entry lies in its topic: told to the display side when the entry is offered to it again.
alter table deadline_facts add column entry_partition integer, add column entry_offset bigint;

-- `warned`: highest warning mark reached, in percent. `provisional`: counted from a sending whose answer was lost.
-- `offer_again`: the mark for which the entry is to be offered again, `offered`: that for which it was.
-- `announced`: deadline.changed.v1 has told this state, mark and start.
drop index deadline_unannounced;
alter table deadline
    add column warned      integer not null default 0,
    add column provisional boolean not null default false,
    add column offer_again integer not null default 0,
    add column offered     integer not null default 0,
    alter column announced type boolean using (announced is not distinct from state),
    alter column announced set default false,
    alter column announced set not null;
create index deadline_unannounced on deadline (clock) where not announced;

-- What had been told before there were marks had none in its event's id: a clock that moves later is not told again.
update deadline set warned = case when gone >= 0.9 then 90 when gone >= 0.75 then 75 when gone >= 0.5 then 50 else 0 end
from (
    select clock, facility, ma_lk, revision, extract(epoch from coalesce(stopped_at, due_at) - started_at)
        / nullif(extract(epoch from due_at - started_at), 0) as gone
    from deadline where stopped_at is not null or late
) as old
where (deadline.clock, deadline.facility, deadline.ma_lk, deadline.revision)
    = (old.clock, old.facility, old.ma_lk, old.revision);
create index deadline_unoffered on deadline (clock) where offer_again > offered;

-- The clocks of a visit are read and written together.
alter table deadline drop constraint deadline_pkey, add primary key (facility, ma_lk, revision, clock);

-- How many clocks there are, kept by whoever changes them: nothing counts a million of them again and again.
create table deadline_count (
    clock   text    not null,
    state   text    not null,
    running boolean not null,
    number  bigint  not null,
    primary key (clock, state, running)
);
insert into deadline_count
select clock, state, stopped_at is null, count(*) from deadline group by 1, 2, 3;

-- Visits about which something was written that no event tells: their clocks look again. Taken out when they have.
create table deadline_wake (
    id       bigint generated always as identity primary key,
    facility text   not null,
    ma_lk    text   not null
);

-- What the processor predicts from the backlog and the measured drain, one row for each clock (streams/sla/prediction.py).
create table deadline_prediction (
    clock      text             primary key,
    at         timestamptz      not null,
    running    bigint           not null,
    per_second double precision not null,
    breaches   bigint           not null,
    first_at   timestamptz
);
