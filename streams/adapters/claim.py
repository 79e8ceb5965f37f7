"""Which attempts are made next: one statement that chooses them, and writes them before anything is sent.

Its arguments are those of `PostgresAttempts.claim`.
"""

_WAITS = """\
        where waiting.facility = lane.facility and state in ('READY', 'WAITING')
            and next_attempt_at <= statement_timestamp()
            and not exists (
                select from submission as other
                where other.facility = waiting.facility and other.ma_lk = waiting.ma_lk
                    and other.state in ('SENDING', 'OVERTAKEN')
            )
"""

# A probe is the least tried visit: a few poisoned ones, which are the oldest, would else keep a lane closed for ever.
# `lane` walks from facility to facility through the index, so that a long backlog of one costs the others nothing.
CLAIM = f"""
with recursive lane as (
    (select facility from submission where state in ('READY', 'WAITING') order by facility limit 1)
    union all
    select (
        select facility from submission
        where state in ('READY', 'WAITING') and facility > lane.facility order by facility limit 1
    )
    from lane where lane.facility is not null
), busy as (
    select facility, count(*) as sends from submission where state in ('SENDING', 'OVERTAKEN') group by facility
), usual as (
    select candidate.id, due_at
    from lane left join busy using (facility) cross join lateral (
        select id, due_at from submission as waiting
{_WAITS}        order by due_at
        limit case when $8 then 0 else greatest(0, $2::bigint - coalesce(sends, 0)) end
        for update skip locked
    ) as candidate
    where lane.facility <> all($4::text[] || $5::text[])
    order by candidate.due_at limit $1
), probe as (
    select candidate.id, due_at
    from lane left join busy using (facility) cross join lateral (
        select id, due_at, attempts from submission as waiting
{_WAITS}        order by attempts, due_at
        limit greatest(0, 1 - coalesce(sends, 0))
        for update skip locked
    ) as candidate
    where lane.facility <> all($4::text[]) and ($8 or lane.facility = any($5::text[]))
    order by candidate.attempts, candidate.due_at limit $1
), due as (
    select id from (table usual union all table probe) as candidate
    order by due_at
    limit case when exists (
        select from outage where subject = 'gateway' and announced
            and from_at <= statement_timestamp() and until_at > statement_timestamp()
    ) then 0 else greatest(0, least($1::bigint, (
        select least(
            $6::bigint - count(*),
            $11::bigint - count(*) filter (where started_at > statement_timestamp() - $12::interval)
        )
        from submission_attempt where started_at > statement_timestamp() - $7::interval
    ))) end
), claimed as (
    update submission set
        state = 'SENDING', attempts = attempts + 1, lease_until = statement_timestamp() + $3::interval,
        changed_at = statement_timestamp()
    from due where submission.id = due.id
    returning submission.*, $8::bool or facility = any($5::text[]) as probe
), attempt as (
    insert into submission_attempt (
        submission, number, started_at, endpoint, base64_bytes, envelope_sha256, certificate_serial, probe
    )
    select id, attempts, statement_timestamp(), coalesce(service.endpoint, ''), (octet_length(envelope) + 2) / 3 * 4,
        envelope_sha256, certificate_serial, probe
    from claimed left join unnest($9::text[], $10::text[]) as service (standard, endpoint) using (standard)
)
select *, statement_timestamp() as started_at from claimed order by due_at
"""  # noqa: S608 - put together from constants
