"""Until when the facilities of the register can sign: of every facility, also of one that sends nothing today."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from streams.adapters.certificate_register import certificate_folders
from streams.adapters.facilities import FACILITY, SIGNING_CERTIFICATE, Watched
from streams.domain.certificates import covered_until
from streams.metrics import CERTIFICATE_NOT_AFTER


@dataclass(frozen=True, slots=True)
class _Period:
    """All that is kept of a certificate: there are 12,000 facilities."""

    not_valid_before_utc: datetime
    not_valid_after_utc: datetime


class CertificateEnds:
    """Keeps the metric true to the register: a renewed certificate counts at the next look, one taken away is gone."""

    def __init__(self, register: Path) -> None:
        self._register = register
        self._periods: dict[Path, Watched[_Period | None]] = {}
        self._shown: set[str] = set()

    async def show(self) -> None:
        """Looks at every registered facility; 12,000 of them are read in a thread, and only after a change."""
        ends = await asyncio.to_thread(self._look, datetime.now(UTC))
        for gone in self._shown - ends.keys():
            CERTIFICATE_NOT_AFTER.remove(gone)
        for facility, end in ends.items():
            CERTIFICATE_NOT_AFTER.labels(facility).set(end.timestamp())
        self._shown = set(ends)

    def _look(self, now: datetime) -> dict[str, datetime]:
        registered = sorted(self._register.glob(f"[!.]*/{FACILITY}"))
        found = {path.parent.name: certificate_folders(path.parent) for path in registered}
        there = [folder for folders in found.values() for folder in folders]
        self._periods = {folder: self._periods.get(folder) or _watched(folder) for folder in there}
        ends = {
            code: covered_until([period for folder in folders if (period := _readable(self._periods[folder]))], now)
            for code, folders in found.items()
        }
        return {code: end for code, end in ends.items() if end is not None}


def _watched(folder: Path) -> Watched[_Period | None]:
    return Watched(folder / SIGNING_CERTIFICATE, _period)


def _period(content: bytes | None) -> _Period | None:
    if content is None:
        return None
    certificate = x509.load_pem_x509_certificate(content)
    return _Period(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _readable(watched: Watched[_Period | None]) -> _Period | None:
    """None for a certificate that is missing or broken: its visits are held, and say so."""
    try:
        return watched.get()
    except (OSError, ValueError):
        return None
