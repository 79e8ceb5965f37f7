"""The body of a request, decoded strictly: what a lax decoder forgives is lost on the real gateway (GATEWAY §4)."""

import binascii
import json
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from streams.simulators.gateway.answers import Code, Refusal

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def fields(content_type: str, body: bytes, *, json_allowed: bool) -> Mapping[str, str]:
    """The fields of a form or, where allowed, of a flat JSON object. Raises Refusal 205."""
    if content_type == JSON and json_allowed:
        return _json(body)
    if content_type != FORM:
        raise Refusal(Code.PARAMETER, "Sai định dạng tham số: Content-Type không được hỗ trợ")
    return _form(body)


def _form(body: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    try:
        for pair in body.split(b"&"):
            name, _, value = pair.partition(b"=")
            key = unquote_to_bytes(name.replace(b"+", b" ")).decode()
            if key in found:
                raise Refusal(Code.PARAMETER, "Sai định dạng tham số: tham số lặp lại")
            found[key] = unquote_to_bytes(value.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Refusal(Code.PARAMETER, "Sai định dạng tham số: không phải UTF-8") from None
    return found


def _json(body: bytes) -> Mapping[str, str]:
    try:
        document = json.loads(body)
    except ValueError:
        raise Refusal(Code.PARAMETER, "Sai định dạng tham số: không phải JSON") from None
    if not isinstance(document, dict):
        raise Refusal(Code.PARAMETER, "Sai định dạng tham số: cần một đối tượng JSON")
    return {str(key): str(value) for key, value in document.items()}


def required(given: Mapping[str, str], name: str) -> str:
    """Raises Refusal 205 when the field is missing or empty."""
    value = given.get(name, "")
    if not value:
        raise Refusal(Code.PARAMETER, f"Sai định dạng tham số: thiếu {name}")
    return value


def file_bytes(text: str) -> bytes:
    """`fileHSBase64`, standard alphabet only: a `+` not percent-encoded arrives as a blank. Raises Refusal 205."""
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Refusal(Code.PARAMETER, "Sai định dạng tham số: fileHSBase64 không phải base64 hợp lệ") from None
