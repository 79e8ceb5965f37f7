"""Tokens of `adapter http`: who shows one speaks for its facility. Only their hashes are stored.

    <tokens>/<MA_CSKCB>/http-tokens     SHA-256 of each token that counts, in hexadecimal, one a line, the newest last

A token is `<MA_CSKCB>.<256 random bits>`, so a plain hash is enough: nobody can guess through it. Several may count at
once, so that a HIS changes from one to the next without a gap. A file counts within seconds after it changed.

A token counts until it is revoked, whatever becomes of the facility's entry in the register: the machine that takes
visits may have no register. `validate`, which has it, judges who may send (FAC-001).
"""

import re
import secrets
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from streams.adapters import files
from streams.adapters.facilities import Watched

FILE = "http-tokens"

_TOKEN = re.compile(r"([0-9A-Za-z]{5})\.([0-9A-Za-z_-]{43})")
_HASH = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"[0-9A-Za-z]{5}")


class TokenFileError(ValueError):
    """The hashes of a facility cannot be read; says which file and what was expected, never what is in it."""


class Tokens:
    """The tokens in the folder `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Watched[tuple[str, ...]]] = {}

    def facility_of(self, token: str) -> str | None:
        """The facility whose token this is, None for nobody's. Raises TokenFileError."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        code, shown = found[1], _hash(token)
        # Every hash is compared, each in constant time: how long it takes says nothing about any of them.
        matches = [compare_digest(shown, counts) for counts in self._hashes(code)]
        return code if any(matches) else None

    def count(self, code: str) -> int:
        """How many tokens of the facility count now. Raises TokenFileError."""
        return len(self._read(code))

    def issue(self, code: str) -> str:
        """A new token of the facility, never to be seen again; the earlier ones go on. Raises TokenFileError."""
        token, folder = f"{_checked(code)}.{secrets.token_urlsafe(32)}", self._file(code).parent
        files.make_folder(folder)
        with files.alone(folder):
            self._write(code, [*self._read(code), _hash(token)])
        return token

    def revoke(self, code: str, *, keep_newest: bool) -> None:
        """Ends all tokens of the facility, or all but the newest. Raises TokenFileError."""
        if not self._file(code).exists():
            return
        with files.alone(self._file(code).parent):
            self._write(code, self._read(code)[-1:] if keep_newest else ())

    def _hashes(self, code: str) -> tuple[str, ...]:
        known = self._known.get(code) or Watched(self._file(code), lambda content: _parse(code, content))
        try:
            hashes = known.get()
        except OSError as error:
            raise TokenFileError(f"{code}/{FILE}: cannot be read ({type(error).__name__})") from None
        if hashes:  # not for every code that somebody may try
            self._known[code] = known
        return hashes

    def _read(self, code: str) -> tuple[str, ...]:
        file = self._file(code)
        return _parse(code, file.read_bytes() if file.exists() else None)

    def _write(self, code: str, hashes: Sequence[str]) -> None:
        files.write(self._file(code), "".join(f"{item}\n" for item in hashes).encode(), files.SECRET)

    def _file(self, code: str) -> Path:
        return self._path / _checked(code) / FILE


def _checked(code: str) -> str:
    if not _CODE.fullmatch(code):  # as a path it must not lead anywhere else
        raise TokenFileError("a facility code has 5 letters or digits")
    return code


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _parse(code: str, content: bytes | None) -> tuple[str, ...]:
    lines = (content or b"").decode("ascii", "replace").split()
    if not all(_HASH.fullmatch(line) for line in lines):
        raise TokenFileError(
            f"{code}/{FILE}: expected are lines of 64 hexadecimal digits (SHA-256)."
            " Mend it, or remove it, which ends the facility's tokens, and issue new ones"
        )
    return tuple(lines)
