"""The one XML parser of the product: hardened, because every byte it reads was written by somebody else.

No entities, no DTD, no network (lxml ≥ 6.1; OWASP XXE prevention). A document type declaration is refused even
when it is harmless: no dossier of decisions 130/4750/3176 has one.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from lxml import etree

MAX_BYTES = 100 * 1024 * 1024
"""Import limit of one dossier file (ENVELOPE §7)."""

LIBXML2_TEXT_LIMIT = 10_000_000

_CONTROL = {etree.ErrorTypes.ERR_INVALID_CHAR, etree.ErrorTypes.ERR_INVALID_CHARREF}


class XmlError(ValueError):
    """The bytes are not XML that we are willing to read. `code` is stable; the text never quotes the document."""

    def __init__(self, code: str, line: int | None = None) -> None:
        super().__init__(code if line is None else f"{code} at line {line}")
        self.code = code
        self.line = line


def parse(data: bytes) -> etree._Element:
    """Root element of a UTF-8 document.

    Raises XmlError: `XML_EMPTY`, `XML_TOO_LARGE`, `XML_ENCODING` (not UTF-8, or declared otherwise), `XML_DOCTYPE`,
    `XML_CONTROL_CHARACTER`, `XML_MALFORMED` (with the line).
    """
    text = _text(data)
    parser = etree.XMLParser(**_hardened(text))
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError:
        raise _fault(parser.error_log) from None
    _check(root)
    return root


def ends(data: bytes) -> Iterator[etree._Element]:
    """Each element of such a document when it ends, with its own text and without its children; then it is forgotten.

    For who looks for little: a tree of many small elements is forty times as large as the document. Raises what `parse`
    raises, the document's faults behind the elements before them.
    """
    text = _text(data)
    reading = etree.iterparse(BytesIO(text), events=("end",), **_hardened(text))
    try:
        for _, element in reading:
            yield element
            element.clear()
            parent = element.getparent()
            while element.getprevious() is not None:
                del parent[0]
    except etree.XMLSyntaxError:
        raise _fault(reading.error_log) from None
    _check(reading.root)


def _text(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise XmlError("XML_TOO_LARGE")
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise XmlError("XML_EMPTY")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise XmlError("XML_ENCODING") from None
    return text


def _hardened(text: bytes) -> dict[str, Any]:
    return {
        "resolve_entities": False,
        "no_network": True,
        "load_dtd": False,
        "dtd_validation": False,
        "remove_comments": True,
        "remove_pis": True,
        # libxml2 bounds depth (256) and one text (10 MB); the base64 of a large table in an envelope is longer than
        # that. Even then there are no entities, the size is bounded above, and libxml2 bounds the depth at 2048.
        "huge_tree": len(text) > LIBXML2_TEXT_LIMIT,
    }


def _check(root: etree._Element) -> None:
    docinfo = root.getroottree().docinfo
    if docinfo.internalDTD is not None or docinfo.externalDTD is not None:
        raise XmlError("XML_DOCTYPE")
    if (docinfo.encoding or "UTF-8").upper() not in ("UTF-8", "US-ASCII", "ASCII"):
        raise XmlError("XML_ENCODING")


def _fault(log: Sequence[Any]) -> XmlError:
    """The first one that the parser met: what comes behind it may only follow from it."""
    if not log:
        return XmlError("XML_MALFORMED")
    first = log[0]
    if first.type in _CONTROL:
        return XmlError("XML_CONTROL_CHARACTER", first.line)
    return XmlError("XML_ENCODING" if "ENCODING" in first.type_name else "XML_MALFORMED", first.line)
