"""The signing certificates of the facilities: the first lies beside `facility.toml`, each later one in its own folder.

    <facilities>/<MA_CSKCB>/signing-certificate.pem, signing-key.pem
                            certificates/<serial>/signing-certificate.pem, signing-key.pem

Which of them signs follows from their dates (`domain/certificates.py`). A pair comes as one folder, by one rename, so
that nobody meets the key of one with the certificate of another; and nothing is overwritten. One that cannot be read
counts as not there. Changes count within seconds.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from streams.adapters import facilities, files
from streams.adapters.facilities import SIGNING_CERTIFICATE, SIGNING_KEY, FacilityRegister, Watched
from streams.domain.certificates import belongs, in_force, problems, serial

T = TypeVar("T")

log = logging.getLogger(__name__)  # of the library: in a command it warns on standard error

ADDED = "certificates"

_told: set[Path] = set()
"""Folders that cannot be read and of which the log has said so: they are looked at every few seconds."""


class CertificateError(ValueError):
    """A certificate or key cannot be registered: says what, what was expected, how to mend it; never a key."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A certificate of a facility, and the folder where it lies with its key."""

    folder: Path
    certificate: x509.Certificate

    @property
    def not_valid_before_utc(self) -> datetime:
        """See `Dated`."""
        return self.certificate.not_valid_before_utc

    @property
    def not_valid_after_utc(self) -> datetime:
        """See `Dated`."""
        return self.certificate.not_valid_after_utc


@dataclass(frozen=True, slots=True)
class Pair:
    """What is to be registered: PEM, checked. `key` None: the HIS signs, or the key that is there goes on."""

    certificate: x509.Certificate
    key: bytes | None

    @property
    def pem(self) -> bytes:
        """The certificate alone, without what it rests on."""
        return self.certificate.public_bytes(Encoding.PEM)


def read_pair(certificate: bytes, key: bytes | None, now: datetime) -> Pair:
    """Checks what a person hands over. Raises CertificateError with all that is wrong."""
    try:
        chain = x509.load_pem_x509_certificates(certificate)
    except ValueError:
        raise CertificateError(
            "the certificate is not PEM (a text that begins with -----BEGIN CERTIFICATE-----); from DER:"
            " openssl x509 -inform DER -in FILE -out FILE.pem"
        ) from None
    wrong = list(problems(chain, now))
    if key is not None:
        try:
            if not belongs(_private(key), chain[0]):
                wrong.append("the key does not belong to the certificate")
        except CertificateError as error:
            wrong.append(str(error))
    if wrong:
        raise CertificateError("\n".join(wrong))
    return Pair(chain[0], key)


def _private(key: bytes) -> RSAPrivateKey:
    try:
        found = load_pem_private_key(key, password=None)
    except TypeError:
        raise CertificateError(
            "the key is encrypted; expected is PEM without a passphrase: openssl pkey -in FILE -out FILE.pem"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("the key is not PEM (a text that begins with -----BEGIN PRIVATE KEY-----)") from None
    if not isinstance(found, RSAPrivateKey):
        raise CertificateError("the key is not RSA")
    return found


def certificate_folders(facility: Path) -> list[Path]:
    """Where the certificates of a facility lie, of which the first may be missing; added ones that nobody can read are
    told once.
    """
    folder, added = facility / ADDED, list[Path]()
    try:
        added = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
        _told.discard(folder)
    except (FileNotFoundError, NotADirectoryError):
        _told.discard(folder)
    except OSError as error:
        if folder not in _told:
            _told.add(folder)
            log.warning("%s: cannot be read (%s); what was added counts as not there", folder, error.strerror)
    return [facility, *added]


class CertificateRegister:
    """The certificates and keys of every facility of a register."""

    def __init__(self, register: FacilityRegister, clock: Callable[[], float] = time.monotonic) -> None:
        self._register = register
        self._clock = clock
        self._folders: dict[str, tuple[float, list[Path]]] = {}
        self._certificates: dict[Path, Watched[x509.Certificate | None]] = {}
        self._keys: dict[Path, Watched[RSAPrivateKey | None]] = {}

    def of(self, facility: str) -> list[Registered]:
        """All that can be read. Raises FacilityError for what is no facility code."""
        found = ((folder, self._certificate(folder)) for folder in self._folders_of(facility))
        return [Registered(folder, certificate) for folder, certificate in found if certificate is not None]

    def in_force(self, facility: str, at: datetime) -> Registered | None:
        """The one that signs, whether it may or not; None: there is none that can be read."""
        return in_force(self.of(facility), at)

    def key(self, registered: Registered) -> RSAPrivateKey | None:
        """The key that lies beside the certificate; None: there is none that can be read."""
        folder = registered.folder
        if folder not in self._keys:
            self._keys[folder] = Watched(folder / SIGNING_KEY, _loaded_key, self._clock)
        return _readable(self._keys[folder])

    def add(self, facility: str, pair: Pair) -> Path:
        """Puts a pair beside the others. Raises CertificateError when it is there already, OSError."""
        folder = self.place(facility, pair)
        with files.new_folder(folder) as draft:
            if pair.key is not None:
                files.write(draft / SIGNING_KEY, pair.key, files.SECRET)
            files.write(draft / SIGNING_CERTIFICATE, pair.pem, files.PUBLIC)
        self._folders.pop(facility, None)
        return folder

    def place(self, facility: str, pair: Pair) -> Path:
        """Where a pair belongs. Raises CertificateError when its place is taken."""
        folder = self._register.file(facility, ADDED) / serial(pair.certificate)
        if folder.exists():
            raise CertificateError(f"{folder} is there already")
        return folder

    def _folders_of(self, facility: str) -> list[Path]:
        now = self._clock()
        look_at, found = self._folders.get(facility, (float("-inf"), []))
        if now >= look_at:
            found = certificate_folders(self._register.file(facility, ADDED).parent)
            self._folders[facility] = now + facilities.LOOK_AGAIN, found
        return found

    def _certificate(self, folder: Path) -> x509.Certificate | None:
        if folder not in self._certificates:
            self._certificates[folder] = Watched(folder / SIGNING_CERTIFICATE, _loaded, self._clock)
        return _readable(self._certificates[folder])


def _loaded(content: bytes | None) -> x509.Certificate | None:
    return None if content is None else x509.load_pem_x509_certificate(content)


def _loaded_key(content: bytes | None) -> RSAPrivateKey | None:
    return None if content is None else _private(content)


def _readable(watched: "Watched[T | None]") -> T | None:
    try:
        return watched.get()
    except (OSError, ValueError):
        return None
