-- The gateway's error lists, line by line (GATEWAY §6.6): what it says later about dossiers that it took (then `verdict`
-- counts the events visit.late-verdict.v1 about that revision), and the details of its refusals. `message` may quote the
-- dossier: it stays in this table and in the event.
create table gateway_finding (
    facility         text        not null,
    ma_lk            text        not null,
    revision         bigint,                 -- null: no dossier of ours; the hospital sent it by another way
    verdict          integer,                -- null: no late verdict
    transaction_code text        not null,   -- empty: the list does not tell
    code             text        not null,
    table_name       text,
    row_number       integer,
    field_name       text,
    message          text        not null,
    told_at          timestamptz not null,
    imported_at      timestamptz not null default now()
);

-- The same line in another export is the same line.
create unique index gateway_finding_line on gateway_finding (
    facility, ma_lk, transaction_code, code, coalesce(table_name, ''), coalesce(row_number, 0), coalesce(field_name, ''),
    md5(message), told_at
);
create index gateway_finding_told on gateway_finding (facility, told_at);

alter table deadline_facts add column late_verdict_at timestamptz;
