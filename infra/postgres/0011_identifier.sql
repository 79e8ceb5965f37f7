-- By which papers the persons of the accepted visits are known (HEALTHBOOK §4.2, §4.5): digests, see
-- streams/domain/identifiers.py. Only what the newest dossier of each visit says: who belongs together is found anew from
-- it every time it is asked, so that a dossier that was wrong and is corrected leaves no wrong merge behind.
create table identified_visit (
    facility    text   not null,
    ma_lk       text   not null,
    revision    bigint not null,
    visited_on  date   not null,
    primary key (facility, ma_lk)
);

create table visit_identifier (
    facility text not null,
    ma_lk    text not null,
    kind     text not null,
    digest   text not null,
    primary key (facility, ma_lk, kind, digest),
    foreign key (facility, ma_lk) references identified_visit on delete cascade
);

create index visit_identifier_digest on visit_identifier (kind, digest);

-- From that day on the number is another person's: a decision of an operator, taken back by `undone_at`.
create table identifier_reissue (
    id         bigint      generated always as identity primary key,
    kind       text        not null,
    digest     text        not null,
    from_day   date        not null,
    actor      text        not null,
    reason     text        not null check (reason <> ''),
    decided_at timestamptz not null default now(),
    undone_at  timestamptz
);

create unique index identifier_reissue_active on identifier_reissue (kind, digest, from_day) where undone_at is null;

-- `holder`: the how-manieth person who has this number, from 0.
create view identifier_of_visit as
select facility, ma_lk, visited_on, kind, digest, (
    select count(*) from identifier_reissue as again
    where again.kind = visit_identifier.kind and again.digest = visit_identifier.digest
        and again.from_day <= visited_on and undone_at is null
) as holder
from visit_identifier join identified_visit using (facility, ma_lk);
