"""What the gateway says: result codes, refusals with findings, spellings of an answer (GATEWAY §5, §6.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """`maKetQua` as this gateway gives it by its own judgment; a fault may answer any other."""

    ACCEPTED = "200"
    FORMAT = "123"  # not the XML file it claims to be
    SIGNATURE = "125"
    CONTENT = "202"  # readable, but its values contradict each other
    PARAMETER = "205"  # a form field or base64 is wrong
    AUTHENTICATION = "401"
    FACILITY = "402"
    FORBIDDEN = "403"
    SYSTEM = "500"
    WINDOW = "701"
    SIZE = "1001"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the portal's error list. `text` says what is wrong, never the value: values are patient data."""

    table: str
    row: int | None
    field: str
    code: str
    text: str


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The judgment ends here with this code; `text` becomes `thongDiep`."""

    def __init__(self, code: Code, text: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Answer:
    """Style A answer of a send. `transaction` and `received_at` are empty unless the code is 200."""

    code: str
    text: str
    transaction: str = ""
    received_at: str = ""

    def body(self, *, reason_in_transaction: bool = False) -> dict[str, Any]:
        """The documented keys; on failure the reason may stand where the receipt would be (quirk Q11)."""
        displaced = reason_in_transaction and self.code != Code.ACCEPTED
        return {
            "maKetQua": self.code,
            "maGiaoDich": self.text if displaced else self.transaction,
            "thoiGianTiepNhan": self.received_at,
            "thongDiep": "" if displaced else self.text,
        }


_OTHER_SPELLING = {
    "maKetQua": "MaKetQua",
    "maGiaoDich": "MaGD",
    "thoiGianTiepNhan": "ThoiGianTiepNhan",
    "thongDiep": "GhiChu",
    "APIKey": "apiKey",
}


def respelled(body: Mapping[str, Any], *, number: bool, other_keys: bool) -> dict[str, Any]:
    """The same answer with `maKetQua` as a number, or under the keys that other functions use (quirk Q10)."""
    said = dict(body)
    if number and str(said["maKetQua"]).isdigit():
        said["maKetQua"] = int(said["maKetQua"])
    return {_OTHER_SPELLING.get(key, key): value for key, value in said.items()} if other_keys else said
