"""The gateway's own parser: hardened, because every byte was written by somebody else.

No document type, no entities, no network, no processing instructions; UTF-8 that says so or says nothing.
"""

import re

from lxml import etree

from streams.simulators.gateway.answers import Code, Refusal

LIBXML2_TEXT_LIMIT = 10_000_000
_XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"
_BOM = b"\xef\xbb\xbf"
# Before the root a document has only blanks, comments and instructions (XML 1.0 §2.8). Possessive: no backtracking.
_DOCTYPE = re.compile(rb"(?>\s+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL | re.IGNORECASE)
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


def parse(data: bytes, what: str) -> etree._Element:
    """Root of a document. `what` names it in the refusal (`XML3`), which never quotes it. Raises Refusal 123."""
    if data.startswith(_BOM):
        raise Refusal(Code.FORMAT, f"{what}: tệp có BOM")
    declared = _DECLARED.match(data)
    if declared and declared[1].lower() != b"utf-8":
        raise Refusal(Code.FORMAT, f"{what}: khai báo mã ký tự khác UTF-8")
    if _DOCTYPE.match(data):
        raise Refusal(Code.FORMAT, f"{what}: không được có DOCTYPE")
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the bytes look like: UTF-16 without a declaration must not pass
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        remove_comments=True,  # no part of canonical XML without comments, and they would split a value in two
        huge_tree=len(data) > LIBXML2_TEXT_LIMIT,  # base64 of a large table is one long text
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Refusal(Code.FORMAT, f"{what}: không đọc được XML, dòng {error.lineno}") from None
    if _has_instruction(root):
        raise Refusal(Code.FORMAT, f"{what}: không được có chỉ thị xử lý")
    return root


def _has_instruction(root: etree._Element) -> bool:
    beside = [*root.itersiblings(), *root.itersiblings(preceding=True)]
    return bool(beside) or next(root.iter(etree.ProcessingInstruction), None) is not None


def text_of(element: etree._Element | None) -> str:
    """Text without surrounding blanks; empty when there is no such element."""
    return "" if element is None else (element.text or "").strip()


def canonical(element: etree._Element) -> bytes:
    """Canonical XML 1.0, inclusive, without comments, of the subtree *where it stands* (recommendation §2.3, §2.4).

    lxml canonicalises the subtree as if it were a document and forgets namespaces that only its ancestors declare.
    Its plain serialisation writes them on the apex; `xml:` attributes of the ancestors are added here.
    """
    alone = etree.fromstring(etree.tostring(element, with_tail=False), etree.XMLParser(huge_tree=True, no_network=True))
    for ancestor in element.iterancestors():
        for name, value in ancestor.attrib.items():
            if str(name).startswith(_XML_NAMESPACE) and alone.get(name) is None:
                alone.set(name, value)
    return etree.tostring(alone, method="c14n", with_comments=False)
