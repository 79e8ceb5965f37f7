"""Accounts and registered certificates: a folder with `accounts.json`, read again whenever that file changes.

    {"trusted": ["ca.pem"],
     "accounts": [{"username": "01999_BV", "passwordHash": "…", "maCSKCB": "01999",
                   "certificates": ["01999.pem"], "locked": false, "officers": {"001090000001": "Trần Thị Thử"}}],
     "cards": [{"maThe": "GD4010000000001", "hoTen": "Nguyễn Văn Thử", "ngaySinh": "01/01/1990", "maKetQua": "000"}],
     "revoked": ["1a2b3c"]}

Paths are relative to the folder; `revoked` holds serial numbers in hexadecimal. `officers` (citizen number → name) may
look up cards; they, `cards` and `revoked` may be left out.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.simulators.gateway.certificates import Trust, fingerprint, load_all

FILE = "accounts.json"
_log = logging.getLogger(__name__)


class RegistryError(ValueError):
    """The register cannot be read: says which file and entry, and what was expected. Never quotes a secret."""


@dataclass(frozen=True, slots=True)
class Account:
    """`password_hash`: MD5 of the password in upper-case hexadecimal, which is itself the credential (GATEWAY §2)."""

    username: str
    password_hash: str = field(repr=False)
    facility: str
    locked: bool
    officers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Card:
    """A health insurance card of an invented person; `code` is what a right question about it gets (GATEWAY §8)."""

    number: str = field(repr=False)
    name: str = field(repr=False)
    birth: str = field(repr=False)  # dd/MM/yyyy
    code: str = "000"


@dataclass(frozen=True, slots=True)
class Registry:
    """One reading of the register."""

    accounts: Mapping[str, Account]
    trust: Trust
    certificates: Mapping[str, frozenset[bytes]]  # facility → fingerprints
    cards: Mapping[str, Card] = field(default_factory=dict, repr=False)

    def registered(self, facility: str, fingerprint: bytes) -> bool:
        return fingerprint in self.certificates.get(facility, frozenset())


def load(folder: Path) -> Registry:
    """Raises RegistryError."""
    path = folder / FILE
    try:
        document = json.loads(path.read_bytes())
        accounts, certificates = _accounts(folder, document["accounts"])
        authorities = [each for name in document["trusted"] for each in load_all((folder / name).read_bytes())]
        revoked = frozenset(int(serial, 16) for serial in document.get("revoked", []))
        cards = {each["maThe"]: _card(each) for each in document.get("cards", [])}
    except KeyError as error:
        raise RegistryError(f"{path}: {error} is missing") from None
    except (OSError, ValueError, TypeError) as error:
        raise RegistryError(f"{path}: cannot be used: {type(error).__name__}: {error}") from None
    return Registry(accounts, Trust(authorities, revoked), certificates, cards)


def _card(entry: dict[str, str]) -> Card:
    return Card(entry["maThe"], entry["hoTen"], entry["ngaySinh"], entry.get("maKetQua", "000"))


def _accounts(folder: Path, entries: list[dict[str, Any]]) -> tuple[dict[str, Account], dict[str, frozenset[bytes]]]:
    accounts: dict[str, Account] = {}
    certificates: dict[str, frozenset[bytes]] = {}
    for entry in entries:
        account = Account(
            entry["username"],
            entry["passwordHash"],
            entry["maCSKCB"],
            bool(entry.get("locked", False)),
            entry.get("officers", {}),
        )
        accounts[account.username] = account
        found = (each for name in entry.get("certificates", []) for each in load_all((folder / name).read_bytes()))
        certificates[account.facility] = certificates.get(account.facility, frozenset()) | {
            fingerprint(each) for each in found
        }
    return accounts, certificates


class Register:
    """The folder, watched. A change that cannot be read is reported and the last good reading stays."""

    def __init__(self, folder: Path) -> None:
        """Raises RegistryError."""
        self._folder = folder
        self._seen = self._stamp()
        self._registry = load(folder)

    def current(self) -> Registry:
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._registry = load(self._folder)
            except RegistryError as error:
                _log.warning("accounts not read again, the last good reading stays: %s", error)
        return self._registry

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self._folder / FILE)  # noqa: PTH116 - on every request; Path.stat is slower for nothing
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
