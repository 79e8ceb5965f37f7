-- Outages that nobody told are found in the attempts of all dispatchers, not by a breaker (docs/decisions/0016).
alter table outage drop constraint outage_found_by_check;
update outage set found_by = 'attempts' where found_by = 'breaker';
alter table outage add constraint outage_found_by_check check (found_by in ('attempts', 'person'));

-- The clocks that ran while somebody was out (streams/adapters/outages.py): those that had not stopped before.
create index deadline_ran on deadline (coalesce(stopped_at, 'infinity'), started_at);

-- What no figure reads any more is found by when a revision was first heard of. That stays as it is when later steps
-- come, so that these are written beside the old row without a new entry in any index.
alter table flow_facts
    add column first_at timestamptz not null generated always as (least(
        closed, validated, rejected, signed, sign_held, forward_held, publish_held, accepted, refused, published,
        withheld, withdrawn, displayed, late_verdict, superseded, not_due
    )) stored,
    add column last_at timestamptz not null generated always as (greatest(
        closed_at, closed, validated, rejected, signed, sign_held, forward_held, publish_held, accepted, refused,
        published, withheld, withdrawn, displayed, late_verdict, superseded, not_due
    )) stored;
create index flow_facts_first on flow_facts (first_at);
