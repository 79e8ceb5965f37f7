"""`healthbook receipt export|verify|key`: proof of what was sent, when, and what the gateway answered."""

from pathlib import Path
from typing import Any

import asyncpg
import click
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from streams.adapters.receipts import SealKeyError, accepted, seal_key
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.cli.visit import with_database
from streams.domain.receipt import ReceiptError, read, seal, verify

_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("export")
@click.argument("facility")
@click.argument("ma_lk", metavar="MA_LK")
@click.option("--revision", type=int, help="An accepted revision.  [default: the newest]")
@click.option("--out", type=_FILE, required=True, help="The file; it holds the dossier.")
def receipt_export(facility: str, ma_lk: str, revision: int | None, out: Path) -> None:
    """Writes one sealed file about an accepted dossier. Exit 1 when the gateway accepted none."""
    key = _key()

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> tuple[dict[str, Any], bytes] | None:
        return await accepted(pool, facility, ma_lk, revision)

    found = with_database(ask)
    if found is None:
        fail(f"The gateway accepted no such dossier; see `healthbook visit show {facility} MA_LK`.", Exit.NO)
    try:
        with out.open("xb") as file:
            out.chmod(0o600)  # the dossier is in it
            file.write(seal(*found, key))
    except FileExistsError:
        fail(f"{out} is there already; choose another name", Exit.NO)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}", Exit.NO)
    say(f"revision {found[0]['revision']} in {out}, sealed by key {_fingerprint(key.public_key())}")


@click.command("verify")
@click.argument("file", type=_EXISTING)
@click.option("--key", type=_EXISTING, help="Public key (PEM) of the installation that must have sealed it.")
@click.option("--issuer", type=_EXISTING, help="Certificate (PEM) of the authority of the facility's certificate.")
@output_option
def receipt_verify(file: Path, key: Path | None, issuer: Path | None, output: str) -> None:
    """Checks a receipt offline, by the moment of sending: seal, bytes, signature, certificate, answer.

    Exit 1 when anything speaks against it. Needs no database and no running part.
    """
    content = file.read_bytes()
    try:
        public = None if key is None else load_pem_public_key(key.read_bytes())
        authority = None if issuer is None else x509.load_pem_x509_certificate(issuer.read_bytes())
        if public is not None and not isinstance(public, Ed25519PublicKey):
            raise ValueError("not an Ed25519 key")
    except ValueError as error:
        raise click.UsageError(f"--key and --issuer take PEM files: {error}") from None
    try:
        checks = verify(content, public, authority)
    except ReceiptError as error:
        fail(f"{file}: {error}", Exit.NO)
    holds = all(check.wrong is None for check in checks)
    facts = read(content)["facts"]
    named = ("facility", "ma_lk", "revision", "transaction_code", "received_at")
    document = {
        "holds": holds,
        **{name: facts.get(name) for name in named if holds},
        "checks": [{"what": check.what, "wrong": check.wrong} for check in checks],
    }
    if output == "json":
        emit_json(document)
    else:
        emit_rows([{"check": c.what, "result": c.wrong or "holds"} for c in checks], ("check", "result"), output)
        if key is None and holds:
            sealed_by = Ed25519PublicKey.from_public_bytes(bytes.fromhex(read(content)["seal"]["key"]))
            say(f"sealed by key {_fingerprint(sealed_by)}: compare it with `healthbook receipt key`, or give --key")
    if not holds:
        raise SystemExit(Exit.NO)


@click.command("key")
def receipt_key() -> None:
    """Prints the public key of this installation's seal: hand it to those who verify."""
    public = _key().public_key()
    click.echo(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), nl=False)
    say(f"key {_fingerprint(public)}")


def _key() -> Ed25519PrivateKey:
    path = settings_or_fail().seal_key_file
    try:
        return seal_key(path)
    except (OSError, SealKeyError) as error:
        fail(f"the key of the seal cannot be used: {error}", Exit.NO)


def _fingerprint(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()[:16]
