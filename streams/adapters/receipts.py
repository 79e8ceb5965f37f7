"""What the ledger proves about an accepted revision (docs/receipts.md), and the key that seals it."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from streams.domain.signature import certificate_in

_ACCEPTED = """
select id, facility, ma_lk, revision, closed_at, added_at, standard, envelope, envelope_sha256, payload_sha256,
    certificate_serial
from submission
where facility = $1 and ma_lk = $2 and ($3::bigint is null or revision = $3) and exists (
    select from submission_attempt where submission = submission.id and result = 'ACCEPTED'
)
order by revision desc limit 1
"""
_ATTEMPTS = """
select number, started_at, endpoint, base64_bytes, envelope_sha256, certificate_serial, result, code, http_status,
    transaction_code, received_at, started_at + duration as answered_at
from submission_attempt where submission = $1 and number <= (
    select min(number) from submission_attempt where submission = $1 and result = 'ACCEPTED'
)
order by number
"""


class SealKeyError(ValueError):
    """The key of the seal cannot be used."""


async def accepted(
    pool: "asyncpg.Pool[asyncpg.Record]", facility: str, ma_lk: str, revision: int | None
) -> tuple[dict[str, Any], bytes] | None:
    """Facts and envelope of an accepted revision (None: the newest); None when there is none."""
    row = await pool.fetchrow(_ACCEPTED, facility, ma_lk, revision)
    if row is None:
        return None
    attempts = [_attempt(dict(attempt)) for attempt in await pool.fetch(_ATTEMPTS, row["id"])]
    certificate = certificate_in(row["envelope"])
    facts = {
        "facility": row["facility"],
        "ma_lk": row["ma_lk"],
        "revision": row["revision"],
        "standard": row["standard"],
        "closed_at": row["closed_at"].isoformat(),
        "signed_before": row["added_at"].isoformat(),
        "envelope_sha256": row["envelope_sha256"],
        "payload_sha256": row["payload_sha256"],
        "certificate": {
            "serial": row["certificate_serial"],
            "pem": certificate.public_bytes(Encoding.PEM).decode(),
            "not_before": certificate.not_valid_before_utc.isoformat(),
            "not_after": certificate.not_valid_after_utc.isoformat(),
        },
        "attempts": attempts,
        "transaction_code": attempts[-1]["transaction_code"],
        "received_at": attempts[-1]["received_at"],
    }
    return facts, row["envelope"]


def seal_key(path: Path) -> Ed25519PrivateKey:
    """The installation's key; made at the first time, readable by its owner only. Raises OSError, SealKeyError."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(new)
        try:
            os.link(draft, path)  # whoever is second takes the key of the first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    key: object = None
    with suppress(ValueError, TypeError):
        key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SealKeyError(f"{path}: expected an Ed25519 private key in PEM without a password")
    return key


def _attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    def when(name: str) -> str | None:
        return None if row[name] is None else row[name].isoformat()

    plain = ("number", "endpoint", "base64_bytes", "envelope_sha256", "certificate_serial", "result", "code")
    return {
        **{name: row[name] for name in (*plain, "http_status", "transaction_code")},
        "sent_at": when("started_at"),
        "answered_at": when("answered_at"),
        "received_at": when("received_at"),
    }
