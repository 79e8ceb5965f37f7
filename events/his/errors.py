"""What can go wrong between a HIS and the bus: a stable code, and a message for the facility in two languages.

    HisError
     ├─ DossierError      this dossier cannot be handed over: the HIS has to mend it
     ├─ SpoolFullError    nothing was taken: make room, or wait until the bus is back, then hand over again
     ├─ SpoolError        the spool is in use by another process, damaged, or cannot be written
     └─ RefusedError      the broker will never take these entries: they stay in the spool until a person acts

No text ever quotes the dossier: `where` names a table, a file kind or a folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means and how to mend it."""

    message_vi: str
    message_en: str
    mend_vi: str
    mend_en: str


class HisError(Exception):
    """Base of all errors of the SDK; `code` is stable, `where` says which part of the input or which place."""

    explanations: ClassVar[Mapping[str, Explanation]] = {}

    def __init__(self, code: str, where: str | None = None) -> None:
        self.code = code
        self.where = where
        explanation = self.explanations[code]
        self.message_vi = explanation.message_vi
        self.message_en = explanation.message_en
        self.mend_vi = explanation.mend_vi
        self.mend_en = explanation.mend_en
        super().__init__(f"{code}{f' ({where})' if where else ''}: {self.message_en} {self.mend_en}")

    def document(self) -> dict[str, str | None]:
        """The error for programs."""
        return {
            "code": self.code,
            "where": self.where,
            "message_vi": self.message_vi,
            "message_en": self.message_en,
            "mend_vi": self.mend_vi,
            "mend_en": self.mend_en,
        }


_EXPORT_AGAIN_VI = "Xuất lại hồ sơ từ HIS rồi gửi lại."
_EXPORT_AGAIN_EN = "Export the dossier again from the HIS and hand it over again."


class DossierError(HisError):
    """The dossier cannot be handed over, because nobody could say which visit it belongs to, or it is no dossier."""

    explanations: ClassVar[Mapping[str, Explanation]] = {
        "DOSSIER_NOT_FOUND": Explanation(
            "Không tìm thấy hoặc không đọc được tệp/thư mục hồ sơ.",
            "The dossier's file or folder is not there or cannot be read.",
            "Kiểm tra đường dẫn và quyền đọc.",
            "Check the path and the right to read it.",
        ),
        "DOSSIER_EMPTY": Explanation(
            "Không có tệp bảng XML<n>.xml và không có tệp giám định (GIAMDINHHS).",
            "There is neither a table file XML<n>.xml nor one envelope (GIAMDINHHS).",
            "Đặt các tệp XML1.xml, XML2.xml, … hoặc đúng một tệp giám định .xml.",
            "Give the files XML1.xml, XML2.xml, … or exactly one envelope .xml.",
        ),
        "DOSSIER_SEVERAL_ENVELOPES": Explanation(
            "Có nhiều hơn một tệp giám định trong một hồ sơ.",
            "There is more than one envelope in one dossier.",
            "Mỗi lượt khám một tệp giám định; tách thành từng hồ sơ.",
            "One envelope for each visit: split it into several dossiers.",
        ),
        "DOSSIER_TOO_LARGE": Explanation(
            "Hồ sơ vượt quá giới hạn 31 MiB của trục.",
            "The dossier is larger than the 31 MiB that the bus carries.",
            "Kiểm tra nội dung thừa (ảnh, dữ liệu lặp) trong các bảng.",
            "Look for content that does not belong into the tables (pictures, repeated data).",
        ),
        "ENV-007": Explanation(
            "Cùng một tệp bảng xuất hiện hai lần (cùng số n và số k).",
            "The same table file occurs twice (same n and same k).",
            "Giữ một tệp; bảng tiếp theo cùng loại đặt tên XML<n>-2.xml, XML<n>-3.xml, …",
            "Keep one; name further files of a kind XML<n>-2.xml, XML<n>-3.xml, …",
        ),
        "ZIP_DAMAGED": Explanation(
            "Tệp zip hỏng hoặc có mật khẩu.",
            "The zip is damaged or has a password.",
            "Nén lại không đặt mật khẩu.",
            "Zip it again, without a password.",
        ),
        "ZIP_BOMB": Explanation(
            "Tệp zip có quá nhiều tệp hoặc bung ra quá lớn.",
            "The zip has too many files or unpacks to far too much.",
            "Mỗi tệp zip chỉ chứa một hồ sơ.",
            "One zip holds one dossier only.",
        ),
        "ZIP_PATH": Explanation(
            "Tệp zip chứa đường dẫn ra ngoài thư mục của nó.",
            "The zip names a path outside of its own folder.",
            "Nén lại chỉ với các tệp của hồ sơ.",
            "Zip it again with the dossier's files only.",
        ),
        "XML1_MISSING": Explanation(
            "Thiếu bảng XML1 nên không biết mã lượt khám (MA_LK).",
            "Table XML1 is missing, so the visit key (MA_LK) is unknown.",
            "Thêm tệp XML1.xml vào hồ sơ.",
            "Add XML1.xml to the dossier.",
        ),
        "MA_LK_MISSING": Explanation(
            "XML1 không có MA_LK hoặc MA_LK trống.",
            "XML1 has no MA_LK or an empty one.",
            "Điền MA_LK trong XML1.",
            "Fill MA_LK in XML1.",
        ),
        "MA_LK_UNUSABLE": Explanation(
            "MA_LK dài hơn 1000 ký tự, không dùng làm khóa được.",
            "MA_LK is longer than 1000 characters and cannot be a key.",
            "MA_LK có tối đa 100 ký tự (QĐ 130).",
            "MA_LK has at most 100 characters (decision 130).",
        ),
        "BASE64": Explanation(
            "NOIDUNGFILE của XML1 không phải base64 hợp lệ.",
            "NOIDUNGFILE of XML1 is not valid base64.",
            _EXPORT_AGAIN_VI,
            _EXPORT_AGAIN_EN,
        ),
        "XML_EMPTY": Explanation("Tệp XML trống.", "The XML is empty.", _EXPORT_AGAIN_VI, _EXPORT_AGAIN_EN),
        "XML_TOO_LARGE": Explanation("Tệp XML quá lớn.", "The XML is too large.", _EXPORT_AGAIN_VI, _EXPORT_AGAIN_EN),
        "XML_ENCODING": Explanation(
            "Tệp XML không phải UTF-8, hoặc khai báo encoding khác UTF-8.",
            "The XML is not UTF-8, or declares another encoding.",
            'Xuất bằng UTF-8 và khai báo encoding="utf-8".',
            'Write UTF-8 and declare encoding="utf-8".',
        ),
        "XML_DOCTYPE": Explanation(
            "Tệp XML có khai báo DOCTYPE, không được phép.",
            "The XML has a DOCTYPE, which is not allowed.",
            "Bỏ khai báo DOCTYPE.",
            "Leave the DOCTYPE out.",
        ),
        "XML_CONTROL_CHARACTER": Explanation(
            "Tệp XML chứa ký tự điều khiển.",
            "The XML holds a control character.",
            "Xóa ký tự điều khiển trong dữ liệu nhập.",
            "Remove control characters from what was typed in.",
        ),
        "XML_MALFORMED": Explanation(
            "Tệp XML sai cú pháp.", "The XML is not well-formed.", _EXPORT_AGAIN_VI, _EXPORT_AGAIN_EN
        ),
        "FACILITY_CODE": Explanation(
            "Mã cơ sở (MA_CSKCB) phải có đúng 5 chữ số hoặc chữ cái.",
            "The facility code (MA_CSKCB) must have exactly 5 digits or letters.",
            "Dùng mã cơ sở do BHXH cấp.",
            "Use the code that BHXH gave to the facility.",
        ),
        "REVISION": Explanation(
            "Số lần sửa (revision) phải là số nguyên dương.",
            "The revision must be a positive integer of at most 62 bits.",
            "Dùng số tăng dần của HIS hoặc bỏ trống.",
            "Give the rising number of the HIS, or none.",
        ),
        "CLOSED_AT": Explanation(
            "Thời điểm đóng lượt khám thiếu múi giờ, trước năm 2000 hoặc ở tương lai.",
            "The time of closing has no time zone, is before 2000 or lies in the future.",
            "Dùng thời điểm thật có múi giờ (ví dụ UTC+7).",
            "Give the true time as an aware datetime (for instance UTC+7).",
        ),
    }


