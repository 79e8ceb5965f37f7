"""Dossiers of an exact size, for the limits of transport."""

from collections.abc import Iterator
from dataclasses import replace

from streams.domain.dossier.sample.model import Sample, chance

MIB = 1024 * 1024
ENVELOPE_AROUND = 8 * 1024
"""Bytes that envelope and signature add to the base64 of the tables, at most."""

_OPEN, _CLOSE, _EMPTY = b"<DU_PHONG>", b"</DU_PHONG>", b"<DU_PHONG/>"
_MARKUP = len(_OPEN) + len(_CLOSE) - len(_EMPTY)


def padded(sample: Sample, size: int) -> Sample:
    """The sample grown so that its signed envelope, in base64 as it is posted, has `size` bytes at most.

    `size` counts as validation counts it: base64 of (ENVELOPE_AROUND and the base64 of each table), exactly. The
    reserve field of each table takes its share, so that no text reaches the 10 MB at which ordinary XML readers stop;
    the filling is not compressible to nothing, as scans in a reserve field are not either. Raises ValueError when the
    dossier is larger already.
    """
    lengths = [len(content) + _MARKUP for _, content in sample.tables]
    triples = [-(-length // 3) for length in lengths]  # base64 writes three bytes as four
    missing = (size // 4 * 3 - ENVELOPE_AROUND) // 4 - sum(triples)
    if missing < 0:
        raise ValueError(f"the dossier is too large to be padded to {size} bytes")
    shares = (3 * (own + more) for own, more in zip(triples, _shares(missing, len(triples)), strict=True))
    fills = _fills(sample, [target - length for target, length in zip(shares, lengths, strict=True)])
    return replace(sample, tables=tuple((kind, data.replace(_EMPTY, next(fills), 1)) for kind, data in sample.tables))


def _shares(total: int, parts: int) -> Iterator[int]:
    return (total // parts + (1 if number < total % parts else 0) for number in range(parts))


def _fills(sample: Sample, lengths: list[int]) -> Iterator[bytes]:
    rng = chance(sample.ma_lk, "padding")
    return (_OPEN + rng.randbytes((length + 1) // 2).hex().encode()[:length] + _CLOSE for length in lengths)
