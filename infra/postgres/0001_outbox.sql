-- What happened, in the transaction in which it happened; the relay carries it to Kafka (docs/architecture.md, outbox).
-- A shard is one partition of one topic. `seq` has no gaps within a shard: it is the relay's only position.

create table outbox_shard (
    topic     text    not null,
    partition integer not null,
    last_seq  bigint  not null default 0,
    primary key (topic, partition)
);

-- Floor of the log: what the relay has seen committed, and the offset behind it. A log that ends before it has lost
-- records; one that starts behind it may have. In a table of its own, so that writers do not wait for the relay.
create table outbox_floor (
    topic       text    not null,
    partition   integer not null,
    seq         bigint  not null default 0,
    next_offset bigint  not null default 0,
    primary key (topic, partition)
);

create table outbox (
    topic      text        not null,
    partition  integer     not null,
    seq        bigint      not null,
    event_id   uuid        not null,
    key        text        not null,
    headers    jsonb       not null,
    value      bytea       not null,
    created_at timestamptz not null default now(),
    primary key (topic, partition, seq),
    unique (event_id)
);

-- Values are Avro of compressible text, but they live for minutes: writing them as they are costs less CPU.
alter table outbox alter column value set storage external;
