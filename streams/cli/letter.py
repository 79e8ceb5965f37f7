"""A dead letter as a row of a table: for `dlq list` and `visit show`."""

from typing import Any

from streams.domain.vietnam import local

COLUMNS = ("topic", "partition", "offset", "put aside (Vietnam)", "stage", "reason", "bytes", "done", "waits for")


def row(told: dict[str, Any]) -> dict[str, Any]:
    """What `Order.told` says of it, with what people read."""
    last = told["done"][-1] if told["done"] else None
    return told | {
        "put aside (Vietnam)": local(told["put_aside_at"]),
        "done": last
        and f"{last['act'].lower()}{'' if last['confirmed'] else ' (not confirmed)'} by {last['actor']} at"
        f" {local(last['at'])}: {last['reason']}",
        "waits for": told["waits_for"],
    }
