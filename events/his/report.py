"""The report beside a dossier that the folder adapter handed over, or could not."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from events.his.errors import HisError

REPORTS = (".txt", ".json")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one item. `error` None: it is on the bus."""

    facility: str
    at: datetime
    error: HisError | None
    ma_lk: str | None = None
    revision: int | None = None
    event_id: str | None = None
    repeated: bool = False
    ignored: tuple[str, ...] = ()

    def write(self, item: Path) -> None:
        """Writes `<item>.txt` and `<item>.json`, each whole or not at all."""
        for suffix, content in zip(REPORTS, (self.text(), self.json()), strict=True):
            draft = item.with_name(f".{item.name}{suffix}")
            draft.write_text(content, encoding="utf-8")
            draft.replace(item.with_name(f"{item.name}{suffix}"))

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        error = self.error
        return {
            "state": "done" if error is None else "failed",
            "facility": self.facility,
            "ma_lk": self.ma_lk,
            "revision": self.revision,
            "event_id": self.event_id,
            "repeated": self.repeated,
            "ignored": list(self.ignored),
            "at": self.at.isoformat(timespec="seconds"),
            "error": error and error.document(),
        }

    def json(self) -> str:
        """The document as text."""
        return json.dumps(self.document(), ensure_ascii=False, indent=2) + "\n"

    def text(self) -> str:
        """The report for people, Vietnamese first."""
        lines = [f"{self.at.astimezone():%d/%m/%Y %H:%M:%S}", ""]
        lines += self._done() if self.error is None else self._failed(self.error)
        if self.ma_lk is not None:
            lines += ["", f"MA_CSKCB: {self.facility}", f"MA_LK: {self.ma_lk}"]
        if self.revision is not None:
            lines += [f"Lần / revision: {self.revision}", f"Event: {self.event_id}"]
        if self.ignored:
            lines += ["", f"Không thuộc hồ sơ / Not part of the dossier: {', '.join(self.ignored)}"]
        return "\n".join(lines) + "\n"

    def _done(self) -> list[str]:
        if not self.repeated:
            return ["ĐÃ CHUYỂN lên trục.", "HANDED OVER: the bus has it."]
        return [
            "ĐÃ CHUYỂN TRƯỚC ĐÓ: cùng nội dung này đã có trên trục, không gửi lại.",
            "HANDED OVER BEFORE: the bus has exactly these bytes already, nothing new was sent.",
            "Nếu cần thay bản sửa sau đó bằng nội dung này, hãy đóng lại với số revision mới.",
            "To put it in place of a later correction, close it again with a new revision number.",
            "Nếu hồ sơ bị từ chối hoặc giữ lại vì lý do ngoài hồ sơ (đã khắc phục): `healthbook visit close --again`.",
            "If it was rejected or held for a reason outside of the dossier: `healthbook visit close --again`.",
        ]

    @staticmethod
    def _failed(error: HisError) -> list[str]:
        where = f" ({error.where})" if error.where else ""
        return [
            f"CHƯA CHUYỂN. {error.code}{where}",
            error.message_vi,
            f"Cách sửa: {error.mend_vi}",
            "",
            f"NOT HANDED OVER. {error.code}{where}",
            error.message_en,
            f"To mend it: {error.mend_en}",
        ]
