-- The submission ledger: every signed revision until the gateway's last word about it, and every attempt to send it
-- (docs/architecture.md, forward). States and moves: streams/domain/submission.py.

create table submission (
    id                 bigint      generated always as identity primary key,
    facility           text        not null,
    ma_lk              text        not null,
    revision           bigint      not null,
    closed_at          timestamptz not null,
    standard           text        not null,
    visit_type         text        not null,
    insured            boolean     not null,
    person_key_kind    text        not null,
    envelope           bytea       not null,
    envelope_sha256    text        not null,
    payload_sha256     text        not null,
    certificate_serial text        not null,

    state              text        not null default 'READY' check (state in (
        'READY', 'SENDING', 'OVERTAKEN', 'WAITING', 'ACCEPTED', 'REFUSED', 'HELD', 'SUPERSEDED', 'NOT_DUE')),
    reason             text,                            -- why HELD or NOT_DUE
    due_at             timestamptz not null,            -- target of closed → receipt: who goes first
    give_up_at         timestamptz not null,            -- without a clear answer until then: HELD
    next_attempt_at    timestamptz not null default now(),
    attempts           integer     not null default 0,  -- number of the last attempt, and the fencing token
    holds              integer     not null default 0,
    lease_until        timestamptz,                     -- of the attempt in flight; past it the attempt is UNKNOWN
    added_at           timestamptz not null default now(),
    changed_at         timestamptz not null default now(),

    unique (facility, ma_lk, revision)
);

-- The envelope is base64 inside and never compresses well; stored apart, so that a change of state does not copy it.
alter table submission alter column envelope set storage external;

create index submission_due on submission (facility, due_at) where state in ('READY', 'WAITING');
create index submission_in_flight on submission (facility, lease_until) where state in ('SENDING', 'OVERTAKEN');
create index submission_held on submission (changed_at) where state = 'HELD';

-- Written before the request leaves; after a crash an attempt without a result is UNKNOWN, not "not sent".
-- Never a token, a password hash or the dossier. `message` may quote the gateway: it stays in this table.
create table submission_attempt (
    submission         bigint      not null references submission (id) on delete cascade,
    number             integer     not null,
    started_at         timestamptz not null,
    endpoint           text        not null,
    base64_bytes       bigint      not null,
    envelope_sha256    text        not null,
    certificate_serial text        not null,
    probe              boolean     not null,

    result             text,
    code               text,
    http_status        integer,
    message            text,
    transaction_code   text,
    received_at        timestamptz,
    duration           interval,
    late               boolean     not null default false,  -- answered after the lease was lost: history only

    primary key (submission, number)
);

-- The rate limit counts the attempts of the last second, over all dispatchers.
create index submission_attempt_started on submission_attempt (started_at);

-- What a person decided about a held revision, and why.
create table submission_decision (
    id         bigint      generated always as identity primary key,
    submission bigint      not null references submission (id) on delete cascade,
    act        text        not null check (act in ('RELEASED', 'ABANDONED')),
    actor      text        not null,
    reason     text        not null check (reason <> ''),
    decided_at timestamptz not null default now()
);

create index submission_decision_submission on submission_decision (submission);
