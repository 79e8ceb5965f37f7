"""Durable effects that have no crash point, and why."""

from collections.abc import Mapping

from tests.crashpoints.points import Site

_INSIDE = "Inside the transaction of its caller, which has a point"
_COMMAND = "An act of a person by a command, outside of the flow; the person sees whether it was done"
_FAUST = "A processor on Faust; killed in tests/e2e/test_crashes.py"
_REGISTER = "A register's files, written by commands; killed in tests/unit/test_facility_add.py, test_certificates.py"
_INBOX = "The folder adapter; killed at each step in tests/integration/test_his_folder.py"

EXEMPT: Mapping[str, str] = {
    "events.his.inbox:": _INBOX,
    "events.his.report:": _INBOX,
    "events.his.spool:Spool._again": _INSIDE,
    "events.his.spool:Spool._put": _INSIDE,
    "events.his.spool:Spool._remove": _INSIDE,
    "events.his.spool:Spool._shrink": "Gives unused disk back; changes no row",
    "events.his.spool:Spool._upgrade": "One transaction, of an older spool; the next start does it again",
    "events.his.spool:Spool.drop": "A person gives up an entry that the broker refused for ever",
    "events.his.tally:Tally.dropped": _INSIDE,
    "events.his.tally:Tally.handed": _INSIDE,
    "events.his.tally:Tally.moved": _INSIDE,
    "events.registry:": "Look-ups by POST: they change nothing",
    "streams.adapters.code_lists:": _COMMAND,
    "streams.adapters.day_counts:add_counts": _INSIDE,
    "streams.adapters.dead_letters:": _COMMAND,
    "streams.adapters.deadline_figures:": _FAUST,
    "streams.adapters.deadline_news:": _FAUST,
    "streams.adapters.deadlines:": _FAUST,
    "streams.adapters.files:": _REGISTER,
    "streams.adapters.flow:": _FAUST,
    "streams.adapters.held:": _COMMAND,
    "streams.adapters.identities:PostgresIdentities.reissue": _COMMAND,
    "streams.adapters.identities:PostgresIdentities.undo_reissue": _COMMAND,
    "streams.adapters.lateness:": "Only reads, for people",
    "streams.adapters.outbox:Outbox.put": _INSIDE,
    "streams.adapters.outbox:declare_shards": "There after the first start; done again it does nothing",
    "streams.adapters.outage_finder:": "One transaction; the next look finds the same in the attempts",
    "streams.adapters.outages:": _COMMAND,
    "streams.adapters.overview:": "Only reads, for people",
    "streams.adapters.postgres:migrate": _COMMAND,
    "streams.adapters.publications:_write": _INSIDE,
    "streams.adapters.receipts:": _COMMAND,
    "streams.adapters.relay:Relay._clean": "Deletes what nobody reads any more, each minute",
    "streams.adapters.revisions:_serials_of_others": _INSIDE,
    "streams.adapters.rhythms:": _FAUST,
    "streams.adapters.timeline:PostgresTimeline.visits": "A transaction that reads",
    "streams.adapters.verdicts:": _COMMAND,
    "streams.runtime.deadlines:": _FAUST,
    "streams.runtime.redrive:": _COMMAND,
    "streams.runtime.service:_announce": "Where a process listens; written anew at each start",
    "streams.runtime.system:": "The supervisor of this machine; holds nothing of a visit",
}
"""Durable effects without a crash point: a function, or a whole module (with `:` at its end), and why."""


def exempt(site: Site) -> bool:
    """Whether the function or its module is listed."""
    return site.place in EXEMPT or site.place.partition(":")[0] + ":" in EXEMPT
