"""Why a request was not taken: codes beside those of the SDK, and the HTTP status of each of them all."""

from collections.abc import Mapping
from typing import ClassVar

from events.his.errors import DossierError, Explanation, HisError, SpoolError, SpoolFullError

RETRY_AFTER = {"SPOOL_FULL": 30, "DISK_FULL": 30, "BUSY": 5}
"""Seconds after which it may be otherwise."""


class RequestError(HisError):
    """The request itself is not as it must be, or this process cannot serve it now; nothing was taken."""

    explanations: ClassVar[Mapping[str, Explanation]] = {
        "TOKEN_MISSING": Explanation(
            "Yêu cầu không có token của cơ sở.",
            "The request shows no token of a facility.",
            "Gửi kèm tiêu đề «Authorization: Bearer <token>».",
            "Send the header `Authorization: Bearer <token>`.",
        ),
        "TOKEN_WRONG": Explanation(
            "Token không đúng hoặc đã bị thu hồi.",
            "The token is wrong, or was withdrawn.",
            "Dùng token mà người vận hành đã cấp (`healthbook adapter token`), chép nguyên vẹn.",
            "Use the token that the operator issued (`healthbook adapter token`), copied whole.",
        ),
        "TOKENS_UNREADABLE": Explanation(
            "Máy chủ không đọc được danh sách token của cơ sở.",
            "The server cannot read the tokens of this facility.",
            "Báo người vận hành: nhật ký của máy chủ nêu tên tệp. Giữ lượt khám và gửi lại sau.",
            "Tell the operator: the server's log names the file. Keep the visit and hand it over later.",
        ),
        "PATH_UNKNOWN": Explanation(
            "Không có địa chỉ này.",
            "There is no such address.",
            "Gửi hồ sơ bằng POST tới /v1/visits.",
            "Send dossiers by POST to /v1/visits.",
        ),
        "METHOD_UNKNOWN": Explanation(
            "Địa chỉ này chỉ nhận POST.",
            "This address takes POST only.",
            "Gửi hồ sơ bằng POST tới /v1/visits.",
            "Send dossiers by POST to /v1/visits.",
        ),
        "PARAMETER": Explanation(
            "Tham số trong địa chỉ không có, lặp lại hoặc sai dạng.",
            "A parameter of the address is unknown, given twice or not of its form.",
            "Chỉ dùng revision=<số nguyên>, closed_at=<2026-01-31T09:30:00+07:00>, again=true|false.",
            "Only revision=<integer>, closed_at=<2026-01-31T09:30:00+07:00>, again=true|false are known.",
        ),
        "BODY_EMPTY": Explanation(
            "Yêu cầu không có nội dung.",
            "The request has no body.",
            "Gửi tệp zip các bảng, một tệp giám định, hoặc multipart các tệp bảng.",
            "Send a zip of table files, one envelope, or the table files as multipart.",
        ),
        "BODY_TOO_LARGE": Explanation(
            "Nội dung yêu cầu vượt quá giới hạn.",
            "The body of the request is larger than the limit.",
            "Kiểm tra nội dung thừa trong hồ sơ; giới hạn do người vận hành đặt.",
            "Look for content that does not belong into the dossier; the operator sets the limit.",
        ),
        "BODY_SLOW": Explanation(
            "Nội dung yêu cầu đến quá chậm.",
            "The body of the request came too slowly.",
            "Kiểm tra đường truyền rồi gửi lại với cùng revision.",
            "Check the line, then send it again with the same revision.",
        ),
        "BODY_BROKEN": Explanation(
            "Nội dung yêu cầu bị ngắt giữa chừng hoặc sai dạng multipart.",
            "The body of the request broke off, or is no multipart as it says.",
            "Gửi lại với cùng revision; mỗi phần multipart có boundary và dấu kết thúc đúng.",
            "Send it again with the same revision; check boundary and end of the multipart.",
        ),
        "PART_UNNAMED": Explanation(
            "Một phần multipart không có tên tệp.",
            "A part of the multipart has no file name.",
            "Mỗi phần là một tệp có filename (XML1.xml, …); revision, closed_at, again đặt trong địa chỉ.",
            "Each part is a file with a filename (XML1.xml, …); revision, closed_at, again go into the address.",
        ),
        "PARTS_TOO_MANY": Explanation(
            "Multipart có quá nhiều phần.",
            "The multipart has too many parts.",
            "Mỗi yêu cầu một hồ sơ.",
            "One request holds one dossier only.",
        ),
        "BUSY": Explanation(
            "Máy chủ đang bận.",
            "The server is busy.",
            "Gửi lại sau vài giây với cùng revision.",
            "Send it again in a few seconds, with the same revision.",
        ),
        "UNEXPECTED": Explanation(
            "Lỗi ngoài dự kiến của máy chủ; không rõ hồ sơ đã được nhận hay chưa.",
            "An error of the server that nobody expected; whether the dossier was taken is not known.",
            "Gửi lại với cùng revision; nếu lặp lại, báo người vận hành.",
            "Send it again with the same revision; if it happens again, tell the operator.",
        ),
    }


_STATUS = {
    "TOKEN_MISSING": 401,
    "TOKEN_WRONG": 401,
    "TOKENS_UNREADABLE": 503,
    "PATH_UNKNOWN": 404,
    "METHOD_UNKNOWN": 405,
    "BODY_TOO_LARGE": 413,
    "DOSSIER_TOO_LARGE": 413,
    "BODY_SLOW": 408,
    "BUSY": 503,
    "UNEXPECTED": 500,
}


def status_of(error: HisError) -> int:
    """The HTTP status: 4xx is for the HIS to mend, 5xx passes or is for the operator."""
    if error.code in _STATUS:
        return _STATUS[error.code]
    match error:
        case DossierError() | RequestError():
            return 400
        case SpoolFullError() | SpoolError():
            return 503  # with Retry-After where it passes: what plain clients repeat by themselves
    return 500
