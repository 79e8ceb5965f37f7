"""When the signing certificates of the register end: of every facility, also of one that sends nothing today."""

import asyncio
from pathlib import Path

from cryptography import x509

from streams.adapters.facilities import FACILITY, SIGNING_CERTIFICATE, Watched
from streams.metrics import CERTIFICATE_NOT_AFTER


class CertificateEnds:
    """Keeps the metric true to the register: a renewed certificate counts at the next look, one taken away is gone."""

    def __init__(self, register: Path) -> None:
        self._register = register
        self._ends: dict[str, Watched[float | None]] = {}
        self._shown: set[str] = set()

    async def show(self) -> None:
        """Looks at every registered facility; 12,000 of them are read in a thread, and only after a change."""
        ends = await asyncio.to_thread(self._look)
        for gone in self._shown - ends.keys():
            CERTIFICATE_NOT_AFTER.remove(gone)
        for facility, end in ends.items():
            CERTIFICATE_NOT_AFTER.labels(facility).set(end)
        self._shown = set(ends)

    def _look(self) -> dict[str, float]:
        registered = {path.parent.name for path in self._register.glob(f"*/{FACILITY}")}
        self._ends = {code: self._ends.get(code) or self._watched(code) for code in sorted(registered)}
        found = ((code, _readable(watched)) for code, watched in self._ends.items())
        return {code: end for code, end in found if end is not None}

    def _watched(self, code: str) -> Watched[float | None]:
        return Watched(self._register / code / SIGNING_CERTIFICATE, _end)


def _end(content: bytes | None) -> float | None:
    return None if content is None else x509.load_pem_x509_certificate(content).not_valid_after_utc.timestamp()


def _readable(watched: Watched[float | None]) -> float | None:
    """None for a certificate that is missing or broken: its visits are held, and say so."""
    try:
        return watched.get()
    except (OSError, ValueError):
        return None