class SpoolFullError(HisError):
    """The hand-over was not taken, entirely; what was taken before is untouched."""

    explanations: ClassVar[Mapping[str, Explanation]] = {
        "SPOOL_FULL": Explanation(
            "Vùng đệm đã đầy (giới hạn dung lượng).",
            "The spool has reached its size limit.",
            "Kiểm tra kết nối tới trục; gửi lại khi vùng đệm đã vơi, hoặc tăng giới hạn.",
            "Check the connection to the bus; hand over again when the spool has drained, or raise its limit.",
        ),
        "DISK_FULL": Explanation(
            "Ổ đĩa của vùng đệm đã đầy.",
            "The disk that holds the spool is full.",
            "Giải phóng ổ đĩa rồi gửi lại.",
            "Make room on the disk and hand over again.",
        ),
    }


class SpoolError(HisError):
    """The spool cannot be used."""

    explanations: ClassVar[Mapping[str, Explanation]] = {
        "SPOOL_IN_USE": Explanation(
            "Vùng đệm đang được một tiến trình khác sử dụng.",
            "Another process uses this spool.",
            "Mỗi tiến trình một thư mục vùng đệm; dừng tiến trình kia hoặc chọn thư mục khác.",
            "One process for each spool folder: stop the other one, or choose another folder.",
        ),
        "SPOOL_DAMAGED": Explanation(
            "Tệp vùng đệm hỏng hoặc không phải vùng đệm.",
            "The spool's file is damaged or is no spool.",
            "Chuyển tệp sang nơi khác, khởi động lại với vùng đệm mới rồi gửi lại các hồ sơ từ HIS.",
            "Move the file aside, start with a new spool and hand the HIS's dossiers over again.",
        ),
        "SPOOL_UNWRITABLE": Explanation(
            "Không ghi được vùng đệm.",
            "The spool cannot be written.",
            "Kiểm tra quyền ghi và ổ đĩa.",
            "Check the right to write and the disk.",
        ),
    }


class RefusedError(HisError):
    """The broker will never take these entries as they are; `entries` says which (facility, MA_LK, revision)."""

    explanations: ClassVar[Mapping[str, Explanation]] = {
        "BUS_TOO_LARGE": Explanation(
            "Trục từ chối vì thông điệp lớn hơn giới hạn của trục.",
            "The broker refused: the message is larger than its limit.",
            "Kiểm tra max.message.bytes của visit.closed.v1 (32 MiB) rồi gửi lại hồ sơ.",
            "Check max.message.bytes of visit.closed.v1 (32 MiB), then hand the dossier over again.",
        ),
    }

    def __init__(self, code: str, entries: tuple[tuple[str, str, int], ...]) -> None:
        super().__init__(code, ", ".join(f"{facility}|{ma_lk} #{revision}" for facility, ma_lk, revision in entries))
        self.entries = entries
