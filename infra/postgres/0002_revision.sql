-- Which bytes a revision of a visit stands for: the first that validate saw. Other bytes under the same revision are a
-- conflict and are rejected (docs/architecture.md, identity).

create table revision (
    facility       text        not null,
    ma_lk          text        not null,
    revision       bigint      not null,
    dossier_sha256 text        not null,
    seen_at        timestamptz not null default now(),
    primary key (facility, ma_lk, revision)
);
