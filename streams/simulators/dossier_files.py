"""Invented dossiers on disk, as a HIS leaves them: a folder of table files, one unsigned envelope, or a zip."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streams.domain.dossier.sample import Sample, table_files, unsigned_envelope

SUFFIX: Mapping[str, str] = {"folder": "", "envelope": ".xml", "zip": ".zip"}
"""The forms in which a dossier can be written, and how the names of such files end."""

_README = """\
Invented dossiers, made by healthbook.

All people in them are invented. Their middle names say "test", their citizen and card numbers begin with province 99,
which does not exist, and their phone numbers with 0000. Diagnosis codes are real, drugs, services and prices are not.

manifest.json tells for each dossier who hands it over, what is wrong with it (defect; code is the one critical finding
that must follow) and how it should end (expected). The same seed and the same --discharged give the same bytes.

Mọi người bệnh trong các hồ sơ này đều là hư cấu.
"""


def write_dossier(target: Path, sample: Sample, form: str) -> None:
    """Under a hidden name first, so that an adapter which watches the folder never sees half a dossier.

    Raises FileExistsError: nothing is overwritten.
    """
    if target.exists():
        raise FileExistsError(None, "exists", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.with_name(f".{target.name}.part")
    _WRITERS[form](hidden, sample)
    hidden.rename(target)


def manifest_entry(path: str, sample: Sample) -> dict[str, Any]:
    """What manifest.json says about one dossier; nothing of the person."""
    return {
        "path": path,
        "facility": sample.facility,
        "ma_lk": sample.ma_lk,
        "kind": str(sample.kind),
        "insured": sample.insured,
        "traits": sorted(sample.traits),
        "closed_at": sample.closed_at.isoformat(),
        "bytes": sample.size,
        "defect": sample.defect,
        "code": sample.code,
        "expected": str(sample.expected),
    }


def describe(folder: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """manifest.json of everything in the folder, earlier runs included, and the notice about its people."""
    manifest = folder / "manifest.json"
    earlier = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else []
    manifest.write_text(json.dumps([*earlier, *entries], indent=2) + "\n", encoding="utf-8")
    (folder / "README.txt").write_text(_README, encoding="utf-8")


def _write_folder(path: Path, sample: Sample) -> None:
    path.mkdir()
    for name, content in table_files(sample.tables).items():
        (path / name).write_bytes(content)


def _write_envelope(path: Path, sample: Sample) -> None:
    path.write_bytes(unsigned_envelope(sample))


def _write_zip(path: Path, sample: Sample) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in table_files(sample.tables).items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # ZipInfo: a fixed date, same bytes
    path.write_bytes(packed.getvalue())


_WRITERS: Mapping[str, Callable[[Path, Sample], None]] = {
    "folder": _write_folder,
    "envelope": _write_envelope,
    "zip": _write_zip,
}
