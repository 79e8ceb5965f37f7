"""What the gateway holds: receipts, versions of each visit, error items (GATEWAY §6.3, §6.5, §6.6).

The last received version of (MA_CSKCB, MA_LK) is the current one. Only keys and hashes are kept, no content. A journal
makes it durable; without one, state is in memory.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streams.simulators.gateway.answers import Finding
from streams.simulators.gateway.clock import VIETNAM, fourteen_digits
from streams.simulators.gateway.journal import Journal, JournalError, Record
from streams.simulators.gateway.judge import Verdict

VisitKey = tuple[str, str]
"""(MA_CSKCB, MA_LK)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One accepted call. `sender` is the account; `visits` has one MA_LK unless batches are allowed."""

    transaction: str
    operation: str
    facility: str
    visits: tuple[str, ...]
    received: str  # ISO 8601, UTC
    sha256: str
    payload_sha256: str
    size: int
    sender: str
    certificate_serial: str | None

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.received)


@dataclass(frozen=True, slots=True)
class ErrorItem:
    """A finding that the portal shows from `visible` on; `transaction` is empty when the sending was refused."""

    facility: str
    visit: str
    transaction: str
    visible: str  # ISO 8601, UTC
    finding: Finding

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.visible)


class Store:
    """State of one gateway."""

    def __init__(self, seed: int, journal: Journal | None = None, keep: Path | None = None) -> None:
        """Raises JournalError when the journal cannot be read."""
        self._dice = random.Random(f"{seed}/maGiaoDich")  # noqa: S311 - repeatable on purpose, protects nothing
        self._journal = None
        self._keep = keep
        self._receipts: dict[str, Receipt] = {}
        self._versions: dict[VisitKey, list[Receipt]] = {}
        self._errors: list[ErrorItem] = []
        for number, record in enumerate(journal.replay() if journal else (), start=1):
            self._apply_record(record, number)
        self._journal = journal

    def accept(self, verdict: Verdict, operation: str, sender: str, data: bytes, now: datetime) -> Receipt:
        """A new version of each visit in it, and a new transaction, whether or not the same bytes came before."""
        serial = verdict.certificate_serial
        receipt = Receipt(
            transaction=self._transaction(verdict.facility, now),
            operation=operation,
            facility=verdict.facility,
            visits=tuple(visit.visit or "" for visit in verdict.visits),
            received=now.isoformat(),
            sha256=verdict.sha256,
            payload_sha256=verdict.payload_sha256,
            size=len(data),
            sender=sender,
            certificate_serial=None if serial is None else f"{serial:x}",
        )
        if self._keep:
            self._keep.mkdir(parents=True, exist_ok=True)
            self._bytes_path(receipt.transaction).write_bytes(data)
        self._apply(receipt)
        return receipt

    def report(self, item: ErrorItem) -> None:
        self._apply(item)

    async def durable(self) -> None:
        """Returns when all that was accepted and reported so far would survive kill -9. Raises OSError."""
        if self._journal:
            await self._journal.flush()

    def replaces(self, facility: str, visit: str) -> bool:
        return (facility, visit) in self._versions

    def receipt(self, transaction: str) -> Receipt | None:
        return self._receipts.get(transaction)

    def kept_bytes(self, transaction: str) -> bytes | None:
        """The bytes as received, when they are kept and the transaction is known."""
        if self._keep is None or transaction not in self._receipts:
            return None
        path = self._bytes_path(transaction)
        return path.read_bytes() if path.exists() else None

    def versions(self, facility: str | None = None, visit: str | None = None) -> Iterator[tuple[str, Receipt, bool]]:
        """(MA_LK, receipt, is it the current one), oldest version of a visit first."""
        for (its_facility, its_visit), receipts in self._versions.items():
            if facility in (None, its_facility) and visit in (None, its_visit):
                for receipt in receipts:
                    yield its_visit, receipt, receipt is receipts[-1]

    def errors(
        self,
        now: datetime,
        *,
        facility: str | None = None,
        transaction: str | None = None,
        first: str | None = None,
        last: str | None = None,
    ) -> list[ErrorItem]:
        """Items visible at `now`; `first` and `last` are Vietnamese days `yyyyMMdd`, both included."""
        return [
            item
            for item in self._errors
            if item.at <= now
            and facility in (None, item.facility)
            and transaction in (None, item.transaction)
            and (first or "") <= f"{item.at.astimezone(VIETNAM):%Y%m%d}" <= (last or "99999999")
        ]

    def duplicates(self) -> dict[tuple[str, str, str], int]:
        """(MA_CSKCB, MA_LK, payload SHA-256) received more than once, with the number of receipts."""
        counted = Counter(
            (*key, receipt.payload_sha256) for key, receipts in self._versions.items() for receipt in receipts
        )
        return {key: count for key, count in counted.items() if count > 1}

    def counts(self) -> dict[str, int]:
        return {"receipts": len(self._receipts), "visits": len(self._versions)}

    def _transaction(self, facility: str, now: datetime) -> str:
        moment = f"{fourteen_digits(now)}{now.microsecond // 1000:03d}"
        while True:
            transaction = f"{facility}.{moment}.{self._dice.getrandbits(24):06x}"
            if transaction not in self._receipts:
                return transaction

    def _bytes_path(self, transaction: str) -> Path:
        assert self._keep is not None  # noqa: S101 - both callers have looked
        return self._keep / f"{transaction}.xml"

    def _apply(self, entry: Receipt | ErrorItem) -> None:
        if isinstance(entry, ErrorItem):
            self._errors.append(entry)
        else:
            self._receipts[entry.transaction] = entry
            if entry.operation == "send":
                for visit in entry.visits:
                    self._versions.setdefault((entry.facility, visit), []).append(entry)
        if self._journal:
            self._journal.append({"type": "error" if isinstance(entry, ErrorItem) else "receipt", **asdict(entry)})

    def _apply_record(self, record: Record, number: int) -> None:
        values: dict[str, Any] = dict(record)
        try:
            if values.pop("type") == "receipt":
                self._apply(Receipt(**{**values, "visits": tuple(values["visits"])}))
            else:
                self._apply(ErrorItem(**{**values, "finding": Finding(**values["finding"])}))
        except (KeyError, TypeError):
            raise JournalError(f"state record {number} is not one of this gateway") from None


def error_item(
    facility: str, visit: str | None, finding: Finding, visible: datetime, transaction: str = ""
) -> ErrorItem:
    return ErrorItem(facility, visit or "", transaction, visible.astimezone(UTC).isoformat(), finding)
