"""The one XML parser of the product: hardened, because every byte it reads was written by somebody else.

No entities, no DTD, no network (lxml ≥ 6.1; OWASP XXE prevention). A document type declaration is refused even
when it is harmless: no dossier of decisions 130/4750/3176 has one.
"""

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
    if len(data) > MAX_BYTES:
        raise XmlError("XML_TOO_LARGE")
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise XmlError("XML_EMPTY")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise XmlError("XML_ENCODING") from None
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        remove_comments=True,
        remove_pis=True,
        # libxml2 bounds depth (256) and one text (10 MB); the base64 of a large table in an envelope is longer than
        # that. Even then there are no entities, the size is bounded above, and libxml2 bounds the depth at 2048.
        huge_tree=len(text) > LIBXML2_TEXT_LIMIT,
    )
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise XmlError(_code(parser), error.lineno) from None
    docinfo = root.getroottree().docinfo
    if docinfo.internalDTD is not None or docinfo.externalDTD is not None:
        raise XmlError("XML_DOCTYPE")
    if (docinfo.encoding or "UTF-8").upper() not in ("UTF-8", "US-ASCII", "ASCII"):
        raise XmlError("XML_ENCODING")
    return root


def _code(parser: etree.XMLParser) -> str:
    first = parser.error_log[0] if len(parser.error_log) else None
    if first is None:
        return "XML_MALFORMED"
    if first.type in _CONTROL:
        return "XML_CONTROL_CHARACTER"
    return "XML_ENCODING" if "ENCODING" in first.type_name else "XML_MALFORMED"
