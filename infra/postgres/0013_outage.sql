-- The ledger of outages: who was out, from when until when, and how that is known (docs/decisions/0016). Which visits
-- waited for one is not stored: it follows from the clocks (streams/adapters/outages.py).
create table outage (
    id        bigint      generated always as identity primary key,
    subject   text        not null check (subject in ('gateway', 'display', 'his', 'us')),
    facility  text,                                -- whose HIS
    announced boolean     not null default false,  -- a window told beforehand; of the gateway: nothing is sent meanwhile
    from_at   timestamptz not null,
    until_at  timestamptz,                         -- null: it lasts; equal to from_at: cancelled before it began
    found_by  text        not null check (found_by in ('breaker', 'person')),
    cause     text        not null check (cause <> ''),
    proof     jsonb       not null default '[]',   -- attempts that show it, counted (streams/domain/outage.py, Failures)
    check (until_at >= from_at),
    check (not announced or until_at is not null),
    check ((subject = 'his') = (facility is not null))
);

-- However many dispatchers find it, and whoever types it: one at a time.
create unique index outage_lasting on outage (subject, coalesce(facility, '')) where until_at is null;
create index outage_until on outage (subject, until_at);

-- A probe is the least tried visit of its facility: without this, each probe would sort the whole backlog of an outage.
create index submission_least_tried on submission (facility, attempts, due_at) where state in ('READY', 'WAITING');

-- What people did about it, and why.
create table outage_act (
    id       bigint      generated always as identity primary key,
    outage   bigint      not null references outage (id),
    act      text        not null check (act in ('OPENED', 'CLOSED')),
    actor    text        not null check (actor <> ''),
    reason   text        not null check (reason <> ''),
    acted_at timestamptz not null default now()
);
create index outage_act_outage on outage_act (outage);
