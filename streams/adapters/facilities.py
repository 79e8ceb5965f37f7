"""The facility register: one folder per facility, read by validate, sign and forward, mountable as a secret.

    <facilities>/<MA_CSKCB>/facility.toml              name, kind, valid_from, valid_to, gateway_username
                            gateway-password-hash      MD5 in upper-case hexadecimal (GATEWAY §2): itself the credential
                            signing-key.pem            PEM, not encrypted
                            signing-certificate.pem    PEM, the certificate registered on the portal

Files are read when first asked for and again when they change; nothing is read twice within `LOOK_AGAIN` seconds.
Secrets have methods of their own and appear in no `repr` and no exception.
"""

import hashlib
import json
import os
import re
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

LOOK_AGAIN = 2.0
FACILITY, PASSWORD_HASH = "facility.toml", "gateway-password-hash"
SIGNING_KEY, SIGNING_CERTIFICATE = "signing-key.pem", "signing-certificate.pem"

_CODE = re.compile(r"[0-9A-Za-z]{5}")
_HASH = re.compile(r"[0-9A-F]{32}")
_PUBLIC, _SECRET = 0o644, 0o600


class FacilityKind(StrEnum):
    """`no_contract`: no contract with the social insurance; its dossiers go to the gateway all the same."""

    INSURED = "insured"
    NO_CONTRACT = "no_contract"


@dataclass(frozen=True, slots=True)
class Facility:
    """What everybody may know about a facility. It may send from `valid_from` to `valid_to`, both days included."""

    code: str
    name: str
    kind: FacilityKind
    valid_from: date
    valid_to: date | None
    gateway_username: str


class FacilityError(ValueError):
    """A facility's entry cannot be used; says which file and what was expected, never a secret."""


class Watched(Generic[T]):
    """What `load` makes of a file's bytes (None when there is no file), loaded again after the file changed.

    A failure to load is kept and raised again until the file changes: a broken file costs as little as a good one.
    """

    def __init__(self, path: Path, load: Callable[[bytes | None], T], clock: Callable[[], float] = time.monotonic):
        self._path = path
        self._load = load
        self._clock = clock
        self._look_at = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._outcome: Callable[[], T] | None = None

    def get(self) -> T:
        """Raises what `load` raises, and OSError when the file is there and cannot be read."""
        now = self._clock()
        if self._outcome is None or now >= self._look_at:
            self._look_at = now + LOOK_AGAIN
            stamp = self._look()
            if self._outcome is None or stamp != self._stamp:
                self._stamp, self._outcome = stamp, self._attempt(stamp is not None)
        return self._outcome()

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _attempt(self, there: bool) -> Callable[[], T]:
        try:
            value = self._load(self._path.read_bytes() if there else None)
        except (OSError, ValueError) as error:
            return _raiser(error)
        return lambda: value
