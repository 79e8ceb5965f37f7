"""The facility register: one folder per facility, read by validate, sign and forward, mountable as a secret.

    <facilities>/<MA_CSKCB>/facility.toml              name, kind, valid_from, valid_to, gateway_username
                            gateway-password-hash      MD5 in upper-case hexadecimal (GATEWAY §2): itself the credential
                            signing-key.pem            PEM, not encrypted; absent where the HIS signs
                            signing-certificate.pem    PEM, the certificate registered on the portal
                            certificates/              those added later: certificate_register.py

Files are read when first asked for and again when they change; nothing is read twice within `LOOK_AGAIN` seconds.
Secrets have methods of their own and appear in no `repr` and no exception.
"""

import hashlib
import json
import re
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from streams.adapters import files

T = TypeVar("T")

LOOK_AGAIN = 2.0
FACILITY, PASSWORD_HASH = "facility.toml", "gateway-password-hash"
SIGNING_KEY, SIGNING_CERTIFICATE = "signing-key.pem", "signing-certificate.pem"

_CODE = re.compile(r"[0-9A-Za-z]{5}")
_HASH = re.compile(r"[0-9A-F]{32}")


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

    @property
    def has_foreign_account(self) -> bool:
        """The gateway's accounts are named after a facility: whether this one is named after another (GATEWAY §2)."""
        owner = self.gateway_username.removesuffix("_BV")
        return len(owner) == len(self.code) and owner != self.code


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


def _raiser(error: Exception) -> Callable[[], NoReturn]:
    def again() -> NoReturn:
        raise error.with_traceback(None)  # else it grows by a frame each time, for as long as the process lives

    return again


class FacilityRegister:
    """The register at `path`. A facility that is added, changed or removed counts within seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Watched[Facility | None]] = {}

    def is_there(self) -> bool:
        """Whether there is a register at all."""
        return self._path.is_dir()

    def get(self, code: str) -> Facility | None:
        """The facility, or None when it is not registered. Raises FacilityError when its entry cannot be used."""
        if not _CODE.fullmatch(code):  # the code may come from a dossier: as a path it must not lead anywhere else
            return None
        if code not in self._entries:
            self._entries[code] = Watched(self._path / code / FACILITY, lambda content: _facility(code, content))
        return self._entries[code].get()

    def all(self) -> list[Facility]:
        """Every registered facility, by code. Raises FacilityError."""
        found = (self.get(folder.name) for folder in sorted(self._path.glob("*/")))
        return [facility for facility in found if facility is not None]

    def gateway_password_hash(self, code: str) -> str:
        """The credential of the facility's gateway account (GATEWAY §2). Raises FacilityError."""
        try:
            found = self.file(code, PASSWORD_HASH).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise FacilityError(f"{code}/{PASSWORD_HASH}: cannot be read ({type(error).__name__})") from None
        if not _HASH.fullmatch(found):
            raise FacilityError(f"{code}/{PASSWORD_HASH}: expected are 32 upper-case hexadecimal digits (MD5)")
        return found

    def file(self, code: str, name: str) -> Path:
        """Where a file of a facility is, whether it exists or not."""
        if not _CODE.fullmatch(code):
            raise FacilityError("a facility code has 5 letters or digits")
        return self._path / code / name

    def add(self, facility: Facility, *, password: str, key: bytes | None, certificate: bytes) -> None:
        """Writes a facility with PEM key and certificate, as one folder by one rename: nobody sees half of it.

        Without a key its HIS signs. Raises OSError, also when its folder is there already.
        """
        # MD5 is the gateway's own rule for the wire (GATEWAY §2), not our choice of protection.
        digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()
        lines = {
            "name": facility.name,
            "kind": str(facility.kind),
            "gateway_username": facility.gateway_username,
        }
        dates = {"valid_from": facility.valid_from, "valid_to": facility.valid_to}
        text = "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in lines.items())
        text += "".join(f"{name} = {value.isoformat()}\n" for name, value in dates.items() if value is not None)
        contents = (
            (PASSWORD_HASH, digest.encode(), files.SECRET),
            (SIGNING_KEY, key, files.SECRET),
            (SIGNING_CERTIFICATE, certificate, files.PUBLIC),
            (FACILITY, text.encode(), files.PUBLIC),
        )
        with files.new_folder(self.file(facility.code, FACILITY).parent) as draft:
            for name, content, mode in contents:
                if content is not None:
                    files.write(draft / name, content, mode)
        self._entries.pop(facility.code, None)  # whoever adds it sees it at once


def _facility(code: str, content: bytes | None) -> Facility | None:
    if content is None:
        return None
    try:
        entry: dict[str, Any] = tomllib.loads(content.decode())
        return Facility(
            code=code,
            name=str(entry["name"]),
            kind=FacilityKind(entry["kind"]),
            valid_from=_day(entry["valid_from"]),
            valid_to=_day(entry["valid_to"]) if "valid_to" in entry else None,
            gateway_username=str(entry["gateway_username"]),
        )
    except KeyError as error:
        raise FacilityError(f"{code}/{FACILITY}: {error.args[0]} is missing") from None
    except ValueError as error:
        raise FacilityError(f"{code}/{FACILITY}: {error}") from None


def _day(value: object) -> date:
    if type(value) is not date:
        raise ValueError("valid_from and valid_to are days written 2026-01-31")
    return value
