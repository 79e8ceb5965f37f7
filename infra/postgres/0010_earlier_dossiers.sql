-- What later dossiers are compared with (rules LNK-003 and X11-006): digests only, see streams/domain/dossier/history.py.
alter table revision add column patient_digest text;
alter table revision add column arrival_day text;
alter table revision add column rejected boolean; -- by every verdict so far: it is no revision before another

create table sick_leave_serial (
    number        bigint generated always as identity, -- who named it first
    facility      text   not null,
    serial_digest text   not null,
    ma_lk         text   not null,
    revision      bigint not null,                     -- the newest one of the visit that names it
    primary key (facility, serial_digest, ma_lk)
);
